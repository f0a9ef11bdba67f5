"""Trains the Swiss-roll network by the course's recipe in PyTorch and prints the Chamfer distances of its samples.

The counterpart of `points2d --dataset swiss_roll --recipe course`, with random numbers of its own: Adam at 1e-3, 5,000
steps of 128 points, 1,000 timesteps with linear betas; 2,048 samples by DDPM with the posterior's variance and by DDIM
in 50 steps against the first 2,048 points of the data. A line of JSON for each seed.
"""
import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F

from points_net import PointsNet

TIMESTEPS, DDIM_STRIDE, SAMPLES = 1000, 20, 2048
betas = torch.linspace(1e-4, 0.02, TIMESTEPS)
alphas = 1 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)
before = torch.cat([torch.ones(1), alphas_cumprod[:-1]])


def swiss_roll(count, generator):
    """scikit-learn's roll with a hole, its first and third coordinate, by one mean and twice the deviation."""
    corners = np.array([[np.pi * (1.5 + i), 7 * j] for i in range(3) for j in range(3) if (i, j) != (1, 1)])
    angle = corners[generator.choice(8, count), 0] + np.pi * generator.random(count)
    points = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return torch.tensor(2 * (points - points.mean()) / points.std(), dtype=torch.float32)


def train(data, steps=5000, batch=128):
    network = PointsNet()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step in range(steps):
        x = data[step * batch:][:batch]
        t = torch.randint(TIMESTEPS, (batch,))
        noise = torch.randn_like(x)
        level = alphas_cumprod[t][:, None]
        loss = F.mse_loss(network(level.sqrt() * x + (1 - level).sqrt() * noise, t), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


@torch.no_grad()
def sample_ddpm(network):
    x = torch.randn(SAMPLES, 2)
    for t in reversed(range(TIMESTEPS)):
        epsilon = network(x, torch.full((SAMPLES,), t))
        x = (x - betas[t] / (1 - alphas_cumprod[t]).sqrt() * epsilon) / alphas[t].sqrt()
        if t > 0:
            x += ((1 - before[t]) / (1 - alphas_cumprod[t]) * betas[t]).sqrt() * torch.randn_like(x)
    return x


@torch.no_grad()
def sample_ddim(network):
    x = torch.randn(SAMPLES, 2)
    for t in reversed(range(0, TIMESTEPS, DDIM_STRIDE)):
        epsilon = network(x, torch.full((SAMPLES,), t))
        level = alphas_cumprod[t - DDIM_STRIDE] if t > 0 else torch.ones(())
        x0 = (x - (1 - alphas_cumprod[t]).sqrt() * epsilon) / alphas_cumprod[t].sqrt()
        x = level.sqrt() * x0 + (1 - level).sqrt() * epsilon
    return x


def chamfer(a, b):
    squares = torch.cdist(a.double(), b.double()) ** 2
    return (squares.min(dim=0).values.sum() + squares.min(dim=1).values.sum()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for seed in options.seeds:
        torch.manual_seed(seed)
        data = swiss_roll(1_000_000, np.random.default_rng(seed))
        network = train(data)
        figures = {"seed": seed}
        for name, sample in (("chamfer_ddpm", sample_ddpm), ("chamfer_ddim", sample_ddim)):
            figures[name] = chamfer(sample(network), data[:SAMPLES])
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
