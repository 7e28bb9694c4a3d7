#!/usr/bin/env python3
"""Makes test cases of models that came without: seeded inputs, and what ONNX Runtime computes of them.

usage: golden.py MODEL.onnx FOLDER [SCALE]
writes FOLDER/model.onnx (a link) and FOLDER/test_data_set_k, for batch 1 and, where the batch is symbolic, batch 3;
inputs are between -SCALE and SCALE (1)
"""
import pathlib
import sys

import numpy as np
import onnxruntime
from onnx import numpy_helper


def picture(rng, shape):
    """Smooth random blobs with some noise, between -1 and 1: nearer to a photograph than noise alone."""
    axes = [np.linspace(0, 3, n) for n in shape]
    waves = sum(np.sin(rng.uniform(0.5, 3) * grid + rng.uniform(0, 6)) for grid in np.meshgrid(*axes, indexing="ij"))
    return (waves / len(shape) * 0.8 + rng.uniform(-0.2, 0.2, shape)).astype(np.float32)


def main(model, folder, scale=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "model.onnx"
    link.unlink(missing_ok=True)
    link.symlink_to(model.resolve())
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    symbolic = any(not isinstance(d, int) for i in inputs for d in i.shape)
    rng = np.random.default_rng(1)
    for k, batch in enumerate((1, 3) if symbolic else (1,)):
        feed = {i.name: picture(rng, [d if isinstance(d, int) else batch for d in i.shape]) * np.float32(scale)
                for i in inputs}
        results = session.run(None, feed)
        tensors = [("input", j, *pair) for j, pair in enumerate(feed.items())]
        tensors += [("output", j, o.name, y) for j, (o, y) in enumerate(zip(session.get_outputs(), results))]
        data = folder / f"test_data_set_{k}"
        data.mkdir(exist_ok=True)
        for kind, j, name, array in tensors:
            (data / f"{kind}_{j}.pb").write_bytes(numpy_helper.from_array(array, name).SerializeToString())


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *map(float, sys.argv[3:]))
