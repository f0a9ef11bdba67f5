"""The image U-Net in PyTorch: KAIST CS479 (autumn 2023), assignment 3, task 2.

Attribute names give the state_dict keys that the library's checkpoints use.
"""
import torch
import torch.nn.functional as F
from torch import nn

from points_net import TimestepEmbedding


class PixelAttention(nn.Module):
    """One head over all pixels, written out as in the course, with its residual."""

    def __init__(self, channels, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels)
        self.proj_q, self.proj_k, self.proj_v, self.proj = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        channels = x.shape[1]
        normed = self.group_norm(x)
        q, k, v = (proj(normed).flatten(2) for proj in (self.proj_q, self.proj_k, self.proj_v))
        weights = (torch.bmm(q.transpose(1, 2), k) * channels**-0.5).softmax(dim=-1)  # (N, queries, keys)
        return x + self.proj(torch.bmm(v, weights.transpose(1, 2)).reshape(x.shape))


class ResBlock(nn.Module):
    def __init__(self, channels_in, channels_out, time_width, dropout, attention, groups):
        super().__init__()
        self.block1 = nn.Sequential(nn.GroupNorm(groups, channels_in), nn.SiLU(),
                                    nn.Conv2d(channels_in, channels_out, 3, padding=1))
        self.temb_proj = nn.Sequential(nn.SiLU(), nn.Linear(time_width, channels_out))
        self.block2 = nn.Sequential(nn.GroupNorm(groups, channels_out), nn.SiLU(), nn.Dropout(dropout),
                                    nn.Conv2d(channels_out, channels_out, 3, padding=1))
        self.shortcut = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)
        self.attn = PixelAttention(channels_out, groups) if attention else nn.Identity()

    def forward(self, x, time):
        h = self.block1(x) + self.temb_proj(time)[:, :, None, None]
        return self.attn(self.block2(h) + self.shortcut(x))


class Scale(nn.Module):
    """Halves the image, or doubles it by repeating pixels; a 3x3 convolution either way."""

    def __init__(self, channels, double):
        super().__init__()
        self.double = double
        self.main = nn.Conv2d(channels, channels, 3, stride=1 if double else 2, padding=1)

    def forward(self, x, time):
        return self.main(F.interpolate(x, scale_factor=2, mode="nearest") if self.double else x)


class ImageUNet(nn.Module):
    def __init__(self, width=128, mults=(1, 2, 2, 2), attention_levels=(1,), res_blocks=4, dropout=0.1, groups=32,
                 channels=3):
        super().__init__()
        time_width = 4 * width

        def block(channels_in, channels_out, attention):
            return ResBlock(channels_in, channels_out, time_width, dropout, attention, groups)

        self.time_embedding = TimestepEmbedding(time_width)
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.downblocks, skips, now = nn.ModuleList(), [width], width
        for level, mult in enumerate(mults):
            for _ in range(res_blocks):
                self.downblocks.append(block(now, width * mult, level in attention_levels))
                now = width * mult
                skips.append(now)
            if level + 1 < len(mults):
                self.downblocks.append(Scale(now, double=False))
                skips.append(now)
        self.middleblocks = nn.ModuleList([block(now, now, True), block(now, now, False)])
        self.upblocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(mults))):
            for _ in range(res_blocks + 1):
                self.upblocks.append(block(now + skips.pop(), width * mult, level in attention_levels))
                now = width * mult
            if level > 0:
                self.upblocks.append(Scale(now, double=True))
        self.tail = nn.Sequential(nn.GroupNorm(groups, now), nn.SiLU(), nn.Conv2d(now, channels, 3, padding=1))

    def forward(self, x, timesteps):
        time = self.time_embedding(timesteps)
        skips = [self.head(x)]
        for layer in self.downblocks:
            skips.append(layer(skips[-1], time))
        h = skips[-1]
        for layer in self.middleblocks:
            h = layer(h, time)
        for layer in self.upblocks:
            if isinstance(layer, ResBlock):
                h = torch.cat([h, skips.pop()], dim=1)
            h = layer(h, time)
        return self.tail(h)
