#!/usr/bin/env python3
"""Makes a network of the bench: the designs of torchvision, and the two small ones for CIFAR-10, with seeded weights
and statistics of batch normalisation that fit the network.

usage: models.py NAME FOLDER
writes FOLDER/model.onnx (symbolic batch), torch.pt (for torch.jit.load), and of 8 images inputs.npz and outputs.npz,
the latter computed in double precision
"""
import functools
import pathlib
import sys
import warnings
import zlib

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1, conv3x3

IMAGES = 8


class PaddedShortcut(nn.Module):
    """Every second pixel, and zeros for the new channels: option A of He et al. 2015, section 3.3. A pool of one pixel,
    because ncnn knows no slices with steps."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.extra = outputs - inputs

    def forward(self, x):
        return F.pad(F.max_pool2d(x, 1, 2), (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2))


def projection(inputs, outputs):
    return conv1x1(inputs, outputs, 2)


def cifar(blocks, shortcut, *end):
    """Three stages of 16, 32 and 64 channels (He et al. 2015, section 4.2)."""
    layers, channels = [conv3x3(3, 16), nn.BatchNorm2d(16), nn.ReLU()], 16
    for wanted in (16, 32, 64):
        for _ in range(blocks):
            grows = wanted > channels
            layers.append(BasicBlock(channels, wanted, 2 if grows else 1,
                                     shortcut(channels, wanted) if grows else None))
            channels = wanted
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10), *end)


# name: the function that makes it, the side of its images
NETWORKS = {name: (getattr(torchvision.models, name), 224)
            for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2")}
NETWORKS["resnet20"] = functools.partial(cifar, 3, PaddedShortcut), 32
NETWORKS["resnet8"] = functools.partial(cifar, 1, projection, nn.Softmax(1)), 32  # as in MLPerf Tiny


def fit_norm(last, norm, arguments):
    """Random scale and shift, and the statistics of what arrives, somewhat off, as those of training are. Those that
    are the last of a residual block scale less, as training makes them: else the network would amplify rounding."""
    x, = arguments
    deviation = x.std((0, 2, 3))
    nn.init.uniform_(norm.weight, *((0.1, 0.5) if norm in last else (0.3, 1.1)))
    nn.init.normal_(norm.bias, 0, 0.2)
    norm.running_mean.copy_(x.mean((0, 2, 3)) + 0.1 * deviation * torch.randn_like(deviation))
    norm.running_var.copy_(deviation ** 2 * torch.empty_like(deviation).uniform_(0.8, 1.3))


def network(name):
    """The network, and images for it."""
    torch.manual_seed(zlib.crc32(name.encode()))
    make, side = NETWORKS[name]
    net, images = make().eval(), torch.randn(IMAGES, 3, side, side)
    last = {getattr(m, "bn3", m.bn2) for m in net.modules() if isinstance(m, (BasicBlock, Bottleneck))}
    fit = functools.partial(fit_norm, last)
    hooks = [m.register_forward_pre_hook(fit) for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    net(images[:2] if side > 32 else images)
    for hook in hooks:
        hook.remove()
    return net, images


def main(name, folder):
    warnings.simplefilter("ignore")  # tracing is on its way out; here it is what is wanted
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        net, images = network(name)
        torch.onnx.export(net, (images[:1],), str(folder / "model.onnx"), opset_version=17, dynamo=False,
                          input_names=["image"], output_names=["scores"],
                          dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}})
        torch.jit.trace(net, images[:1]).save(str(folder / "torch.pt"))
        single, double = net(images).numpy(), net.double()(images.double()).numpy()
    error = np.abs(single - double).max() / np.abs(double).max()
    if not error < 1e-5:
        sys.exit(f"models: {name} amplifies rounding: single precision is {error:.1e} off")
    np.savez(folder / "inputs.npz", image=images.numpy())
    np.savez(folder / "outputs.npz", scores=double)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in NETWORKS:
        sys.exit(f"{__doc__}NAME: {', '.join(NETWORKS)}")
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
