"""Times training and sampling steps of one PyTorch network, on request.

A long-lived process that reads one command a line and answers each with one line of JSON, so that a driver can
interleave its steps with those of another program:

    train N    N training steps   -> list of N seconds
    sample N   N sampling steps   -> list of N seconds
    rss        peak memory        -> bytes: of the resident set, or on a GPU of what was taken from its pool
    about      settings           -> object

On a GPU the steps of one command are queued and waited for together, and each counts with their mean.

The first step after a start pays for compilation, allocation and warm-up: ask for a few and throw them away.
"""
import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F

from berkeley import LabelledSteps
from kaist import ImageUNet
from points_net import PointsNet
from radboud import AttentionUNet
from unet import UNet

# name: (network, shape of one sample, diffusion steps, training loss)
NETWORKS = {
    "swiss_roll": (PointsNet, (2,), 1000, F.mse_loss),
    "ai504_convnext": (lambda: UNet("convnext"), (1, 28, 28), 200, F.smooth_l1_loss),
    "ai504_resnet": (lambda: UNet("resnet"), (1, 28, 28), 200, F.smooth_l1_loss),
    "berkeley_class": (LabelledSteps, (1, 28, 28), 300, F.mse_loss),
    "radboud": (AttentionUNet, (1, 32, 32), 1000, F.mse_loss),
    "kaist": (ImageUNet, (3, 64, 64), 1000, F.mse_loss),
}


def memory_bytes(field):
    """A line of /proc/self/status: VmHWM is the peak of the resident set, VmRSS the present one."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status has no {field}")


class Workload:
    def __init__(self, options):
        make, shape, self.diffusion_steps, self.loss = NETWORKS[options.net]
        self.shape = (options.batch, *shape)
        self.device = options.device
        self.bf16 = options.precision != "fp32"
        self.layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self.network = make().to(device=self.device, memory_format=self.layout)
        if options.precision == "bf16_weights":
            self.network = self.network.bfloat16()
        self.predict = self.network
        if options.compile:
            self.predict = torch.compile(self.network, mode="max-autotune" if self.device == "cuda" else None)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=options.fused_adam or None)
        self.betas = torch.linspace(1e-4, 0.02, self.diffusion_steps, device=self.device)
        alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)
        self.signal, self.noise = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
        self.data = (torch.rand(self.shape, device=self.device) * 2 - 1).contiguous(memory_format=self.layout)
        self.x = torch.randn(self.shape, device=self.device).contiguous(memory_format=self.layout)
        self.step = self.diffusion_steps - 1

    def autocast(self):
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)

    def train_step(self):
        self.network.train()
        t = torch.randint(0, self.diffusion_steps, self.shape[:1], device=self.device)
        noise = torch.randn_like(self.data)
        each = (-1,) + (1,) * (len(self.shape) - 1)
        x_t = self.signal[t].view(each) * self.data + self.noise[t].view(each) * noise
        self.optimizer.zero_grad()
        with self.autocast():
            predicted = self.predict(x_t, t)
        self.loss(predicted.float(), noise).backward()
        self.optimizer.step()

    @torch.no_grad()
    def sample_step(self):
        """One step of DDPM, Ho et al. 2020, algorithm 2; after the last one starts again from noise."""
        self.network.eval()
        i = self.step
        t = torch.full(self.shape[:1], i, device=self.device)
        with self.autocast():
            predicted = self.predict(self.x, t)
        beta = self.betas[i]
        mean = (self.x - beta / self.noise[i] * predicted.float()) / (1 - beta).sqrt()
        self.x = mean + beta.sqrt() * torch.randn_like(mean) if i > 0 else torch.randn_like(mean)
        self.step = i - 1 if i > 0 else self.diffusion_steps - 1


def seconds_per_step(step, count, device):
    if device == "cuda":
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        return [(time.perf_counter() - start) / count] * count
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETWORKS, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16", "bf16_weights"), default="fp32",
                        help="bf16 is autocast over fp32 weights; bf16_weights, for sampling, converts them once")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--fused-adam", action="store_true")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.channels_last and options.net == "swiss_roll":
        parser.error("--channels-last is for images, and swiss_roll has none")

    rss_after_import = memory_bytes("VmRSS")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True  # of no effect on the CPU
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    work = Workload(options)
    about = {
        "torch": torch.__version__, "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(), "rss_after_import": 0 if options.device == "cuda" else rss_after_import,
        "parameters": sum(p.numel() for p in work.network.parameters()),
    }
    for line in sys.stdin:
        match line.split():
            case ["train", count]:
                answer = seconds_per_step(work.train_step, int(count), options.device)
            case ["sample", count]:
                answer = seconds_per_step(work.sample_step, int(count), options.device)
            case ["rss"]:
                answer = torch.cuda.max_memory_reserved() if options.device == "cuda" else memory_bytes("VmHWM")
            case ["about"]:
                answer = about
            case _:
                answer = {"error": f"commands are train N, sample N, rss and about; given {line.strip()!r}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
