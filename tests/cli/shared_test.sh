# -o FILE.so: a shared library that needs nothing, shows the model and the runtime and no more, and runs.
. "$(dirname "$0")/common.sh"
[ -z "$RESNETCC_CFLAGS" ] || skip "the runtime has a sanitizer in it"
tiny=$here/tiny.onnx
export CC

succeeds "$tiny" -o libnet.so --name net
[ "$(nm -D --defined-only libnet.so | awk '{ print $3 }' | grep -v '^net_' | sed 's/_.*//' | sort -u)" = rcc ] ||
  failed "visible: $(nm -D --defined-only libnet.so)"
for symbol in net_run net_model rcc_strerror rcc_pool_create rcc_workspace_alloc rcc_cpu_check; do
  nm -D --defined-only libnet.so | grep -q " $symbol\$" || failed "not visible: $symbol"
done
readelf -d libnet.so | grep -q 'SONAME.*\[libnet.so\]' || failed "no soname: $(readelf -d libnet.so)"
readelf -d libnet.so | grep -q TEXTREL && failed "it has relocations in its code"

cat >program.c <<'END'
#include "libnet.h"
int main(void) {
  static float image[192], scores[5];
  void *work = rcc_workspace_alloc(NET_WORKSPACE_SIZE);
  int error = net_run(1, image, scores, work, NET_WORKSPACE_SIZE, NULL);
  rcc_workspace_free(work, NET_WORKSPACE_SIZE);
  return error || scores[0] == 0;
}
END
$CC -I"$here/../../runtime" program.c ./libnet.so -Wl,-rpath,. -o program && ./program || failed "a program with the library: status $?"

# The same model and options give the same bytes; other names say the same.
cp libnet.so first.so
succeeds "$tiny" -o libnet.so --name net --header=none
cmp -s libnet.so first.so || failed "a second library differs"
succeeds "$tiny" -o libnet.so.1 --name net
[ "$(head -c 4 libnet.so.1)" = "$(printf '\177ELF')" ] || failed "libnet.so.1 is no library"
readelf -hW libnet.so.1 | grep -q 'DYN ' || failed "libnet.so.1 is no library"
succeeds "$tiny" --emit=so -o - --name net
head -c 4 "$work.out" | grep -q ELF || failed "no library on standard output"
rm -f ./*

# What goes wrong with the C compiler is one line, and leaves nothing.
CC="no-such-cc -x"
refuses "net.so: 'no-such-cc', which is to link it, cannot be run: No such file or directory; install a C compiler" -o net.so "$tiny"
printf '#!/bin/sh\necho note\necho "ld: error: no room" >&2\nexit 1\n' >bad-cc
chmod +x bad-cc
CC=./bad-cc
refuses "net.so: './bad-cc' did not link it: ld: error: no room" -o net.so "$tiny"
printf '#!/bin/sh\nkill -9 $$\n' >bad-cc
refuses "net.so: './bad-cc' did not link it: " -o net.so "$tiny"
rm -f ./*

# A signal meanwhile leaves nothing behind either.
printf '#!/bin/sh\necho "$@" >%s/seen\nkill -TERM $PPID\nsleep 5 & wait\n' "$work" >slow-cc
chmod +x slow-cc
CC=./slow-cc
"$RESNETCC" "$tiny" -o net.so 2>"$work.err"
[ $? -eq 143 ] || failed "SIGTERM did not end it: $(cat "$work.err")"
folder=$(grep -o '/tmp/resnetcc[.][^/]*' seen | head -n 1)
[ -n "$folder" ] && [ ! -e "$folder" ] || failed "left $folder"
files seen slow-cc
finish
