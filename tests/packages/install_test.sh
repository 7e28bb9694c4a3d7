# What `cmake --install` leaves under a prefix: a program finds it by pkg-config; the runtime is an archive, a shared library
# with a version, and one C file.
. "$(dirname "$0")/../cli/common.sh"
prefix=$work/prefix
installs "$prefix"
for file in bin/resnetcc lib/libresnetcc_rt.a lib/libresnetcc_image.a include/resnetcc_image.h lib/libresnetcc_rt.so.1 include/resnetcc_rt.h share/resnetcc/resnetcc_rt.c \
  lib/pkgconfig/resnetcc.pc lib/pkgconfig/resnetcc_rt.pc lib/cmake/resnetcc/resnetccConfig.cmake \
  share/man/man1/resnetcc.1 share/man/man3/resnetcc_rt.3 share/man/man3/resnetcc_image.3 share/bash-completion/completions/resnetcc \
  share/zsh/site-functions/_resnetcc share/fish/vendor_completions.d/resnetcc.fish; do
  [ -f "$prefix/$file" ] || failed "not installed: $file"
done
if grep -rl "$RESNETCC_BUILD" "$prefix/lib/cmake" "$prefix/lib/pkgconfig" "$prefix/share"; then failed "a file names the build folder"; fi
[ -e "$prefix/lib/libresnetcc_rt.so" ] && failed "-lresnetcc_rt is a shared library, which programs would have to find"
readelf -d "$prefix/lib/libresnetcc_rt.so.1" | grep -q 'soname: \[libresnetcc_rt.so.1\]' || failed "no soname"

# The manual pages are ones, and those of the libraries have all their functions, constants of errors and ways.
for page in man1/resnetcc.1 man3/resnetcc_rt.3 man3/resnetcc_image.3; do
  command -v groff >/dev/null || break
  groff -man -ww -z -Tutf8 "$prefix/share/man/$page" >"$work.out" 2>&1
  [ -s "$work.out" ] && failed "$page: $(cat "$work.out")"
done
for library in resnetcc_rt resnetcc_image; do
  for name in $(grep -oE 'rcc_[a-z_]*\(|RCC_(ERR|IMAGE)_[A-Z]+(_[A-Z]+)?' "$prefix/include/$library.h" | sort -u); do
    [ "$name" = RCC_IMAGE_H ] || holds "$prefix/share/man/man3/$library.3" "${name%(}"
  done
done

# The same functions from everywhere.
functions() {
  nm "$@" | sed -n 's/.* T \(rcc_.*\)/\1/p' | sort
}
functions -g "$prefix/lib/libresnetcc_rt.a" >of_archive
functions -D "$prefix/lib/libresnetcc_rt.so.1" >of_shared
[ -s of_archive ] && cmp of_archive of_shared || failed "the archive and the shared library differ: $(diff of_archive of_shared)"

RESNETCC=$prefix/bin/resnetcc
cat >program.c <<'END'
#include "tiny.h"
int main(void) {
  static float image[192], scores[5];
  void *work = rcc_workspace_alloc(TINY_WORKSPACE_SIZE);
  int error = tiny_run(1, image, scores, work, TINY_WORKSPACE_SIZE, NULL);
  rcc_workspace_free(work, TINY_WORKSPACE_SIZE);
  return error;
}
END
succeeds "$here/../cli/tiny.onnx" -mcpu=x86-64
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
# made WHAT FLAGS...: the program, as it is linked
made() {
  what=$1
  shift
  $CC $RESNETCC_CFLAGS program.c tiny.o "$@" -o program && ./program || failed "a program by $what"
}
for package in resnetcc resnetcc_rt; do
  flags=$(pkg-config --cflags --libs $package) || failed "pkg-config finds no $package"
  made "pkg-config $package" $flags
done
[ "$(pkg-config --modversion resnetcc)" = "$RESNETCC_VERSION" ] || failed "the version of pkg-config"
cmp -s "$(pkg-config --variable=resnetcc resnetcc)" "$prefix/bin/resnetcc" || failed "pkg-config tells another resnetcc"
source=$(pkg-config --variable=runtime_source resnetcc)
made "the runtime's source" -std=c11 -O2 -Wall -Wextra -Wshadow -pedantic -Werror "$source" -I"$prefix/include" -pthread
LD_LIBRARY_PATH=$prefix/lib made "the shared runtime" -I"$prefix/include" "$prefix/lib/libresnetcc_rt.so.1"
finish
