"""The Fashion-MNIST U-Net in PyTorch: KAIST AI504, practice 13 (the "annotated diffusion" U-Net).

`block` chooses ConvNeXt or ResNet blocks. The course's ResNet form asks for 8 normalisation groups, which do not
divide 28 channels; 4 groups do. Attribute names give the state_dict keys that the library's checkpoints use.
"""
import math

import torch
from torch import nn


class SinusoidalEmbedding(nn.Module):
    """(N) timesteps -> (N, width): sines, then cosines, rates 1 ... 1/10000 inclusive."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, timesteps):
        half = self.width // 2
        rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / (half - 1)))
        angles = timesteps.float()[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def shortcut(channels_in, channels_out):
    return nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, time shift, then norm - 3x3 - GELU - norm - 3x3 with doubled width between, and a shortcut."""

    def __init__(self, channels_in, channels_out, time_width=None):
        super().__init__()
        wide = 2 * channels_out
        self.mlp = nn.Sequential(nn.GELU(), nn.Linear(time_width, channels_in)) if time_width else None
        self.ds_conv = nn.Conv2d(channels_in, channels_in, 7, padding=3, groups=channels_in)
        self.net = nn.Sequential(
            nn.GroupNorm(1, channels_in), nn.Conv2d(channels_in, wide, 3, padding=1), nn.GELU(),
            nn.GroupNorm(1, wide), nn.Conv2d(wide, channels_out, 3, padding=1))
        self.res_conv = shortcut(channels_in, channels_out)

    def forward(self, x, time=None):
        h = self.ds_conv(x)
        if self.mlp is not None:
            h = h + self.mlp(time)[:, :, None, None]
        return self.net(h) + self.res_conv(x)


class ConvNormAct(nn.Module):
    def __init__(self, channels_in, channels_out, groups):
        super().__init__()
        self.proj = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.GroupNorm(groups, channels_out)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.norm(self.proj(x)))


class ResnetBlock(nn.Module):
    """Two 3x3 - norm - SiLU, with the time shift between them, and a shortcut."""

    def __init__(self, channels_in, channels_out, time_width=None, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_width, channels_out)) if time_width else None
        self.block1 = ConvNormAct(channels_in, channels_out, groups)
        self.block2 = ConvNormAct(channels_out, channels_out, groups)
        self.res_conv = shortcut(channels_in, channels_out)

    def forward(self, x, time=None):
        h = self.block1(x)
        if self.mlp is not None:
            h = h + self.mlp(time)[:, :, None, None]
        return self.block2(h) + self.res_conv(x)


class FullAttention(nn.Module):
    """Softmax attention over the pixels, written out as in the course. 4 heads of 32 channels."""

    heads, head_width = 4, 32

    def __init__(self, channels):
        super().__init__()
        hidden = self.heads * self.head_width
        self.to_qkv = nn.Conv2d(channels, 3 * hidden, 1, bias=False)
        self.to_out = nn.Conv2d(hidden, channels, 1)

    def split(self, x):
        """(N, C, H, W) -> q, k, v, each (N, heads, head_width, H*W)"""
        n, _, h, w = x.shape
        return self.to_qkv(x).reshape(n, 3, self.heads, self.head_width, h * w).unbind(1)

    def forward(self, x):
        n, _, h, w = x.shape
        q, k, v = self.split(x)
        scores = torch.einsum("bhdi,bhdj->bhij", q * self.head_width**-0.5, k)
        scores = scores - scores.amax(dim=-1, keepdim=True).detach()
        mixed = torch.einsum("bhij,bhdj->bhdi", scores.softmax(dim=-1), v)
        return self.to_out(mixed.reshape(n, -1, h, w))


class LinearAttention(FullAttention):
    """Attention of linear cost: softmax of q over the channels, of k over the pixels; normalised output."""

    def __init__(self, channels):
        super().__init__(channels)
        self.to_out = nn.Sequential(self.to_out, nn.GroupNorm(1, channels))

    def forward(self, x):
        n, _, h, w = x.shape
        q, k, v = self.split(x)
        q = q.softmax(dim=-2) * self.head_width**-0.5
        context = torch.einsum("bhdn,bhen->bhde", k.softmax(dim=-1), v)
        return self.to_out(torch.einsum("bhde,bhdn->bhen", context, q).reshape(n, -1, h, w))


class PreNorm(nn.Module):
    def __init__(self, channels, fn):
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.fn = fn

    def forward(self, x):
        return self.fn(self.norm(x))


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return x + self.fn(x)


class UNet(nn.Module):
    """Noise predictor for (N, channels, H, W); H and W divisible by 4."""

    def __init__(self, block, dim=28, dim_mults=(1, 2, 4), channels=1):
        super().__init__()
        make = {"convnext": ConvNextBlock, "resnet": ResnetBlock}[block]
        widths = [dim // 3 * 2, *(dim * m for m in dim_mults)]
        time_width = 4 * dim
        self.init_conv = nn.Conv2d(channels, widths[0], 7, padding=3)
        self.time_mlp = nn.Sequential(
            SinusoidalEmbedding(dim), nn.Linear(dim, time_width), nn.GELU(), nn.Linear(time_width, time_width))

        def stage(channels_in, channels_out, resample):
            return nn.ModuleList([
                make(channels_in, channels_out, time_width), make(channels_out, channels_out, time_width),
                Residual(PreNorm(channels_out, LinearAttention(channels_out))), resample])

        self.downs = nn.ModuleList(
            stage(a, b, nn.Conv2d(b, b, 4, 2, 1) if b != widths[-1] else nn.Identity())
            for a, b in zip(widths[:-1], widths[1:]))
        middle = widths[-1]
        self.mid_block1 = make(middle, middle, time_width)
        self.mid_attn = Residual(PreNorm(middle, FullAttention(middle)))
        self.mid_block2 = make(middle, middle, time_width)
        self.ups = nn.ModuleList(
            stage(2 * b, a, nn.ConvTranspose2d(a, a, 4, 2, 1))
            for a, b in zip(widths[-2:0:-1], widths[:1:-1]))
        self.final_conv = nn.Sequential(make(dim, dim), nn.Conv2d(dim, channels, 1))

    def forward(self, x, timesteps):
        time = self.time_mlp(timesteps)
        x = self.init_conv(x)
        skips = []
        for block1, block2, attention, resample in self.downs:
            x = attention(block2(block1(x, time), time))
            skips.append(x)
            x = resample(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, time)), time)
        for block1, block2, attention, resample in self.ups:
            x = torch.cat([x, skips.pop()], dim=1)
            x = resample(attention(block2(block1(x, time), time)))
        return self.final_conv(x)
