#!/bin/sh
# Builds resnetcc and runs all its tests. The last line is the total, `N passed, N failed`; the exit status is 0 only
# if none failed. usage: sh tests/run.sh [--fuzz MINUTES | --packages]
# With --fuzz, random graphs with new seeds are compiled and run for so long instead: see tests/whole/random_test.c.
# With --packages, those of a release are made and used instead: see tests/packages/release.sh.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh
build=build/release
passed=0
failed=0
minutes=
case ${1-} in
'') ;;
--fuzz) minutes=${2:?--fuzz needs a number of minutes} ;;
--packages) ;;
*) die "usage: sh tests/run.sh [--fuzz MINUTES | --packages]" ;;
esac

# tally OUTPUT: adds the figures of its last line, `N passed, N failed`.
tally() {
  set -- $(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$1")
  if [ $# -eq 2 ]; then
    passed=$((passed + $1)) failed=$((failed + $2))
  else
    echo "no result: the program ended early"
    failed=$((failed + 1))
  fi
}

# cases WHAT [--each-pass] DIR...: test cases in ONNX's form, as compiled by resnetcc.
cases() {
  say "$1"
  shift
  "$build/conformance" "$@" >"$build/cases.log" 2>&1 || :
  cat "$build/cases.log"
  tally "$build/cases.log"
}

if [ "${1-}" = --packages ]; then
  need $build_packages g++ git lintian libjpeg-dev libpng-dev libzstd-dev zlib1g-dev python3 python3-venv
  rm -rf build/packages
  exec sh tests/packages/release.sh build/packages
fi

need $build_packages libcmocka-dev libpng-dev libjpeg-dev libmicrohttpd-dev curl python3 python3-venv python3-numpy \
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user # for the tests of code for 64-bit ARM

say "building (in $build)"
cmake --preset release -DBUILD_TESTING=ON >/dev/null
cmake --build --preset release

if [ -n "$minutes" ]; then
  say "random graphs for $minutes minutes"
  exec "$build/whole_random_test" --minutes "$minutes"
fi

say "unit and command-line tests (ctest)"
ctest --preset release -j "$(nproc)" >"$build/ctest.log" 2>&1 || :
cat "$build/ctest.log"
sed -n 's/.* \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$build/ctest.log" |
  { read -r bad all && echo "$((all - bad)) passed, $bad failed"; } >"$build/tally.log" || :
tally "$build/tally.log"

say "test data of others, into a Python environment (in $build/outside)"
sh tests/onnx/fetch.sh "$build/outside"
data=$build/outside/onnx

cases "whole models: residual designs, exported by torch" tests/models
cases "trained models, against ONNX Runtime" "$build/outside/trained"
cases "ONNX's models: simple and from PyTorch" "$data/simple" "$data/pytorch-converted" "$data/pytorch-operator"
cases "ONNX's topologies" "$build/outside/light"
cases "ONNX's operator tests" "$data/node"
cases "the same and whole models, evaluated after every pass" --each-pass tests/models "$data/simple" \
  "$data/pytorch-converted" "$data/pytorch-operator" "$data/node"

say "all together"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
