#!/bin/sh
# From a fresh clone to recognised digits: builds resnetcc, compiles the bundled model, links the example program
# and shows it the bundled pictures. usage: sh examples/quickstart.sh
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh
build=build/quickstart
prefix=$PWD/$build/prefix
mkdir -p "$build"

need $build_packages libpng-dev

say "building resnetcc (in $build)"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
  -DCMAKE_INSTALL_PREFIX="$prefix" >"$build/cmake.log" 2>&1 || { cat "$build/cmake.log" >&2; die "cmake could not configure"; }
cmake --build "$build"
cmake --install "$build" >/dev/null

say "compiling the model: resnetcc digits.onnx -o digits.o"
"$prefix/bin/resnetcc" examples/digits/digits.onnx -o "$build/digits.o"
ls -l examples/digits/digits.onnx "$build/digits.o" "$build/digits.h"

say "linking the program: cc digits.c digits.o -lresnetcc_rt -lpng"
cc -O2 -I "$build" -I "$prefix/include" examples/digits/digits.c "$build/digits.o" \
  -L "$prefix/lib" -lresnetcc_rt -lpng -pthread -o "$build/digits"

say "classifying: digits examples/digits/pictures/*.png"
"$build/digits" examples/digits/pictures/*.png
