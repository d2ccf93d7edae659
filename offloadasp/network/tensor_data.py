"""The data of a model's tensors, in the model or in files of their own: checked, and read."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)
from onnx.external_data_helper import uses_external_data
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.messages import explain, plural
from offloadasp.network.fit import times
from offloadasp.network.foreign import BEGINNING, is_instead
from offloadasp.network.graphs import first_line

_Count = Annotated[int, Field(ge=0, le=2**62)]


class _Place(BaseModel):
    """Where a tensor's data is: a file beside the model, and bytes in it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    location: Annotated[str, Field(min_length=1)]
    offset: _Count = 0
    length: _Count | None = None


def every_tensor(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield every tensor that a graph holds, those of attributes and subgraphs included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_attributes(graph.node)


def functions_tensors(proto: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor that the functions of a model hold."""
    for function in proto.functions:
        yield from _in_attributes(function.node)


def _in_attributes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        for entry in node.attribute:
            if entry.type == AttributeProto.TENSOR:
                yield entry.t
            yield from entry.tensors
            if entry.type == AttributeProto.GRAPH:
                yield from every_tensor(entry.g)
            for inner in entry.graphs:
                yield from every_tensor(inner)


def require_data(path: Path, proto: ModelProto) -> None:
    """Check that the data of a model's tensors are there, and as many as their shapes demand.

    ONNX's checker asks only whether there are any.

    Raises
    ------
    InputError
        They are not, or a tensor does not say where.
    """
    for tensor in (*every_tensor(proto.graph), *functions_tensors(proto)):
        if uses_external_data(tensor):
            _require_external(path, tensor)
        elif tensor.HasField("raw_data") or tensor.data_type != TensorProto.STRING:
            _require_own(path, tensor)


def load_external(path: Path, proto: ModelProto) -> None:
    """Load into a model all data that it keeps in files of their own, which have been checked.

    Raises
    ------
    InputError
        A file cannot be read any more.
    """
    for tensor in every_tensor(proto.graph):
        if uses_external_data(tensor):
            tensor.CopyFrom(read_external(path, tensor))


def read_external(path: Path, tensor: TensorProto) -> TensorProto:
    """Return a tensor with the data that its file holds, which has been checked.

    Raises
    ------
    InputError
        The file cannot be read any more.
    """
    place = _place(path, tensor)
    try:
        with (path.parent / place.location).open("rb") as file:
            file.seek(place.offset)
            data = file.read(_size(path, tensor))
    except OSError as error:
        reason = f"the data of its tensor {tensor.name} cannot be read: {error.strerror}"
        raise InputError(f"{path}: {reason}") from None
    found = TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name)
    found.raw_data = data
    return found


def _require_own(path: Path, tensor: TensorProto) -> None:
    needed = _size(path, tensor)
    if tensor.HasField("raw_data"):
        there = len(tensor.raw_data)
        if there != needed:
            raise InputError(
                f"{path}: its tensor {tensor.name} is {times(tensor.dims)} and has "
                f"{plural(there, 'byte')} of data; {needed} are needed"
            )
        return
    try:
        numpy_helper.to_array(tensor)
    except Exception as error:  # onnx documents no full list for malformed tensors
        reason = f"the data of its tensor {tensor.name} do not fit {times(tensor.dims)}"
        raise InputError(f"{path}: {reason}: {first_line(error)}") from None


def _require_external(path: Path, tensor: TensorProto) -> None:
    size, place = _size(path, tensor), _place(path, tensor)
    file = path.parent / place.location
    if Path(place.location).is_absolute() or ".." in Path(place.location).parts:
        raise InputError(
            f"{path}: its tensor {tensor.name} is in {place.location}; only files in the model's "
            "own folder are read"
        )
    if not file.is_file():
        raise InputError(f"{path}: its tensor {tensor.name} is in {file}, which is missing")
    # Some writers state a length of 0 where they mean that of the shape.
    if place.length not in (None, 0, size):
        raise InputError(
            f"{path}: its tensor {tensor.name} has {plural(size, 'byte')}; its entry in {file} "
            f"states {place.length}"
        )
    needed, there = place.offset + size, file.stat().st_size
    foreign = _foreign(file) if there < max(needed, _POINTER) else ""
    if there < needed or "Git LFS" in foreign:
        raise InputError(
            f"{path}: its tensor {tensor.name} is in {file}, which has {plural(there, 'byte')}; "
            f"at least {needed} are needed{foreign}"
        )


def _foreign(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return is_instead(opened.read(BEGINNING))
    except OSError:
        return ""  # said where the data are read


def _place(path: Path, tensor: TensorProto) -> _Place:
    try:
        return _Place.model_validate({entry.key: entry.value for entry in tensor.external_data})
    except ValidationError as error:
        reason = explain(error, _Place)
        raise InputError(f"{path}: the external data of its tensor {tensor.name}: {reason}") from (
            None
        )


def _size(path: Path, tensor: TensorProto) -> int:
    """Return the bytes of a tensor's data."""
    name, kind = tensor.name, tensor.data_type
    if any(size < 0 for size in tensor.dims):
        raise InputError(f"{path}: its tensor {name} has the size {min(tensor.dims)}")
    elements = math.prod(int(size) for size in tensor.dims)
    if kind in _PACKED:
        return -(-elements // _PACKED[kind])
    try:
        itemsize = int(helper.tensor_dtype_to_np_dtype(kind).itemsize)
    except (KeyError, ValueError, TypeError):
        itemsize = 0
    if not itemsize or kind == TensorProto.STRING:
        raise InputError(
            f"{path}: its tensor {name} has elements of type {kind}, which files cannot hold"
        )
    return elements * itemsize


# More bytes than a pointer of Git LFS has, which may be enough for a small tensor.
_POINTER = 1024

# Elements that share a byte.
_PACKED: dict[int, int] = {
    getattr(TensorProto, name): many
    for name, many in (("INT4", 2), ("UINT4", 2), ("FLOAT4E2M1", 2), ("INT2", 4), ("UINT2", 4))
    if hasattr(TensorProto, name)
}
