#!/usr/bin/env python3
"""Makes test cases of ONNX's light models: topologies whose weights are all one number, with the outputs that belong to
the inputs 0/n, 1/n, 2/n, ... for n elements.

usage: light.py LIGHT FOLDER
LIGHT holds NAME.onnx and NAME_output_0.pb; writes FOLDER/NAME/model.onnx (a link) and FOLDER/NAME/test_data_set_0
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def dummy(info):
    shape = [d.dim_value or 1 for d in info.type.tensor_type.shape.dim]
    n = np.prod(shape)
    return numpy_helper.from_array((np.arange(n).reshape(shape) / n).astype(np.float32), info.name)


def link(place, file):
    place.unlink(missing_ok=True)
    place.symlink_to(file.resolve())


def make_case(file, folder):
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    link(folder / "model.onnx", file)
    link(data / "output_0.pb", file.with_name(f"{file.stem}_output_0.pb"))
    graph = onnx.load(file).graph
    constants = {t.name for t in graph.initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    for i, info in enumerate(inputs):
        (data / f"input_{i}.pb").write_bytes(dummy(info).SerializeToString())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for model in pathlib.Path(sys.argv[1]).glob("*.onnx"):
        make_case(model, pathlib.Path(sys.argv[2]) / model.stem)
