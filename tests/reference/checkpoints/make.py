"""Writes the files of this folder: pip install torch safetensors; python make.py"""

import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).parent
grid = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8
state = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict()
for i, value in enumerate(state.values()):
    value.copy_(torch.arange(value.numel()).reshape(value.shape) - i)
state.update(
    {
        "transposed": grid.permute(2, 0, 1),
        "slice": grid[1, ::2, 1:3],
        "repeated": torch.tensor([1.5, -2.0]).reshape(2, 1).expand(2, 3),
        "parameter": torch.nn.Parameter(grid[0, 0]),
        "scalar": torch.tensor(0.1, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "half": torch.tensor([1.0, 65504.0, -0.0], dtype=torch.float16),
        "bf16": torch.tensor([1.0, -3.0], dtype=torch.bfloat16),
        "i32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "i16": torch.tensor([[-3], [4]], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        'name "with" \\ and é': torch.ones(1),
    }
)
torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "state_dict": state}, folder / "zip.ckpt")
save_file({name: value.detach().contiguous().clone() for name, value in state.items()}, folder / "wanted.safetensors", {"format": "pt"})
