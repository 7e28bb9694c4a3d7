#!/usr/bin/env python3
"""Quantises a network of the bench to 8 bits: u8 activations, s8 weights by channel, as QDQ.

usage: quantized.py FOLDER FLOATS
of FLOATS/model.onnx and the images in FLOATS/inputs.npz writes FOLDER/model.onnx, inputs.npz and outputs.npz, the latter as
ONNX Runtime computes them
"""
import pathlib
import sys

import numpy as np
import onnxruntime
from onnxruntime import quantization


class Images(quantization.CalibrationDataReader):
    def __init__(self, images):
        self.images = iter([{"image": image[None]} for image in images])

    def get_next(self):
        return next(self.images, None)


def main(folder, floats):
    folder.mkdir(parents=True, exist_ok=True)
    images = np.load(floats / "inputs.npz")["image"]
    prepared = folder / "prepared.onnx"
    quantization.quant_pre_process(str(floats / "model.onnx"), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(str(prepared), str(folder / "model.onnx"), Images(images), per_channel=True,
                                 quant_format=quantization.QuantFormat.QDQ,
                                 activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8)
    prepared.unlink()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    np.savez(folder / "inputs.npz", image=images)
    np.savez(folder / "outputs.npz", scores=session.run(None, {"image": images})[0])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
