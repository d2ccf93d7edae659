"""Reads an ONNX model, checks it, fills in its batch, and infers its shapes."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from offloadasp.base.errors import InputError
from offloadasp.base.messages import plural

# None for a dimension that is only known when the model runs.
Shape = tuple[int | None, ...]

STANDARD = ("", "ai.onnx")
"""The domain of the standard operators, by both of its names."""

# Their outputs differ from run to run, so they are no constants though they have no inputs.
_RANDOM = {
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
_MESSAGE_LIMIT = 240


@dataclass(frozen=True, eq=False)
class Model:
    """A model and what is known of it before it runs.

    Attributes
    ----------
    path
        Where it was read.
    proto
        The model with every symbolic batch replaced and local functions inlined. Data that it
        keeps in files of their own are not loaded.
    shapes
        By the names of tensors, as far as they could be inferred.
    types
        Likewise the element types, values of ``TensorProto.DataType``.
    constants
        Tensors that are the same in every run: initializers, and what is computed from them. An
        initializer that an input may replace counts with the value that it has by default.
    """

    path: Path
    proto: ModelProto
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]
    constants: frozenset[str]

    @property
    def graph(self) -> GraphProto:
        """The main graph."""
        return self.proto.graph

    @property
    def inputs(self) -> list[ValueInfoProto]:
        """The inputs that a run needs: those without a default value."""
        known = {tensor.name for tensor in self.graph.initializer}
        return [value for value in self.graph.input if value.name not in known]


def load_model(path: Path, batch: int | None = None) -> Model:
    """Read a model, check it, and infer its shapes.

    Parameters
    ----------
    batch
        What a symbolic first dimension of an input is; None: 1.

    Raises
    ------
    InputError
        It cannot be read, is no valid ONNX model, is of an unknown version, lacks the files with
        its weights, or has no symbolic batch though one is given.
    """
    proto = _read(path)
    _require_known_versions(path, proto)
    _require_external_data(path, proto)
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # the checker documents no full list
        raise InputError(f"{path}: is not a valid ONNX model: {first_line(error)}") from None
    try:
        if proto.functions:
            proto = onnx.inliner.inline_local_functions(proto)
        filled = _fill_batch(proto, 1 if batch is None else batch)
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except Exception as error:
        raise InputError(f"{path}: its shapes cannot be inferred: {first_line(error)}") from None
    if batch is not None and not filled:
        raise InputError(f"--batch: no input of {path} has a symbolic first dimension")
    shapes, types = _values(inferred.graph)
    return Model(path, proto, shapes, types, _constants(proto.graph))


def attributes(node: NodeProto) -> dict[str, object]:
    """Return a node's attributes by name."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def node_name(node: NodeProto) -> str:
    """Return how a node is called: its name, or its first output's."""
    return node.name or node.output[0]


def first_line(error: BaseException) -> str:
    """Return the beginning of an error's message, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"\s+", " ", lines[0])
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[:_MESSAGE_LIMIT]}..."


def _read(path: Path) -> ModelProto:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        raise InputError(f"{path}: is not an ONNX model, or is truncated") from None
    if not proto.ir_version or not proto.HasField("graph"):
        raise InputError(f"{path}: is not an ONNX model, or is truncated: it holds no graph")
    return proto


def _require_known_versions(path: Path, proto: ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    standard = [entry.version for entry in proto.opset_import if entry.domain in STANDARD]
    for version in standard:
        if not 1 <= version <= newest:
            raise InputError(
                f"{path}: is written in opset {version}, which is unknown; onnx "
                f"{onnx.__version__} knows 1 to {newest}"
            )
    if proto.ir_version > onnx.IR_VERSION:
        raise InputError(
            f"{path}: has format version {proto.ir_version}, which is unknown; onnx "
            f"{onnx.__version__} knows up to {onnx.IR_VERSION}"
        )


def _require_external_data(path: Path, proto: ModelProto) -> None:
    """Check that the data files of a model exist and are complete."""
    for tensor in proto.graph.initializer:
        if not uses_external_data(tensor):
            continue
        info = ExternalDataInfo(tensor)
        place = path.parent / info.location
        if not place.is_file():
            raise InputError(f"{path}: its tensor {tensor.name} is in {place}, which is missing")
        size = math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        needed = int(info.offset or 0) + int(info.length or size)
        if place.stat().st_size < needed:
            raise InputError(
                f"{path}: its tensor {tensor.name} is in {place}, which has "
                f"{plural(place.stat().st_size, 'byte')}; at least {needed} are needed"
            )


def _fill_batch(proto: ModelProto, batch: int) -> bool:
    """Replace symbolic first dimensions of inputs; return whether there were any."""
    graph = proto.graph
    defaults = {tensor.name for tensor in graph.initializer}
    names: set[str] = set()
    found = False
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in defaults or not dims or dims[0].HasField("dim_value"):
            continue
        names.add(dims[0].dim_param)
        dims[0].dim_value = batch
        found = True
    # Elsewhere the same name means the same number.
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and dim.dim_param in names:
                dim.dim_value = batch
    return found


def _values(graph: GraphProto) -> tuple[dict[str, Shape], dict[str, int]]:
    shapes: dict[str, Shape] = {}
    types: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        types[value.name] = kind.elem_type
        if kind.HasField("shape"):
            dims = kind.shape.dim
            shapes[value.name] = tuple(
                d.dim_value if d.HasField("dim_value") else None for d in dims
            )
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
        types[tensor.name] = tensor.data_type
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in STANDARD:
            value = attributes(node).get("value")
            if isinstance(value, TensorProto):
                shapes[node.output[0]] = tuple(value.dims)
                types[node.output[0]] = value.data_type
    return shapes, types


def _constants(graph: GraphProto) -> frozenset[str]:
    found = {tensor.name for tensor in graph.initializer}
    found |= {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        # A subgraph may use tensors that are not among the node's inputs.
        nested = any(a.HasField("g") or a.graphs for a in node.attribute)
        changing = nested or node.op_type in _RANDOM or node.domain not in STANDARD
        if not changing and all(name in found for name in node.input if name):
            found.update(node.output)
    return frozenset(found)
