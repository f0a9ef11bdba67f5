"""Writes the files of this folder: pip install pillow==10.4.0 numpy safetensors==0.8.0; python make.py"""

import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

folder = pathlib.Path(__file__).parent
random = np.random.default_rng(1)


def picture(height, width, channels):
    """Smooth waves with hard edges and noise, 0 to 255."""
    y, x = np.mgrid[0:height, 0:width]
    c = np.arange(channels)
    waves = 128 + 90 * np.sin(x[..., None] / (3 + c) + y[..., None] / (5 - c) + 2 * c)
    edges = np.where((x // 7 + y // 5)[..., None] % 2 == 0, 60, -60)
    noise = random.normal(0, 25, (height, width, channels))
    return np.clip(waves + edges + noise, 0, 255).round().astype(np.uint8)


def image(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def pixels(image):
    array = np.asarray(image)
    return np.ascontiguousarray(array[..., None] if array.ndim == 2 else array)


# Sizes (height, width) of an image and of what becomes of it: down, up, one axis alone, to one pixel, by little.
filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
sizes = [
    (37, 53, 3, 16, 16),
    (53, 37, 1, 20, 12),
    (7, 5, 3, 17, 23),
    (29, 31, 1, 29, 8),
    (13, 40, 1, 9, 40),
    (1, 9, 1, 5, 4),
    (6, 6, 1, 1, 1),
    (24, 25, 3, 25, 24),
    (100, 3, 1, 3, 100),
]
tensors = {}
for height, width, channels, to_height, to_width in sizes:
    name = f"{height}x{width}x{channels}"
    tensors[name] = picture(height, width, channels)
    for key, value in filters.items():
        resized = image(tensors[name]).resize((to_width, to_height), value)
        tensors[f"{name}.{key}"] = pixels(resized)
save_file(tensors, folder / "resample.safetensors")

# JPEG files of several kinds, and the pixels that Pillow reads from them as gray or RGB.
tensors = {}


def jpeg(name, mode, pixels_in, **options):
    Image.fromarray(pixels_in, mode).save(folder / f"{name}.jpg", **options)
    opened = Image.open(folder / f"{name}.jpg")
    tensors[name] = pixels(opened if mode == "L" else opened.convert("RGB"))


jpeg("color", "RGB", picture(29, 37, 3), quality=85)  # chrominance at half the size both ways
jpeg("color_422", "RGB", picture(17, 19, 3), quality=92, subsampling="4:2:2")
jpeg("progressive", "RGB", picture(33, 18, 3), quality=75, progressive=True, subsampling="4:4:4")
jpeg("gray", "L", picture(21, 30, 1)[..., 0], quality=80)
jpeg("cmyk", "CMYK", picture(16, 23, 4), quality=90)
jpeg("one_pixel", "RGB", picture(1, 1, 3), quality=90)
save_file(tensors, folder / "jpeg.safetensors")
