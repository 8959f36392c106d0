"""Writes a GGUF file: the small part of the format that 32-bit models need.

The package that reads and writes all of the format takes most of a second to load, which is longer
than the model takes to build. Source: ggml-org/ggml docs/gguf.md, version 3 of the format.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

# Any: the shape of an array is no part of its type here; all of them hold 32-bit floats.
Weights = np.ndarray[Any, np.dtype[np.float32]]
Value = bool | int | float | str | Sequence[str] | Sequence[int] | Sequence[float]

MAGIC: Final = b"GGUF"
VERSION: Final = 3
ALIGNMENT: Final = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_F32: Final = 0


def write_gguf(path: Path, fields: Mapping[str, Value], tensors: Mapping[str, Weights]) -> None:
    """Header, fields, descriptions of the tensors, then the tensors at aligned offsets."""
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(fields))
    parts = [head, *(_text(name) + _field(value) for name, value in fields.items())]
    offset = 0
    for name, tensor in tensors.items():
        # The format names the fastest varying dimension first, numpy names it last.
        dimensions = tensor.shape[::-1]
        parts.append(
            _text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        )
        parts.append(struct.pack("<IQ", TENSOR_F32, offset))
        offset += _aligned(tensor.nbytes)
    described = b"".join(parts)
    with path.open("wb") as stream:
        stream.write(described.ljust(_aligned(len(described)), b"\0"))
        for tensor in tensors.values():
            content = np.ascontiguousarray(tensor, "<f4").tobytes()
            stream.write(content.ljust(_aligned(len(content)), b"\0"))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _field(value: Value) -> bytes:
    if isinstance(value, str | bool | int | float):
        kind = _kind(value)
        return struct.pack("<I", kind) + _scalar(kind, value)
    # An empty list has no kind of its own, and the model has none.
    kind = INT32 if isinstance(value[0], int) else _kind(value[0])
    return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(
        _scalar(kind, item) for item in value
    )


def _kind(value: str | float) -> int:
    # A truth value is also an int to Python, so it is asked first.
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return UINT32
    return STRING if isinstance(value, str) else FLOAT32


def _scalar(kind: int, value: str | float) -> bytes:
    if isinstance(value, str):
        return _text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)
