"""Reads an ONNX model, checks it, fills in its batch, and infers its shapes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto
from onnx.external_data_helper import uses_external_data

from offloadasp.base.errors import InputError
from offloadasp.network.declared import (
    Batch,
    fill_batch,
    impossible,
    require_batch,
    require_inputs,
    require_outputs,
    stale,
)
from offloadasp.network.foreign import BEGINNING, is_instead
from offloadasp.network.graphs import RANDOM, STANDARD, Shape, first_line, shape_of, subgraphs
from offloadasp.network.known import Inferred, small
from offloadasp.network.shapes import infer, whole_types
from offloadasp.network.tensor_data import (
    every_tensor,
    functions_tensors,
    read_external,
    require_data,
)


@dataclass(frozen=True, eq=False)
class Model:
    """A model and what is known of it before it runs.

    Attributes
    ----------
    path
        Where it was read.
    proto
        The model with every symbolic batch replaced and local functions inlined. Large data that
        it keeps in files of their own are not loaded.
    shapes
        By the names of tensors, as far as they could be inferred.
    types
        Likewise the element types, values of ``TensorProto.DataType``.
    constants
        Tensors that are the same in every run: initializers, and what is computed from them. An
        initializer that an input may replace counts with the value that it has by default.
    clashes
        By the first output of a node whose inputs, weights and attributes contradict each other:
        the reason.
    causes
        By the name of a tensor of which not all is known before the model runs: the input or the
        operator that is the cause.
    notes
        Sentences on what the file states and inference contradicts or had to believe.
    """

    path: Path
    proto: ModelProto
    shapes: Mapping[str, Shape]
    types: Mapping[str, int]
    constants: frozenset[str]
    clashes: Mapping[str, str]
    causes: Mapping[str, str]
    notes: tuple[str, ...] = ()

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
        its weights, has no symbolic batch though one is given, or declares an input, an output or
        a batch that cannot be.
    """
    proto = _read(path)
    _require_known_versions(path, proto)
    require_data(path, proto)
    _check(path, proto)
    require_inputs(path, proto.graph)
    if proto.functions:
        try:
            proto = onnx.inliner.inline_local_functions(proto)
        except Exception as error:  # onnx documents no full list
            reason = first_line(error)
            raise InputError(f"{path}: its functions cannot be inlined: {reason}") from None
    for tensor in every_tensor(proto.graph):
        if uses_external_data(tensor) and small(tensor):
            tensor.CopyFrom(read_external(path, tensor))
    filled = fill_batch(path, proto.graph, batch)
    found, notes = _infer(proto, filled)
    require_batch(path, found, proto.graph, filled)
    require_outputs(path, found, proto.graph, filled)
    notes += impossible(found, proto.graph)
    kinds = {name: kind for name, kind in found.types.items() if kind.HasField("tensor_type")}
    shapes = {name: shape_of(kind) for name, kind in kinds.items()}
    return Model(
        path,
        proto,
        {name: shape for name, shape in shapes.items() if shape is not None},
        {name: kind.tensor_type.elem_type for name, kind in kinds.items()},
        constants_of(proto.graph),
        found.clashes,
        found.causes,
        tuple(notes),
    )


def node_name(node: NodeProto) -> str:
    """Return how a node is called: its name, or its first output's, or its operator."""
    return node.name or next(filter(None, node.output), node.op_type)


def _infer(proto: ModelProto, batch: Batch) -> tuple[Inferred, list[str]]:
    """Infer shapes; return them with notes on what the file states of inner tensors."""
    stored = {value.name: value.type for value in proto.graph.value_info}
    found = infer(proto)
    if not found.causes:
        return found, stale(found, stored)
    # What inputs leave open is open indeed, and a stated batch may be of another run.
    needed = {value.name for value in proto.graph.input}
    believed = batch.size == 1 and not needed & found.causes.keys()
    hints: list[dict[str, TypeProto]] = [whole_types(proto)]
    if believed:
        hints += [stored, {value.name: value.type for value in proto.graph.output}]
    found = infer(proto, hints)
    notes = stale(found, stored)
    taken = [name for name, hint in found.hinted.items() if hint == 1]
    if taken:
        more = f" and of {len(taken) - 1} more tensors" if len(taken) > 1 else ""
        notes.append(
            f"what the file states of {taken[0]}{more} is believed, as nothing else tells it"
        )
    return found, notes


def _check(path: Path, proto: ModelProto) -> None:
    """Have ONNX's checker look at a model, in memory.

    It demands shapes of inputs and outputs, which the format leaves optional; those without get one
    of no dimensions. In a file of its own it refuses data that are links or have two names, as the
    caches of downloads keep them. What is in such files has been looked at, and is left out.
    """
    bare = [v for v in (*proto.graph.input, *proto.graph.output) if _shapeless(v)]
    outside = map(uses_external_data, (*every_tensor(proto.graph), *functions_tensors(proto)))
    checked = proto
    if bare or any(outside):
        checked = ModelProto()
        checked.CopyFrom(proto)
        graph = checked.graph
        for value in filter(_shapeless, (*graph.input, *graph.output)):
            value.type.tensor_type.shape.SetInParent()
        for sparse in graph.sparse_initializer:
            for tensor in filter(uses_external_data, (sparse.values, sparse.indices)):
                tensor.CopyFrom(read_external(path, tensor))
        inner = (*every_tensor(graph), *functions_tensors(checked))
        for tensor in filter(uses_external_data, inner):
            empty = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0])
            tensor.CopyFrom(empty)
    try:
        onnx.checker.check_model(checked)
    except Exception as error:  # the checker documents no full list
        raise InputError(f"{path}: is not a valid ONNX model: {first_line(error)}") from None


def _shapeless(value: ValueInfoProto) -> bool:
    kind = value.type
    return kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape")


def _read(path: Path) -> ModelProto:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        foreign = is_instead(data[:BEGINNING])
        raise InputError(f"{path}: is not an ONNX model, or is truncated{foreign}") from None
    if not proto.ir_version or not proto.HasField("graph"):
        foreign = is_instead(data[:BEGINNING]) or ": it holds no graph"
        raise InputError(f"{path}: is not an ONNX model, or is truncated{foreign}")
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


def constants_of(graph: GraphProto, outer: Collection[str] = ()) -> frozenset[str]:
    """Return the tensors of a graph that are the same in every run, with those of ``outer``.

    ``outer`` are the constants that a subgraph sees around it.
    """
    found = {*outer, *(tensor.name for tensor in graph.initializer)}
    found |= {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        # A subgraph may use tensors that are not among the node's inputs.
        changing = bool(subgraphs(node)) or node.op_type in RANDOM or node.domain not in STANDARD
        if not changing and all(name in found for name in node.input if name):
            found.update(node.output)
    return frozenset(found)
