#!/bin/sh
# Makes what a release consists of, in an empty folder, and uses it as others do: the wheel, the packages of Debian, the archive of
# the sources. Takes minutes; `sh tests/run.sh --packages` installs what it needs. usage: sh tests/packages/release.sh FOLDER
set -eu
folder=${1:?usage: sh tests/packages/release.sh FOLDER}
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder"
cd "$folder"
digits=$source/examples/digits/digits.onnx
passed=0
failed=0
check() {
  if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $2"; fi
}
# checked WHAT COMMAND...
checked() {
  what=$1
  shift
  if "$@" >log 2>&1; then check 0 "$what"; else check 1 "$what: $(tail -n 5 log)"; fi
}
finish() {
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
  exit
}
SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# ---- packages of Debian: two builds are the same bytes ----
debs() {
  cmake -S "$source" -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_TESTING=OFF >/dev/null &&
    cmake --build "$1" && (cd "$1" && cpack && sha256sum ./*.deb) >"$1.log"
}
checked "packages of Debian" debs deb
cp deb/*.deb .
checked "the same packages again" debs deb
checked "the same bytes" sh -c 'cd deb && sha256sum ./*.deb >new && cd .. && sha256sum -c deb/new'
checked lintian lintian --fail-on error ./*.deb
for package in resnetcc libresnetcc-dev libresnetcc-rt1; do checked "the package $package" ls "$package"_*.deb; done
checked "resnetcc needs libllvm" sh -c 'dpkg-deb -f resnetcc_*.deb Depends | grep -q libllvm'

# A program by pkg-config from what they hold, and what `cmake --install` leaves is the same.
mkdir root && for deb in ./*.deb; do dpkg-deb -x "$deb" root; done
checked "completion where Debian's zsh looks" ls root/usr/share/zsh/vendor-completions/_resnetcc
lib=$(dirname "$(find root -name libresnetcc_rt.a)")
DESTDIR=$PWD/installed cmake --install deb --strip >/dev/null
checked "cmake --install and the packages have the same files" sh -c '
  (cd root && find . -type f | sort) >a; (cd installed && find . -type f | sort) >b; diff a b'
root/usr/bin/resnetcc "$digits" -o digits.o
cat >program.c <<'END'
#include "digits.h"
int main(void) { static float x[64], y[10]; static _Alignas(64) char work[DIGITS_WORKSPACE_SIZE]; return digits_run(x, y, work, sizeof work, 0); }
END
checked "a program of the packages" sh -c "cc program.c digits.o \$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs resnetcc) -o program && ./program"

# ---- the archive of the sources ----
checked "the archive" cmake --build deb --target dist
cp deb/resnetcc-*.tar.gz first.tar.gz
sleep 1
checked "the archive again" cmake --build deb --target dist
checked "the archive's bytes" cmp first.tar.gz deb/resnetcc-*.tar.gz

# ---- the wheel ----
python3 -m venv venv
checked "the wheel" venv/bin/pip wheel -q --no-deps -w . "$source"
wheel=$(ls resnetcc-*-py3-none-manylinux_2_36_x86_64.whl) || finish
size=$(stat -c %s "$wheel")
checked "the wheel has $size bytes" [ "$size" -lt 25000000 ]
checked "tools for wheels" sh -c 'python3 -m venv tools && tools/bin/pip install -q twine auditwheel'
checked "what the index shows" tools/bin/twine check --strict "$wheel"
checked "the wheel's tag" sh -c "tools/bin/auditwheel show $wheel | tr -s ' \n' ' ' | grep 'with the following platform tag: .manylinux_2_36_x86_64'"
checked "the wheel installs" venv/bin/pip install -q --no-index "$wheel"
package=$(venv/bin/python -c 'import os, resnetcc; print(os.path.dirname(resnetcc.__file__))')
checked "a library but libc's" sh -c "! ldd $package/bin/resnetcc | grep -v -e linux-vdso -e libc.so -e libm.so -e ld-linux"
mkdir wheel && venv/bin/resnetcc "$digits" -o wheel/digits.o
checked "the wheel's object" cmp wheel/digits.o digits.o
cc "$source/tests/cli/photograph.c" -ljpeg -o photograph && ./photograph >photograph.jpg
checked "a photograph" venv/bin/python -m resnetcc run "$source/tests/cli/tiny.onnx" --shape=image=1,3,8,8 photograph.jpg --top 5
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.22)
project(app C)
find_package(resnetcc REQUIRED)
add_executable(app program.c)
resnetcc_add_model(app MODEL ${DIGITS})
END
checked "CMake with the wheel" sh -c "cmake -B app -G Ninja -DDIGITS=$digits \
  -Dresnetcc_DIR=\$(venv/bin/python -c 'import resnetcc; print(resnetcc.get_cmake_dir())') && cmake --build app && app/app"
checked "load" env XDG_CACHE_HOME="$PWD/cache" venv/bin/python -c "import resnetcc; print(resnetcc.load('$digits'))"

finish
