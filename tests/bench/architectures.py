"""Makes the networks of networks.py: those that torchvision lacks are here, under their names, at the end."""
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet, conv1x1, conv3x3


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


class SqueezeExciteBottleneck(torchvision.models.resnet.Bottleneck):
    """Hu et al. 2018: the block's result is scaled by channel before the shortcut is added."""

    def __init__(self, inputs, channels, *arguments, **others):
        super().__init__(inputs, channels, *arguments, **others)
        wide = channels * self.expansion
        self.gate = torchvision.ops.SqueezeExcitation(wide, wide // 16)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.gate(self.bn3(self.conv3(y)))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def conv_norm(inputs, outputs):
    return nn.Sequential(conv3x3(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """Ronneberger et al. 2015, with ResNet-34 for the way down and nearest neighbours for the way up."""

    def __init__(self):
        super().__init__()
        net = torchvision.models.resnet34()
        self.down = nn.ModuleList([nn.Sequential(net.conv1, net.bn1, net.relu), nn.Sequential(net.maxpool, net.layer1),
                                   net.layer2, net.layer3, net.layer4])
        sizes = [(512, 256, 256), (256, 128, 128), (128, 64, 64), (64, 64, 32), (32, 0, 16)]
        self.up = nn.ModuleList(nn.Sequential(conv_norm(x + skip, y), conv_norm(y, y)) for x, skip, y in sizes)
        self.head = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        skips = []
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        for stage, skip in zip(self.up, [*skips[-2::-1], None]):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = stage(x if skip is None else torch.cat([x, skip], 1))
        return self.head(x)


class SRBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv3x3(channels, channels), nn.BatchNorm2d(channels), nn.PReLU(),
                                  conv3x3(channels, channels), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.body(x)


class SRResNet(nn.Module):
    """Ledig et al. 2017, section 2.1: sixteen blocks, then four times the size by pixel shuffles."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, 64, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*[SRBlock(64) for _ in range(16)], conv3x3(64, 64), nn.BatchNorm2d(64))
        grow = [layer for _ in range(2)
                for layer in (nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())]
        self.tail = nn.Sequential(*grow, nn.Conv2d(64, 3, 9, padding=4))

    def forward(self, x):
        x = self.head(x)
        return self.tail(x + self.body(x))


def conv_act(inputs, outputs, kernel=1, stride=1, groups=1, act=True, padding=None):
    """A convolution with batch normalisation, and where `act` the activation and the learnt scale and shift of HGNetV2."""
    padding = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([nn.ReLU(), Affine()] if act else []))


class Affine(nn.Module):
    """One scale and one shift for all channels."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(1).uniform_(0.8, 1.2))
        self.shift = nn.Parameter(torch.empty(1).uniform_(-0.1, 0.1))

    def forward(self, x):
        return self.scale * x + self.shift


class HGStem(nn.Module):
    """A quarter of the size: two branches between two convolutions of stride 2."""

    def __init__(self, channels):
        super().__init__()
        self.down = conv_act(3, channels, 3, 2)
        self.left = conv_act(channels, channels // 2, 2, padding=0)
        self.right = conv_act(channels // 2, channels, 2, padding=0)
        self.end = nn.Sequential(conv_act(2 * channels, channels, 3, 2), conv_act(channels, channels))

    def forward(self, x):
        x = F.pad(self.down(x), (0, 1, 0, 1))
        y = self.right(F.pad(self.left(x), (0, 1, 0, 1)))
        return self.end(torch.cat([F.max_pool2d(x, 2, 1), y], 1))


class HGBlock(nn.Module):
    """Three layers, each reads the one before; all are joined, and mixed by two convolutions 1x1."""

    def __init__(self, inputs, middle, outputs, kernel, light):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(3):
            x = middle if i else inputs
            parts = ([conv_act(x, middle, act=False), conv_act(middle, middle, kernel, groups=middle)] if light
                     else [conv_act(x, middle, kernel)])
            self.layers.append(nn.Sequential(*parts))
        self.mix = nn.Sequential(conv_act(inputs + 3 * middle, outputs // 2), conv_act(outputs // 2, outputs))
        self.residual = inputs == outputs

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(layer(found[-1]))
        y = self.mix(torch.cat(found, 1))
        return x + y if self.residual else y


def hgnetv2_b0():
    """PP-HGNetV2 of PaddleClas, its smallest."""
    down = [conv_act(c, c, 3, 2, groups=c, act=False) for c in (64, 256, 512)]
    return nn.Sequential(
        HGStem(16), HGBlock(16, 16, 64, 3, False), down[0], HGBlock(64, 32, 256, 3, False), down[1],
        HGBlock(256, 64, 512, 5, True), HGBlock(512, 64, 512, 5, True), down[2], HGBlock(512, 128, 1024, 5, True),
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(1024, 2048, 1, bias=False), nn.ReLU(), Affine(), nn.Flatten(),
        nn.Linear(2048, 1000))


class MainOutput(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["out"]


def group_norm(channels):
    return nn.GroupNorm(32, channels)


# ---- the networks, by name ----

def resnet20():
    return cifar(3, PaddedShortcut)


def resnet8():
    return cifar(1, projection, nn.Softmax(1))  # as in MLPerf Tiny


def se_resnet50():
    return ResNet(SqueezeExciteBottleneck, [3, 4, 6, 3])


def resnet50_gn():
    return torchvision.models.resnet50(norm_layer=group_norm)


def deeplabv3_resnet50():
    return MainOutput(torchvision.models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None))


unet_resnet34, srresnet, r3d_18 = UNet, SRResNet, torchvision.models.video.r3d_18


def make(name):
    return (globals().get(name) or getattr(torchvision.models, name))()
