# -g: debuggers find the node of the model by its number in the file; without it there is nothing of the kind.
. "$(dirname "$0")/common.sh"

cp "$here/tiny.onnx" .
succeeds tiny.onnx -o plain.o
readelf -SW plain.o | grep -q debug && failed "debug information without -g"
succeeds tiny.onnx -g -mcpu=x86-64-v2 -o net.o
readelf --debug-dump=info net.o >info 2>/dev/null
for name in 'conv (Conv)' tiny.onnx; do
  grep -q "DW_AT_name .*: $name\$" info || failed "no $name in $(grep DW_AT_name info)"
done
objdump -dl net.o >code
grep -q 'tiny.onnx:1$' code || failed "no line of the convolution: $(grep tiny.onnx code)"
[ -z "$(grep -o 'tiny.onnx:[0-9]*' code | grep -vE ':[1-9]$')" ] || failed "lines of no node: $(grep tiny.onnx code | sort -u)"

# A program of it, in a debugger where there is one.
cat >program.c <<'END'
#include "net.h"
static float image[192], scores[5];
static _Alignas(64) char work[NET_WORKSPACE_SIZE + 64];
int main(void) { return net_run(1, image, scores, work, NET_WORKSPACE_SIZE, NULL); }
END
$CC -I"$here/../../runtime" $RESNETCC_CFLAGS program.c net.o "$RESNETCC_RT" -pthread -o program || failed "a program of it"
if [ -n "$(command -v gdb)" ] && [ -z "$RESNETCC_CFLAGS" ]; then
  gdb -batch -nx -ex 'break tiny.onnx:1' -ex run -ex bt ./program >shown 2>&1
  if grep -aq ptrace shown; then rm shown; else
    grep -aq '^#0 .*conv *(Conv) () at tiny.onnx:1$' shown || failed "gdb shows $(cat -v shown)"
    grep -aq '^#[1-9] .* net_run ' shown || failed "gdb does not see who called the layer: $(cat -v shown)"
  fi
fi
rm -f ./*
finish
