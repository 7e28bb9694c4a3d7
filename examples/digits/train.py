#!/usr/bin/env python3
"""Trains the model of the quickstart: a small residual network for scikit-learn's handwritten digits.

Needs torch, onnx, numpy and scikit-learn. Takes a minute or two on one core and writes, beside this file,

    digits.onnx            the network, input `image` [1,1,8,8] in 0..1, output `probabilities` [1,10]
    pictures/*.png         a dozen held-out digits, named after what their writers meant

The 1797 digits are split 3 : 1; the network never sees the held-out quarter before the accuracy is printed.
"""
import pathlib
import struct
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 8
EPOCHS = 80
BATCH = 32


def conv_layer(inputs, outputs, stride=1, zero=False):
    """Convolution, batch norm, ReLU. `zero`: the batch norm's gamma starts at 0 ("BatchZero")."""
    norm = nn.BatchNorm2d(outputs)
    nn.init.constant_(norm.bias, 1e-3)  # at 0, a ReLU behind gamma = 0 would pass no gradient, ever
    if zero:
        nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm, nn.ReLU())


class ResBlock(nn.Module):
    """x + convs(x). As its last gamma starts at 0, a fresh block hardly differs from the identity."""

    def __init__(self, channels):
        super().__init__()
        self.convs = nn.Sequential(conv_layer(channels, channels), conv_layer(channels, channels, zero=True))

    def forward(self, x):
        return x + self.convs(x)


class Digits(nn.Module):
    """8x8 pixels of 24 channels, then 4x4 of 40, their mean, ten scores."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            conv_layer(1, 24), ResBlock(24),
            conv_layer(24, 40, stride=2), ResBlock(40), ResBlock(40),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(40, 10))

    def forward(self, x):
        return self.body(x)


def warped(x, generator):
    """The pictures turned, scaled and shifted a little, each in its own way."""
    n = len(x)
    uniform = lambda spread: (torch.rand(n, generator=generator) * 2 - 1) * spread
    angle, scale = uniform(0.12), 1 + uniform(0.06)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(angle) * scale
    matrix[:, 0, 1], matrix[:, 1, 0] = -torch.sin(angle) * scale, torch.sin(angle) * scale
    matrix[:, 0, 2], matrix[:, 1, 2] = uniform(0.12), uniform(0.12)
    return F.grid_sample(x, F.affine_grid(matrix, x.shape, align_corners=False), align_corners=False)


def train(model, x, y):
    generator = torch.Generator().manual_seed(SEED)
    steps = EPOCHS * (len(x) // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.01, total_steps=steps)
    model.train()
    for epoch in range(EPOCHS):
        total = 0.0
        order = torch.randperm(len(x), generator=generator)
        for batch in order[:len(x) // BATCH * BATCH].split(BATCH):
            loss = F.cross_entropy(model(warped(x[batch], generator)), y[batch], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * BATCH
        if epoch % 20 == 19:
            print(f"epoch {epoch + 1:3d}: loss {total / len(x):.4f}", flush=True)
    model.eval()


def export(model, path):
    """As a trained network usually leaves PyTorch: batch norms still of their own, softmax at the end."""
    torch.onnx.export(nn.Sequential(model, nn.Softmax(1)), (torch.zeros(1, 1, 8, 8),), str(path),
                      dynamo=False, opset_version=17, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, input_names=["image"], output_names=["probabilities"])


def write_png(path, pixels):
    """An 8-bit greyscale PNG (PNG specification, sections 5 and 11)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9))
                     + chunk(b"IEND", b""))


def write_pictures(folder, x, y, probabilities):
    """Of the held-out digits named rightly, the first of each kind and the two the model is least sure of."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    right = probabilities.argmax(1) == y
    chosen = {str(digit): int(np.flatnonzero(right & (y == digit))[0]) for digit in range(10)}
    doubt = np.where(right, probabilities.max(1), 1).argsort()
    doubt = [int(i) for i in doubt if i not in chosen.values()][:2]
    chosen.update({f"{y[i]}-hard": i for i in doubt})
    for name, i in chosen.items():
        ink = np.rint(255 - 255 * x[i, 0]).astype(np.uint8)  # dark on light, as on paper
        write_png(folder / f"{name}.png", ink.repeat(8, axis=0).repeat(8, axis=1))


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums in one order: the same weights every time
    torch.use_deterministic_algorithms(True)
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    x_train, x_test, y_train, y_test = train_test_split(
        x, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target)
    model = Digits()
    train(model, torch.from_numpy(x_train), torch.from_numpy(y_train))
    with torch.no_grad():
        probabilities = torch.softmax(model(torch.from_numpy(x_test)), 1).numpy()
    right = int((probabilities.argmax(1) == y_test).sum())
    export(model, HERE / "digits.onnx")
    write_pictures(HERE / "pictures", x_test, y_test, probabilities)
    size = (HERE / "digits.onnx").stat().st_size
    print(f"test accuracy {100 * right / len(y_test):.2f} % ({right} of {len(y_test)} held-out digits), "
          f"digits.onnx {size} bytes")


if __name__ == "__main__":
    main()
