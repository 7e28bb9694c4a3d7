#!/bin/sh
# Builds resnetcc, installs the runtimes to compare with into ~/.cache/resnetcc-bench/venv, and measures everything:
# results/CLASS.csv, .md and .svg are the outcome, CLASS being the machine's. Takes half an hour, which the machine
# should have for this alone. Arguments go to bench.py: fewer models, --threads, --batch, --rounds; --help lists them.
# usage: sh tests/bench/run.sh [ARGUMENT...]
set -eu
cd "$(dirname "$0")/../.."
. examples/packages.sh
venv=${XDG_CACHE_HOME:-$HOME/.cache}/resnetcc-bench/venv
pip="$venv/bin/pip install -q --disable-pip-version-check"

need $build_packages python3 python3-venv

say "building (in build/release)"
cmake --preset release >/dev/null
cmake --build --preset release

if [ ! -e "$venv/done" ]; then
  say "installing the runtimes (in $venv)"
  python3 -m venv "$venv"
  # The builds of torch without GPU code are smaller by gigabytes, but come from an index of their own.
  $pip --retries 0 --index-url https://download.pytorch.org/whl/cpu torch torchvision ||
    $pip torch torchvision
  $pip onnx onnxscript onnxruntime openvino ncnn pnnx
  touch "$venv/done"
fi

say "measuring"
exec "$venv/bin/python" tests/bench/bench.py --record "$@"
