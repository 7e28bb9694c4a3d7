# resnetcc_add_model in every kind of target, in both generators, installed and as a part of the project, and what makes it
# compile a model again.
. "$(dirname "$0")/../cli/common.sh"
[ -z "$RESNETCC_CFLAGS" ] || skip "with a sanitizer nothing of CMake's part is another"
prefix=$work/prefix
installs "$prefix"

mkdir a b sub
cp "$here/../cli/tiny.onnx" a/model.onnx
cp "$here/../cli/tiny.onnx" b/model.onnx
cp "$here/../cli/tiny.onnx" .
cp "$here/../cli/external.onnx" .
weights="my weights.bin"
printf '0123456789abcdef' >"$weights"
cat >use.c <<'END'
#define STRING(x) #x
#define HEADER(name) STRING(name.h)
#include HEADER(MODEL)
#define JOIN(a, b) a##b
#define TABLE(name) JOIN(name, _model)
int main(void) { return TABLE(MODEL).abi != RCC_ABI || rcc_strerror(0)[0] != 'n'; }
END
echo 'int own(void); int own(void) { return 0; }' >own.c
cat >sub/CMakeLists.txt <<'END'
resnetcc_add_model(lib MODEL ../a/model.onnx NAME net)
resnetcc_add_model(elsewhere MODEL ../a/model.onnx NAME net OPTIONS ${fast})
END
cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.22)
project(app C)
set(fast -mcpu=x86-64)
if(DEFINED INSIDE)
  add_subdirectory(\${INSIDE} resnetcc EXCLUDE_FROM_ALL)
else()
  find_package(resnetcc $RESNETCC_VERSION REQUIRED)
endif()
function(program name model)
  add_executable(\${name} use.c)
  target_compile_definitions(\${name} PRIVATE MODEL=\${model})
endfunction()

# the same name of a file twice; the same model in two targets
program(two na)
resnetcc_add_model(two MODEL a/model.onnx NAME na OPTIONS \${fast})
resnetcc_add_model(two MODEL b/model.onnx NAME nb OPTIONS \${fast})
program(again na)
resnetcc_add_model(again MODEL a/model.onnx NAME na OPTIONS -mcpu=x86-64-v3)
# a target that becomes a library, one of another folder, one without keywords
program(of_lib net)
target_link_libraries(of_lib lib)
program(elsewhere net)
add_subdirectory(sub)
program(plain tiny)
target_link_libraries(plain m)
resnetcc_add_model(plain tiny.onnx \${fast})
# kinds of libraries
foreach(kind STATIC SHARED OBJECT)
  add_library(lib_\${kind} \${kind} own.c)
  resnetcc_add_model(lib_\${kind} MODEL tiny.onnx OPTIONS \${fast})
endforeach()
add_library(lib_INTERFACE INTERFACE)
resnetcc_add_model(lib_INTERFACE MODEL tiny.onnx OPTIONS \${fast})
foreach(kind STATIC SHARED OBJECT INTERFACE)
  program(of_\${kind} tiny)
  target_link_libraries(of_\${kind} PRIVATE lib_\${kind})
endforeach()
# a model that the build makes; one with data beside it
add_custom_command(OUTPUT made.onnx COMMAND \${CMAKE_COMMAND} -E copy \${CMAKE_SOURCE_DIR}/tiny.onnx made.onnx DEPENDS tiny.onnx)
program(made made)
resnetcc_add_model(made MODEL made.onnx OPTIONS \${fast})
program(external external)
resnetcc_add_model(external MODEL external.onnx OPTIONS \${fast} \${MORE})
# tests, of data sets that agree and of some that are another model's
enable_testing()
add_library(tested INTERFACE)
resnetcc_add_model(tested MODEL tiny.onnx NAME right OPTIONS \${fast} TEST sets)
resnetcc_add_model(tested MODEL $here/../../examples/digits/digits.onnx NAME wrong OPTIONS \${fast} TEST sets)
END
programs="two again of_lib elsewhere plain of_STATIC of_SHARED of_OBJECT of_INTERFACE made external"

succeeds verify tiny.onnx --save sets

# made BUILD PATTERN: builds it again; the commands that ran do, or with a ! do not, have the pattern
made() {
  sleep 0.01 # the clock of files is coarse
  cmake --build "$1" -v >"$work.out" 2>&1 || failed "$1: $(cat "$work.out")"
  case $2 in
  !*) grep -qF -- "${2#!}" "$work.out" && failed "$1 was made again: $(cat "$work.out")" ;;
  *) grep -qF -- "$2" "$work.out" || failed "$1 was not made again for $2" ;;
  esac
}

# configured BUILD ARGUMENTS...
configured() {
  cmake -B "$@" >"$work.out" 2>&1 || failed "cmake -B $*: $(cat "$work.out")"
}

# all_run BUILD
all_run() {
  cmake --build "$1" --parallel 2 >"$work.out" 2>&1 || failed "$1: $(cat "$work.out")"
  for program in $programs; do "./$1/$program" || failed "$1/$program"; done
}

for generator in Ninja "Unix Makefiles"; do
  command -v make >/dev/null || [ "$generator" = Ninja ] || continue
  configured "$generator" -G "$generator" -DCMAKE_PREFIX_PATH="$prefix"
  all_run "$generator"
  made "$generator" "! -o "
  touch "$weights"
  made "$generator" external.onnx
  touch tiny.onnx
  made "$generator" made.onnx
  configured "$generator" -DMORE=-Os
  made "$generator" external.onnx
  touch "$prefix/bin/resnetcc"
  made "$generator" a/model.onnx
  made "$generator" "! -o "
done

ctest --test-dir Ninja >"$work.out" 2>&1 && failed "data sets of another model agree"
grep -q 'tested.right .*Passed' "$work.out" && grep -q 'tested.wrong .*Failed' "$work.out" || failed "TEST: $(cat "$work.out")"

# From here on `two` is enough.
sed -i '/^program(again/,$d; /^resnetcc_add_model(two MODEL a/s/ OPTIONS.*/)/' CMakeLists.txt

# ---- a part of the project, with a compiler that is there ----
configured inside -G Ninja -DINSIDE="$here/../.." -DRESNETCC_EXECUTABLE="$prefix/bin/resnetcc"
programs=two
all_run inside
ls inside/resnetcc/libresnetcc_base.a 2>/dev/null && failed "the compiler was built although one is named"
configured whole -G Ninja -DINSIDE="$here/../.." -DBUILD_TESTING=ON
cmake --build whole --target help >targets
grep -q test_harness targets && failed "the tests are a part of another project"
holds targets resnetcc_base

# ---- a tool chain for another system ----
# stops MESSAGE ARGUMENTS...: the same folder again, which knows the arguments of before
stops() {
  message=$1
  shift
  cmake -B crossed "$@" >"$work.out" 2>&1 && failed "cmake $*: no error"
  tr '\n' ' ' <"$work.out" | tr -s ' ' | grep -qF -- "$message" || failed "cmake $*: no '$message' in $(cat "$work.out")"
}
printf 'set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR x86_64)\nset(CMAKE_C_COMPILER cc)\n' >cross.cmake
cat >host <<END
#!/bin/sh
printf '%s ' "\$@" >>"$work.log"
exec "$prefix/bin/resnetcc" "\$@"
END
chmod +x host
stops "set RESNETCC_EXECUTABLE to a resnetcc that runs on this machine" -G Ninja "-DCMAKE_TOOLCHAIN_FILE=$work/cross.cmake" \
  -DCMAKE_PREFIX_PATH="$prefix"
stops "set RESNETCC_TARGET, which is resnetcc's --target" -DRESNETCC_EXECUTABLE="$work/host"
stops "set RESNETCC_CPU, which is resnetcc's -mcpu" -DRESNETCC_TARGET=x86_64-linux-gnu
configured crossed -DRESNETCC_CPU=x86-64-v2
all_run crossed
holds "$work.log" "--name=na --target=x86_64-linux-gnu -mcpu=x86-64-v2"
holds "$work.log" "--name=nb -mcpu=x86-64 --target=x86_64-linux-gnu"
[ -f crossed/libresnetcc_rt.a ] || failed "a cross build linked the runtime of this machine"
rm "$work.log"

# ---- mistakes ----
echo 'resnetcc_add_model(two MODEL c.onnx)' >>CMakeLists.txt
stops "resnetcc_add_model(two): c.onnx does not exist"
sed -i '$s/.*/resnetcc_add_model(two MODEL tiny.onnx -Os)/' CMakeLists.txt
stops "resnetcc_add_model(two): -Os: resnetcc's options stand behind OPTIONS"
sed -i '$s/.*/resnetcc_add_model(two)/' CMakeLists.txt
stops "resnetcc_add_model(two): no model is named"

# ---- what other options become ----
cat >host <<END
#!/bin/sh
printf '%s ' "\$@" >>"$work.log"
for a; do [ "\$b" = -o ] && { cp "$work/two.o" "\$a"; echo >"\${a%.o}.h"; }; [ "\$b" = -MF ] && echo "$work/none:" >"\$a"; b=\$a; done
END
cp crossed/resnetcc/two/na.o two.o
echo cat >labels.txt
sed -i '/^resnetcc_add_model/d' CMakeLists.txt
cat >>CMakeLists.txt <<'END'
target_link_libraries(two PRIVATE resnetcc::image)
resnetcc_add_model(net MODEL tiny.onnx INPUT a=u8,nhwc b=f32 OUTPUT softmax,top5 LABELS labels.txt DEPENDS own.c)
END
configured crossed
cmake --build crossed --target net resnetcc_image >"$work.out" 2>&1 || failed "net: $(cat "$work.out")"
holds "$work.log" "--target=x86_64-linux-gnu -mcpu=x86-64-v2 --input=a=u8,nhwc --input=b=f32 --output=softmax,top5 --labels $work/labels.txt -MF "
rm "$work.log"
finish
