"""Writes the files of this folder: pip install safetensors==0.8.0 numpy; python make.py"""

import pathlib

import numpy as np
from safetensors import TensorSpec, serialize_file

folder = pathlib.Path(__file__).parent


def write(name, tensors, metadata):
    arrays = {key: np.array(array, order="C") for key, (_, array) in tensors.items()}
    specs = {
        key: TensorSpec(dtype=dtype, shape=arrays[key].shape, data_ptr=arrays[key].ctypes.data, data_len=arrays[key].nbytes)
        for key, (dtype, _) in tensors.items()
    }
    serialize_file(specs, folder / name, metadata)


floats = np.array([[0.0, -0.0, 1.0], [-2.5, 0.333251953125, 65504.0]])
tensors = {
    "bool": ("bool", np.array([True, False, True])),
    "u8": ("uint8", np.arange(250, 256, dtype=np.uint8)),
    "i8": ("int8", np.array([-128, 0, 127], dtype=np.int8)),
    "i16": ("int16", np.array([-32768, 0, 32767], dtype=np.int16)),
    "f16": ("float16", floats.astype(np.float16)),
    "f16 special": ("float16", np.array([0x0001, 0x03FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00, 0x7E00], dtype=np.uint16)),
    "bf16": ("bfloat16", np.array([[0x0000, 0x8000, 0x3F80], [0xC020, 0x3EAB, 0x7F80]], dtype=np.uint16)),
    "i32": ("int32", np.array([[-(2**31)], [2**31 - 1]], dtype=np.int32)),
    "f32": ("float32", np.arange(24, dtype=np.float32).reshape(2, 3, 1, 4) / 7),
    "f64": ("float64", np.array([0.1, 1e300])),
    "i64": ("int64", np.array([-(2**63), 2**63 - 1, 5])),
    "scalar": ("float64", np.array(0.25)),
    "empty": ("float32", np.zeros((0, 3), dtype=np.float32)),
    'name "with" \\ and é\n': ("uint8", np.array([7], dtype=np.uint8)),
}
write("dtypes.safetensors", tensors, {"made by": "Python, é"})

ours = ("bf16", "i32", "f32", "f64", "i64", "scalar", "empty", "u8", 'name "with" \\ and é\n')
write("writer.safetensors", {key: tensors[key] for key in ours}, {"made by": "Python, é"})
