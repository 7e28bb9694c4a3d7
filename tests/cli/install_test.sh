# What `cmake --install` leaves under a prefix: a program finds it by pkg-config, and by CMake, which compiles
# its model.
. "$(dirname "$0")/common.sh"
prefix=$work/prefix
cmake --install "$RESNETCC_BUILD" --prefix "$prefix" >"$work.out" 2>&1 || failed "install: $(cat "$work.out")"
for file in bin/resnetcc lib/libresnetcc_rt.a include/resnetcc_rt.h; do
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
END
CFLAGS=$RESNETCC_CFLAGS cmake -B build -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work.out" 2>&1 &&
  cmake --build build >>"$work.out" 2>&1 && ./build/app || failed "a program by CMake: $(cat "$work.out")"
finish
