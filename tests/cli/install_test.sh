# What `cmake --install` leaves under a prefix: a program finds it by pkg-config, and by CMake, which compiles
# its model.
. "$(dirname "$0")/common.sh"
prefix=$work/prefix
cmake --install "$RESNETCC_BUILD" --prefix "$prefix" >"$work.out" 2>&1 || failed "install: $(cat "$work.out")"
for file in bin/resnetcc lib/libresnetcc_rt.a lib/libresnetcc_image.a include/resnetcc_rt.h include/resnetcc_image.h; do
  [ -f "$prefix/$file" ] || failed "not installed: $file"
done
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
succeeds "$here/tiny.onnx"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
flags=$(pkg-config --cflags --libs resnetcc) || failed "pkg-config finds nothing"
$CC $RESNETCC_CFLAGS program.c tiny.o $flags -o program && ./program || failed "a program by pkg-config"
rm tiny.o tiny.h

cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.22)
project(app C)
find_package(resnetcc 0.1 REQUIRED)
add_executable(app program.c)
resnetcc_add_model(app $here/tiny.onnx -mcpu=x86-64)
resnetcc_add_model(app external.onnx -mcpu=x86-64)
END
cp "$here/external.onnx" .
weights="my weights.bin"
printf '0123456789abcdef' >"$weights"

# made BUILD PATTERN: builds it again; the commands that ran do, or with a ! do not, have the pattern
made() {
  sleep 0.01 # the clock of files is coarse
  cmake --build "$1" -v >"$work.out" 2>&1 || failed "$1: $(cat "$work.out")"
  case $2 in
  !*) grep -qF -- "${2#!}" "$work.out" && failed "$1 was made again: $(cat "$work.out")" ;;
  *) grep -qF -- "$2" "$work.out" || failed "$1 was not made again" ;;
  esac
}

for generator in Ninja "Unix Makefiles"; do
  command -v make >/dev/null || [ "$generator" = Ninja ] || continue
  CFLAGS=$RESNETCC_CFLAGS cmake -B "$generator" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix" >"$work.out" 2>&1 &&
    cmake --build "$generator" >>"$work.out" 2>&1 && "./$generator/app" ||
    failed "a program by CMake: $(cat "$work.out")"
  made "$generator" "!-o "
  touch "$weights"
  made "$generator" external.onnx
  made "$generator" "!-o "
  touch external.onnx
  made "$generator" external.onnx
  touch "$prefix/bin/resnetcc"
  made "$generator" tiny.onnx
  made "$generator" "!-o "
done
finish
