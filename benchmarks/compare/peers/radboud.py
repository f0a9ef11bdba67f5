"""The MNIST attention U-Net in PyTorch: Radboud University's deep learning course, assignment 12.

Attribute names give the state_dict keys that the library's checkpoints use.
"""
import torch
import torch.nn.functional as F
from torch import nn


class SelfAttention(nn.Module):
    """(N, pixels, channels) to the same shape, 4 heads."""

    def __init__(self, channels):
        super().__init__()
        self.mha = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.ln = nn.LayerNorm([channels])
        self.ff_self = nn.Sequential(nn.LayerNorm([channels]), nn.Linear(channels, channels), nn.GELU(),
                                     nn.Linear(channels, channels))

    def forward(self, x):
        normed = self.ln(x)
        x = x + self.mha(normed, normed, normed)[0]
        return x + self.ff_self(x)


class PixelAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.sa = nn.Sequential(SelfAttention(channels))

    def forward(self, x):
        return self.sa(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)


class DoubleConv(nn.Module):
    def __init__(self, channels_in, channels_out, middle=None, residual=False):
        super().__init__()
        middle = middle or channels_out
        self.residual = residual
        self.double_conv = nn.Sequential(
            nn.Conv2d(channels_in, middle, 3, padding=1, bias=False), nn.GroupNorm(1, middle), nn.GELU(),
            nn.Conv2d(middle, channels_out, 3, padding=1, bias=False), nn.GroupNorm(1, channels_out))

    def forward(self, x):
        return F.gelu(x + self.double_conv(x)) if self.residual else self.double_conv(x)


class Down(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels_in, channels_in, residual=True),
                                          DoubleConv(channels_in, channels_out))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = DoubleConv(channels_in, channels_in, residual=True)
        self.conv2 = DoubleConv(channels_in, channels_out, channels_in // 2)

    def forward(self, x, skip):
        return self.conv2(self.conv(torch.cat([skip, self.up(x)], dim=1)))


class LastConv(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x):
        return self.conv(x)


def with_step(x, timesteps):
    """Adds an embedding of the timestep, as wide as x, to every pixel."""
    channels = x.shape[1]
    rates = 10000.0 ** (-torch.arange(0, channels, 2, dtype=torch.float32) / channels)
    angles = timesteps.float()[:, None] * rates
    return x + torch.cat([angles.sin(), angles.cos()], dim=1)[:, :, None, None].to(x.dtype)


class AttentionUNet(nn.Module):
    def __init__(self, width=16, channels=1):
        super().__init__()
        self.inc = DoubleConv(channels, width)
        self.down1, self.down2, self.down3 = Down(width, 2 * width), Down(2 * width, 4 * width), Down(4 * width, 4 * width)
        self.up1, self.up2, self.up3 = Up(8 * width, 2 * width), Up(4 * width, width), Up(2 * width, width)
        self.outc = LastConv(width, channels)
        self.sa1, self.sa2, self.sa3 = PixelAttention(4 * width), PixelAttention(4 * width), PixelAttention(2 * width)

    def forward(self, x, timesteps):
        x1 = self.inc(x)
        x2 = with_step(self.down1(x1), timesteps)
        x3 = self.sa1(with_step(self.down2(x2), timesteps))
        x4 = self.sa2(with_step(self.down3(x3), timesteps))
        y = self.sa3(with_step(self.up1(x4, x3), timesteps))
        y = with_step(self.up2(y, x2), timesteps)
        return self.outc(with_step(self.up3(y, x1), timesteps))
