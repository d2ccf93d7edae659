"""Inputs of a network: recorded tensors in ONNX's test format, or tensors drawn at random."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.base.messages import plural, sizes
from offloadasp.judge.simulator.tensors import Array
from offloadasp.network.foreign import BEGINNING, is_instead
from offloadasp.network.graphs import first_line
from offloadasp.network.model import Model

# Elements of an input; more is a mistake in its shape rather than a network's.
_MOST_DRAWN = 2**28


@dataclass(frozen=True, eq=False)
class DataSet:
    """Inputs by name, and the recorded outputs in the model's order; None: nothing is recorded."""

    inputs: Mapping[str, Array]
    outputs: Sequence[Array] | None


def read_data_set(model: Model, folder: Path) -> DataSet:
    """Read ``input_0.pb``, ``output_0.pb`` and so on, in the order of the model.

    Raises
    ------
    InputError
        Files are missing or no tensors, or do not fit the model's inputs and outputs.
    """
    if not folder.is_dir():
        raise InputError(f"--data: {folder} is not a folder")
    needed = model.inputs
    given = _tensors(folder, "input")
    # Old data sets may hold every input, those with default values included.
    every = list(model.graph.input)
    names = [v.name for v in (every if len(given) == len(every) else needed)]
    recorded = _tensors(folder, "output")
    for kind, found, expected in (
        ("input", given, names),
        ("output", recorded, model.graph.output),
    ):
        if len(found) != len(expected):
            raise InputError(
                f"--data: {folder} holds {plural(len(found), 'file')} {kind}_*.pb; the model has "
                f"{plural(len(expected), kind)}"
            )
    inputs = dict(zip(names, given, strict=True))
    for value in needed:
        _require_fit(model, value, inputs[value.name], folder)
    return DataSet(inputs, recorded)


def draw_inputs(model: Model, seed: int) -> DataSet:
    """Draw inputs: normal numbers, integers of the whole range of a byte, or truth values.

    Raises
    ------
    InputError
        The shape or type of an input is not known or not supported.
    """
    generator = np.random.default_rng(seed)
    return DataSet({v.name: _draw(model, v, generator) for v in model.inputs}, None)


def _draw(model: Model, value: ValueInfoProto, generator: np.random.Generator) -> Array:
    shape = model.shapes.get(value.name)
    if shape is None or None in shape:
        raise InputError(
            f"--verify: the shape of the input {value.name} is not known before the model runs; "
            "give one with --data"
        )
    known = [size or 0 for size in shape]
    # NumPy refuses an array without elements, too, where its other sizes are out of range.
    if math.prod(size or 1 for size in known) > _MOST_DRAWN:
        raise InputError(
            f"--verify: the input {value.name}, {sizes(known)}, is too large to be drawn; give it "
            "with --data"
        )
    kind = _kind(model, value)
    if kind.kind in "iu":
        low = 0 if kind.kind == "u" else -128
        return generator.integers(low, low + 256, known).astype(kind)
    if kind.kind == "b":
        return generator.integers(0, 2, known).astype(kind)
    if kind.kind in "OSUc":
        raise InputError(f"--verify: the input {value.name} holds no numbers; give it with --data")
    return generator.normal(size=known).astype(kind)


def _kind(model: Model, value: ValueInfoProto) -> np.dtype[Any]:
    found = model.types[value.name]
    if found == TensorProto.UNDEFINED:
        raise InputError(f"{model.path}: the input {value.name} is no tensor")
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(found))
    except (KeyError, ValueError, TypeError):
        raise InputError(
            f"{model.path}: the input {value.name} has elements of the unknown type {found}"
        ) from None


def _tensors(folder: Path, kind: str) -> list[Array]:
    numbered = {}
    for path in folder.iterdir():
        match = re.fullmatch(rf"{kind}_(\d+)\.pb", path.name)
        if match:
            numbered[int(match[1])] = path
    if sorted(numbered) != list(range(len(numbered))):
        raise InputError(f"--data: {folder}: the files {kind}_*.pb are not numbered from 0 on")
    return [_read(numbered[number]) for number in sorted(numbered)]


def _read(path: Path) -> Array:
    tensor, data = TensorProto(), b""
    try:
        data = path.read_bytes()
        tensor.ParseFromString(data)
        found: Array = numpy_helper.to_array(tensor)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except DecodeError:
        foreign = is_instead(data[:BEGINNING])
        raise InputError(f"{path}: is not an ONNX tensor, or is truncated{foreign}") from None
    except Exception as error:  # onnx documents no full list for malformed tensors
        foreign = is_instead(data[:BEGINNING]) or f": {first_line(error)}"
        raise InputError(f"{path}: is not an ONNX tensor{foreign}") from None
    return found


def _require_fit(model: Model, value: ValueInfoProto, given: Array, folder: Path) -> None:
    shape = model.shapes.get(value.name)
    fits = shape is None or (
        len(shape) == given.ndim
        and all(size in (None, there) for size, there in zip(shape, given.shape, strict=True))
    )
    kind = _kind(model, value)
    if not fits or given.dtype != kind:
        wanted = "any shape" if shape is None else f"shape {sizes(shape)}"
        raise InputError(
            f"--data: {folder}: the input {value.name} is {given.dtype} of shape "
            f"{sizes(given.shape)}; the model takes {kind} of {wanted}"
        )
