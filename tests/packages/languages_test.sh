# The examples in other languages, as their READMEs have them, over an installed tree. Each says what a picture shows, and
# refuses a file that is no picture.
. "$(dirname "$0")/../cli/common.sh"
prefix=$work/prefix
installs "$prefix"
export PATH="$prefix/bin:$PATH" PKG_CONFIG_PATH=$prefix/lib/pkgconfig
(cd "$here/../../examples" && cp -r cpp go python cmake-cross rust digits "$work")
echo 'P2 9 9 1 0' >wrong.pgm
[ -z "$RESNETCC_CFLAGS" ] || skip "the build tools of other languages do not link a runtime with a sanitizer"

# without WHAT
without() { echo "skipped: no $1"; }
# tells COMMAND...: on a picture, and on what is none
tells() {
  "$@" ../digits/7.pgm >"$work.out" 2>&1 && grep -q '7.pgm looks like 7 (9' "$work.out" || failed "$*: $(cat "$work.out")"
  "$@" ../wrong.pgm >"$work.out" 2>&1 && failed "$*: took a file that is no picture"
  holds "$work.out" "wrong.pgm: not a PGM of 8x8 pixels in text form"
}
# made COMMAND...
made() {
  "$@" >"$work.out" 2>&1 || failed "$*: $(cat "$work.out")"
}

for readme in */README.md; do at_most 30 "$readme"; done
at_most 150 cpp/resnetcc.hpp

cd "$work/cpp"
if command -v c++ >/dev/null; then
  resnetcc ../digits/digits.onnx -o digits.o
  flags=$(pkg-config --cflags --libs resnetcc)
  made c++ -std=c++20 -Wall -Wextra -pedantic -Werror -fsyntax-only digit.cpp $flags
  made c++ -std=c++11 -Wall -Wextra -pedantic -Werror digit.cpp digits.o $flags -o digit
  tells ./digit
  sed 's/^int main.*/int main() try { resnetcc::runner net(digits_model); net(std::vector<float>(3));/' digit.cpp >few.cpp
  sed -i '/argc/d; /pool threads/d; /runner net(digits_model, /d; /std::vector<float> p/d; /auto best/d; /std::cout/d' few.cpp
  made c++ -std=c++11 few.cpp digits.o $flags -o few
  ./few 2>"$work.out" && failed "an input of another size was taken"
  holds "$work.out" "the input is not of the model's size"
else
  without "c++"
fi

cd "$work/go"
if command -v go >/dev/null; then
  export GOFLAGS=-mod=mod GOTOOLCHAIN=local
  made go generate
  made go build -o digit
  tells ./digit
else
  without "go"
fi

cd "$work/rust"
if command -v cargo >/dev/null; then
  made cargo build --release --offline
  tells target/release/digit
  made cargo build --release --offline -v
  grep -q Fresh "$work.out" && ! grep -q Compiling "$work.out" || failed "cargo builds without a change"
  touch ../digits/digits.onnx
  made cargo build --release --offline
  holds "$work.out" "Compiling digit"
else
  without "cargo"
fi

cd "$work/python"
if command -v python3 >/dev/null; then
  resnetcc ../digits/digits.onnx -o digits.o
  made $CC -shared digits.o -Wl,--whole-archive $(pkg-config --libs-only-L resnetcc) -lresnetcc_rt -Wl,--no-whole-archive \
    -pthread -o digits.so
  python3 digit_ctypes.py ./digits.so ../digits/7.pgm >"$work.out" 2>&1
  holds "$work.out" "looks like 7 (9"
  size=$(sed -n 's/.*define DIGITS_WORKSPACE_SIZE[^0-9]*\([0-9]*\).*/\1/p' digits.h)
  [ "$size" -le $((1 << 20)) ] || failed "digit_ctypes.py has too small a workspace"
  if ${PYTHON:-python3} -c 'import numpy' 2>/dev/null; then
    cp -r "$here/../../runtime/python/resnetcc" .
    cp -r "$prefix"/* resnetcc
    export XDG_CACHE_HOME=$work/cache
    tells ${PYTHON:-python3} digit.py ../digits/digits.onnx
  else
    without "NumPy"
  fi
else
  without "python3"
fi

cd "$work/cmake-cross"
if command -v x86_64-linux-gnu-gcc >/dev/null; then
  made cmake -B build -G Ninja -DCMAKE_TOOLCHAIN_FILE=toolchain.cmake -Dresnetcc_DIR="$prefix/lib/cmake/resnetcc"
  made cmake --build build -v
  holds "$work.out" "--target=x86_64-linux-gnu -mcpu=x86-64-v3"
  ./build/digit >"$work.out" || failed "cmake-cross: $(cat "$work.out")"
  holds "$work.out" "a stroke looks like 1"
else
  without "x86_64-linux-gnu-gcc"
fi
finish
