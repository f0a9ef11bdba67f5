"""The Swiss-roll network in PyTorch: KAIST CS479 (autumn 2023), assignment 3, task 1.

Four TimeLinear layers, 2-128-128-128-2, each of which multiplies its output by an embedding of the timestep that
it computes for itself. Attribute names give the state_dict keys that the library's checkpoints use.
"""
import math

import torch
from torch import nn


class TimestepEmbedding(nn.Module):
    """(N) timesteps -> (N, width): 256 cosines and sines through a two-layer perceptron."""

    def __init__(self, width, frequencies=256):
        super().__init__()
        self.frequencies = frequencies
        self.mlp = nn.Sequential(nn.Linear(frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps):
        half = self.frequencies // 2
        rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / half))
        angles = timesteps.float()[:, None] * rates
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)
        return self.mlp(waves)


class TimeLinear(nn.Module):
    def __init__(self, width_in, width_out):
        super().__init__()
        self.time_embedding = TimestepEmbedding(width_out)
        self.fc = nn.Linear(width_in, width_out)

    def forward(self, x, timesteps):
        return self.fc(x) * self.time_embedding(timesteps)


class PointsNet(nn.Module):
    def __init__(self, widths=(2, 128, 128, 128, 2)):
        super().__init__()
        self.layers = nn.ModuleList(map(TimeLinear, widths[:-1], widths[1:]))

    def forward(self, x, timesteps):
        *hidden, last = self.layers
        for layer in hidden:
            x = layer(x, timesteps).relu()
        return last(x, timesteps)
