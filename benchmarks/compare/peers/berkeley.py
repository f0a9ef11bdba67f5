"""The class-conditioned MNIST U-Net in PyTorch: Berkeley CS180, project 5B, part 2.

Attribute names give the state_dict keys that the library's checkpoints use.
"""
import torch
import torch.nn.functional as F
from torch import nn


class ConvNormAct(nn.Module):
    def __init__(self, conv, channels):
        super().__init__()
        self.conv, self.bn = conv, nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.gelu(self.bn(self.conv(x)))


class ConvBlock(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv1 = ConvNormAct(nn.Conv2d(channels_in, channels_out, 3, padding=1), channels_out)
        self.conv2 = ConvNormAct(nn.Conv2d(channels_out, channels_out, 3, padding=1), channels_out)

    def forward(self, x):
        return self.conv2(self.conv1(x))


class ScaleBlock(nn.Module):
    """A convolution that halves or doubles the image, then a ConvBlock."""

    def __init__(self, conv, channels):
        super().__init__()
        self.scale, self.block = ConvNormAct(conv, channels), ConvBlock(channels, channels)

    def forward(self, x):
        return self.block(self.scale(x))


def down(channels_in, channels_out):
    return ScaleBlock(nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1), channels_out)


def up(channels_in, channels_out):
    return ScaleBlock(nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1), channels_out)


class FullyConnected(nn.Module):
    """(N, features) -> (N, channels, 1, 1)"""

    def __init__(self, features, channels):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, channels), nn.GELU(), nn.Linear(channels, channels))

    def forward(self, x):
        return self.net(x)[:, :, None, None]


class ClassUNet(nn.Module):
    """Takes t in [0, 1] and one-hot classes, zeros for none."""

    def __init__(self, width=128, channels=1, classes=10):
        super().__init__()
        self.conv_in = ConvBlock(channels, width)
        self.down1, self.down2 = down(width, width), down(width, 2 * width)
        self.unflatten = ConvNormAct(nn.ConvTranspose2d(2 * width, 2 * width, 7, stride=7), 2 * width)
        self.up1, self.up2 = up(4 * width, width), up(2 * width, width)
        self.conv_out = ConvBlock(2 * width, width)
        self.out = nn.Conv2d(width, channels, 3, padding=1)
        self.fc1_t, self.fc2_t = FullyConnected(1, 2 * width), FullyConnected(1, width)
        self.fc1_c, self.fc2_c = FullyConnected(classes, 2 * width), FullyConnected(classes, width)

    def forward(self, x, t, classes):
        t = t[:, None]
        a = self.conv_in(x)
        b = self.down1(a)
        c = self.down2(b)
        h = self.unflatten(F.gelu(F.avg_pool2d(c, 7)))
        h = self.fc1_c(classes) * h + self.fc1_t(t)
        h = self.up1(torch.cat([h, c], dim=1))
        h = self.fc2_c(classes) * h + self.fc2_t(t)
        h = self.up2(torch.cat([h, b], dim=1))
        return self.out(self.conv_out(torch.cat([h, a], dim=1)))


class LabelledSteps(nn.Module):
    """The network as the timing loop calls it: with steps 0 to T - 1, and a class for every sample."""

    def __init__(self, steps=300, classes=10):
        super().__init__()
        self.network, self.steps, self.classes = ClassUNet(classes=classes), steps, classes

    def forward(self, x, timesteps):
        labels = torch.arange(len(x)) % self.classes
        return self.network(x, (timesteps + 1) / self.steps, F.one_hot(labels, self.classes).to(x.dtype))
