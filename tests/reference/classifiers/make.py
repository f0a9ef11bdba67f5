"""Writes classifiers.safetensors: pip install torch torchvision numpy pillow safetensors; python make.py

Networks of torchvision, and its Inception changed as the first FID's is, with weights that are a formula of name and
position: what comes out of them, in float64, and what they are fed for an image.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.numpy import save_file

MASK = (1 << 64) - 1


def uniform(name, count):
    """Numbers in [0, 1): splitmix64 from the 64-bit FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def weight(name, shape):
    """Keeps the size of activations: He's bound for convolutions, and norms not far from doing nothing."""
    u = uniform(name, int(np.prod(shape)))
    signed = 2 * u - 1
    if len(shape) > 1:
        value = signed * np.sqrt((6 if len(shape) == 4 else 3) / np.prod(shape[1:]))
    elif name.endswith("running_var"):
        value = 0.5 + u
    elif name.endswith("weight"):
        value = 0.75 + 0.5 * u
    else:
        value = signed * (0.1 if name.endswith("running_mean") else 0.2)
    return torch.from_numpy(value.astype(np.float32).astype(np.float64).reshape(shape))


def with_formula(network):
    state = network.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            state[name] = weight(name, tuple(tensor.shape))
    network.double().eval().load_state_dict(state)
    return network


def own_pixels(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def first_fid(network):
    """Average pools beside the convolutions over the image's own pixels; in the last block the maximum."""
    inner = torchvision.models.inception

    def patched(block, pool):
        def forward(x):
            parts = block._forward(x)
            return torch.cat([*parts[:-1], block.branch_pool(pool(x))], 1)

        block.forward = forward

    for block in network.children():
        if isinstance(block, (inner.InceptionA, inner.InceptionC, inner.InceptionE)):
            patched(block, own_pixels)
    patched(network.Mixed_7c, lambda x: F.max_pool2d(x, 3, stride=1, padding=1))
    return network


def inception(x, network, stages):
    for name, block in network.named_children():
        if name in ("AuxLogits", "avgpool", "dropout", "fc"):
            continue
        x = block(x)
        stages.append([*x.shape[1:], x.mean().item(), x.square().mean().sqrt().item()])
    return x.mean((2, 3))


def mobilenet(x, network, stages):
    for block in network.features:
        x = block(x)
        stages.append([*x.shape[1:], x.mean().item(), x.square().mean().sqrt().item()])
    return x.mean((2, 3))


def image(name, shape):
    """(N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy((2 * uniform(name, int(np.prod(shape))) - 1).astype(np.float32).astype(np.float64).reshape(shape))


def pixels(height, width):
    """(H, W, 3) in 0 ... 255."""
    return np.floor(uniform("pixels", height * width * 3) * 256).astype(np.uint8).reshape(height, width, 3)


out = {}


def keep(name, tensor):
    out[name] = np.ascontiguousarray(np.asarray(tensor, dtype=np.float32))


def keep_sample(name, tensor):
    """Every 97th element of (3, H, W) as (H, W, 3)."""
    keep(name, tensor.permute(1, 2, 0).reshape(-1)[::97])


with torch.no_grad():
    for name, change in (("inception_torchvision", lambda n: n), ("inception_tensorflow", first_fid)):
        network = change(with_formula(torchvision.models.inception_v3(weights=None, init_weights=False)))
        stages = []
        keep(name + ".features", inception(image("images", (2, 3, 107, 139)), network, stages))
        keep(name + ".stages", stages)
    network = with_formula(torchvision.models.mobilenet_v2(weights=None))
    stages = []
    features = mobilenet(image("images", (2, 3, 75, 53)), network, stages)
    keep("mobilenet_v2.features", features)
    keep("mobilenet_v2.logits", network.classifier(features))
    keep("mobilenet_v2.stages", stages)

for height, width in ((64, 48), (300, 310)):
    shape = f"{height}x{width}"
    given = pixels(height, width)
    tensor = torchvision.transforms.functional.to_tensor(given).double()
    fid = F.interpolate(tensor[None], size=(299, 299), mode="bilinear", align_corners=False)[0]
    keep_sample("input.bilinear_299." + shape, 2 * fid - 1)
    for name, size, mean, deviation in (
        ("afhq_256", 256, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("mobilenet_224", 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ):
        steps = torchvision.transforms.Compose(
            [
                torchvision.transforms.Resize((size, size)),
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize(mean, deviation),
            ]
        )
        keep_sample(f"input.{name}.{shape}", steps(Image.fromarray(given)))

save_file(out, pathlib.Path(__file__).parent / "classifiers.safetensors", {"format": "np"})
