#!/usr/bin/env python3
"""Makes the whole-model tests of this folder: small networks of every residual design that resnetcc is meant for,
with seeded weights, exported by torch in many versions of the operator set. Beside each model.onnx it writes
test_data_set_k/{input,output}_i.pb, the outputs computed in double precision.

Needs torch, onnx and numpy. The results are in the repository; this script says how they came to be.
usage: make.py [NAME...]
"""
import math
import pathlib
import sys
import warnings

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent


def conv(inputs, outputs, size=3, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=bias)


def norm(channels):
    return nn.BatchNorm2d(channels)


class Basic(nn.Module):
    """relu(bn(conv(relu(bn(conv(x))))) + x): He et al. 2015, torchvision's BasicBlock."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), norm(outputs), nn.ReLU(),
                                  conv(outputs, outputs), norm(outputs))
        self.skip = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, with the stride and the groups (ResNeXt) in the 3x3."""

    def __init__(self, inputs, middle, outputs, stride=1, groups=1):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, middle, 1), norm(middle), nn.ReLU(),
                                  conv(middle, middle, 3, stride, groups), norm(middle), nn.ReLU(),
                                  conv(middle, outputs, 1), norm(outputs))
        self.skip = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


class ResBlock(nn.Module):
    """x + relu(bn(conv(relu(bn(conv(x)))))). `zero`: the last gamma is 0, so that the block is its identity."""

    def __init__(self, channels, zero=False):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), norm(channels), nn.ReLU(),
                                  conv(channels, channels), norm(channels), nn.ReLU())
        self.zero = zero

    def forward(self, x):
        return x + self.body(x)


class PreActivation(nn.Module):
    """bn, relu, conv, twice, plus x (ResNet v2): a batch norm that no convolution precedes."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.first = nn.Sequential(norm(inputs), nn.ReLU())
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), norm(outputs), nn.ReLU(), conv(outputs, outputs))
        self.skip = conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else None

    def forward(self, x):
        y = self.first(x)
        return self.body(y) + (self.skip(y) if self.skip else x)


class Gated(nn.Module):
    """Squeeze and excitation before the addition."""

    def __init__(self, channels, gate):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), norm(channels), nn.SiLU(), conv(channels, channels),
                                  norm(channels))
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(channels, channels // 4, 1, bias=True), nn.ReLU(),
                                     conv(channels // 4, channels, 1, bias=True), gate)

    def forward(self, x):
        y = self.body(x)
        return F.relu(y * self.squeeze(y) + x)


class PaddedShortcut(nn.Module):
    """The CIFAR ResNet's option A: every other pixel, and channels of zeros."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, 2), norm(outputs), nn.ReLU(), conv(outputs, outputs),
                                  norm(outputs))
        self.pad = (outputs - inputs) // 2

    def forward(self, x):
        return F.relu(self.body(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad)))


class Inverted(nn.Module):
    """MobileNetV2's inverted residual: wide depthwise 3x3, narrow linear ends."""

    def __init__(self, channels, wide):
        super().__init__()
        self.body = nn.Sequential(conv(channels, wide, 1), norm(wide), nn.ReLU6(), conv(wide, wide, 3, 1, wide),
                                  norm(wide), nn.ReLU6(), conv(wide, channels, 1), norm(channels))

    def forward(self, x):
        return x + self.body(x)


class ChannelsLast(nn.Module):
    """A network whose input is [N,H,W,C], as TensorFlow's are."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x.permute(0, 3, 1, 2))


class Flat(nn.Module):
    """Flattens by reshape(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, Reshape in the exported graph."""

    def forward(self, x):
        return x.reshape(x.size(0), -1)


class TwoHeads(nn.Module):
    """A policy and a value from one tower, as chess and Go networks have."""

    def __init__(self, body, channels, pixels):
        super().__init__()
        self.body = body
        self.policy = nn.Sequential(conv(channels, 4, 1, bias=True), nn.ReLU(), nn.Flatten(), nn.Linear(4 * pixels, 33),
                                    nn.LogSoftmax(1))
        self.value = nn.Sequential(conv(channels, 2, 1), norm(2), nn.ReLU(), nn.Flatten(), nn.Linear(2 * pixels, 16),
                                   nn.Tanh(), nn.Linear(16, 1), nn.Tanh())

    def forward(self, x):
        y = self.body(x)
        return self.policy(y), self.value(y)


def head(channels, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def stem(outputs):
    return [conv(3, outputs, 7, 2), norm(outputs), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]


def depthwise_stem(outputs):
    return [conv(3, outputs, 3, 2), norm(outputs), nn.ReLU6()]


def seq(*layers):
    return nn.Sequential(*layers)


# name: (network, shape of the input, operator set, batch is symbolic). Odd widths on purpose: most are no multiple
# of any vector length.
MODELS = {
    "basic": lambda: (seq(*stem(10), Basic(10, 10), Basic(10, 19, 2), *head(19, 10)), (1, 3, 41, 37), 13, False),
    "bottleneck": lambda: (seq(*stem(16), Bottleneck(16, 8, 32), Bottleneck(32, 8, 32), Bottleneck(32, 12, 40, 2),
                               *head(40, 7)), (2, 3, 48, 48), 11, False),
    "resnext": lambda: (seq(*stem(16), Bottleneck(16, 24, 32, 1, 4), Bottleneck(32, 24, 32, 2, 6), *head(32, 5)),
                        (1, 3, 40, 40), 17, True),
    "resblock": lambda: (seq(conv(3, 18), norm(18), nn.ReLU(), ResBlock(18), ResBlock(18), *head(18, 10)),
                         (1, 3, 15, 17), 13, False),
    "batchzero": lambda: (seq(conv(3, 18), norm(18), nn.ReLU(), ResBlock(18, zero=True), ResBlock(18),
                              ResBlock(18, zero=True), *head(18, 10)), (1, 3, 16, 16), 9, True),
    "preactivation": lambda: (seq(conv(3, 12), PreActivation(12, 12), PreActivation(12, 20, 2), norm(20), nn.ReLU(),
                                  *head(20, 10), nn.Softmax(1)), (1, 3, 20, 20), 12, True),
    "squeeze_excite": lambda: (seq(conv(3, 16), norm(16), nn.ReLU(), Gated(16, nn.Sigmoid()), Gated(16, nn.Hardsigmoid()),
                                   *head(16, 10)), (1, 3, 14, 14), 14, False),
    "padded_shortcut": lambda: (seq(conv(3, 8), norm(8), nn.ReLU(), PaddedShortcut(8, 16), PaddedShortcut(16, 32),
                                    nn.AvgPool2d(4), Flat(), nn.Linear(32, 10)), (1, 3, 16, 16), 10, True),
    "inverted": lambda: (seq(*depthwise_stem(9), Inverted(9, 27), Inverted(9, 21), nn.Hardswish(), *head(9, 6)),
                         (1, 3, 25, 23), 14, False),
    "channels_last": lambda: (ChannelsLast(seq(*stem(12), Basic(12, 12), Flat(), nn.Linear(12 * 36, 3), nn.Softmax(-1))),
                              (1, 24, 24, 3), 12, True),
    "two_heads": lambda: (TwoHeads(seq(conv(6, 17), norm(17), nn.LeakyReLU(0.1), Basic(17, 17), Basic(17, 17)), 17, 64),
                          (1, 6, 8, 8), 15, True),
    "prelu_1d": lambda: (seq(nn.Conv1d(2, 12, 9, 2, 4), nn.BatchNorm1d(12), nn.PReLU(12), nn.Conv1d(12, 12, 5, 1, 4, 2),
                             nn.Tanh(), nn.AdaptiveAvgPool1d(1), Flat(), nn.Linear(12, 4)), (1, 2, 101), 13, False),
}


def randomise(model):
    """Weights that keep activations near 1 and batch norms that are no identities."""
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, std=math.sqrt(2 / module.weight[0].numel()))
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.weight, 0.4, 1.2)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, -0.2, 0.5)
    for module in model.modules():
        if isinstance(module, ResBlock) and module.zero:
            nn.init.zeros_(module.body[4].weight)
            nn.init.zeros_(module.body[4].bias)


def save_tensor(path, name, tensor):
    path.write_bytes(numpy_helper.from_array(tensor.numpy(), name).SerializeToString())


def save_set(folder, model, x, names):
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        y = model.double()(x.double())
    model.float()
    save_tensor(folder / "input_0.pb", "input", x)
    for i, output in enumerate(y if isinstance(y, tuple) else (y,)):
        assert torch.isfinite(output).all()
        save_tensor(folder / f"output_{i}.pb", names[i], output.float())


def make(name):
    torch.manual_seed(sum(map(ord, name)))
    model, shape, opset, symbolic = MODELS[name]()
    randomise(model)
    model.eval()
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    x = torch.randn(shape)
    with torch.no_grad():
        names = ["policy", "value"] if isinstance(model(x), tuple) else ["output"]
    torch.onnx.export(model, (x,), str(folder / "model.onnx"), dynamo=False, opset_version=opset,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      input_names=["input"], output_names=names,
                      dynamic_axes={t: {0: "N"} for t in ["input", *names]} if symbolic else None)
    for k, batch in enumerate((1, 3) if symbolic else shape[:1]):
        save_set(folder / f"test_data_set_{k}", model, torch.randn(batch, *shape[1:]), names)
    graph = onnx.load(folder / "model.onnx").graph
    size = (folder / "model.onnx").stat().st_size
    print(f"{name}: {size} bytes, {', '.join(sorted({node.op_type for node in graph.node}))}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for model_name in sys.argv[1:] or MODELS:
        make(model_name)
