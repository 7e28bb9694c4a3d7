#!/usr/bin/env python3
"""Makes a network of the bench, one of networks.py, with seeded weights and statistics of batch normalisation that fit
the network.

usage: models.py NAME FOLDER
NAME is a network's, as the exporter of TorchScript writes it; or, with -dynamo behind it, as that of torch.export does
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
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.convnext import CNBlock
from torchvision.models.resnet import BasicBlock, Bottleneck

import architectures
from networks import DYNAMO, EXPORTED, NETWORKS

IMAGES = 8


def fit_norm(last, norm, arguments):
    """Random scale and shift, and the statistics of what arrives, somewhat off, as those of training are. Those that
    are the last of a residual block scale less, as training makes them: else the network would amplify rounding."""
    x, = arguments
    others = [k for k in range(x.dim()) if k != 1]
    deviation = x.std(others)
    nn.init.uniform_(norm.weight, *((0.1, 0.5) if norm in last else (0.3, 1.1)))
    nn.init.normal_(norm.bias, 0, 0.2)
    norm.running_mean.copy_(x.mean(others) + 0.1 * deviation * torch.randn_like(deviation))
    norm.running_var.copy_(deviation ** 2 * torch.empty_like(deviation).uniform_(0.8, 1.3))


def network(name):
    """The network, and images for it."""
    torch.manual_seed(zlib.crc32(name.encode()))
    shape = NETWORKS[name]
    net, images = architectures.make(name).eval(), torch.randn(IMAGES, *shape)
    last = {getattr(m, "bn3", m.bn2) for m in net.modules() if isinstance(m, (BasicBlock, Bottleneck))}
    fit = functools.partial(fit_norm, last)
    hooks = [m.register_forward_pre_hook(fit) for m in net.modules() if isinstance(m, _BatchNorm)]
    for block in net.modules():
        if isinstance(block, CNBlock):  # a new one adds next to nothing to its shortcut
            nn.init.uniform_(block.layer_scale, 0.1, 0.5)
    net(images[:2] if shape[-1] > 32 else images)
    for hook in hooks:
        hook.remove()
    return net, images


def export(net, images, file, dynamo):
    options = {"input_names": ["image"], "output_names": ["scores"]}
    if dynamo:  # two images: of one it would take the batch for fixed
        torch.onnx.export(net, (images[:2],), file, dynamo=True, external_data=False, verbose=False,
                          dynamic_shapes=({0: torch.export.Dim("batch")},), **options)
    else:
        torch.onnx.export(net, (images[:1],), file, opset_version=17, dynamo=False,
                          dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}}, **options)


def main(name, folder):
    warnings.simplefilter("ignore")  # tracing is on its way out; here it is what is wanted
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        net, images = network(name.removesuffix(DYNAMO))
        export(net, images, str(folder / "model.onnx"), name.endswith(DYNAMO))
        torch.jit.trace(net, images[:1]).save(str(folder / "torch.pt"))
        single, double = net(images).numpy(), net.double()(images.double()).numpy()
    error = np.abs(single - double).max() / np.abs(double).max()
    if not error < 3e-5:
        sys.exit(f"models: {name} amplifies rounding: single precision is {error:.1e} off")
    np.savez(folder / "inputs.npz", image=images.numpy())
    np.savez(folder / "outputs.npz", scores=double)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in [*NETWORKS, *EXPORTED]:
        sys.exit(f"{__doc__}networks: {', '.join(NETWORKS)}")
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
