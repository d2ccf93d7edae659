"""Data that a model keeps in files of their own: checked, and read where a shape needs it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper
from onnx.external_data_helper import uses_external_data
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.messages import explain, plural

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
    for node in graph.node:
        for entry in node.attribute:
            if entry.type == AttributeProto.TENSOR:
                yield entry.t
            yield from entry.tensors
            if entry.type == AttributeProto.GRAPH:
                yield from every_tensor(entry.g)
            for inner in entry.graphs:
                yield from every_tensor(inner)


def require_external_data(path: Path, proto: ModelProto) -> None:
    """Check that the data files of a model exist and are complete.

    Raises
    ------
    InputError
        A tensor does not say where its data is, or the file lacks it.
    """
    for tensor in every_tensor(proto.graph):
        if uses_external_data(tensor):
            _require(path, tensor)


def read_external(path: Path, tensor: TensorProto) -> TensorProto:
    """Return a tensor with the data that its file holds, which has been checked."""
    place = _place(path, tensor)
    with (path.parent / place.location).open("rb") as file:
        file.seek(place.offset)
        data = file.read(_size(path, tensor) if place.length is None else place.length)
    found = TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name)
    found.raw_data = data
    return found


def _require(path: Path, tensor: TensorProto) -> None:
    size, place = _size(path, tensor), _place(path, tensor)
    file = path.parent / place.location
    if Path(place.location).is_absolute() or ".." in Path(place.location).parts:
        raise InputError(
            f"{path}: its tensor {tensor.name} is in {place.location}; only files in the model's "
            "own folder are read"
        )
    if not file.is_file():
        raise InputError(f"{path}: its tensor {tensor.name} is in {file}, which is missing")
    if place.length is not None and place.length != size:
        raise InputError(
            f"{path}: its tensor {tensor.name} has {plural(size, 'byte')}; its entry in {file} "
            f"states {place.length}"
        )
    needed, there = place.offset + size, file.stat().st_size
    if there < needed:
        raise InputError(
            f"{path}: its tensor {tensor.name} is in {file}, which has {plural(there, 'byte')}; "
            f"at least {needed} are needed"
        )


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


# Elements that share a byte.
_PACKED: dict[int, int] = {
    getattr(TensorProto, name): many
    for name, many in (("INT4", 2), ("UINT4", 2), ("FLOAT4E2M1", 2), ("INT2", 4), ("UINT2", 4))
    if hasattr(TensorProto, name)
}
