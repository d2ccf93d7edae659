"""Infers shapes and element types from a model's inputs and weights alone, node by node.

Shapes that a file states of inner tensors are not believed: exporters leave stale ones behind. A
node whose inputs contradict each other is remembered with the reason, and inference goes on.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, helper

from offloadasp.network.attributes import BadAttributesError, attributes, read_attributes
from offloadasp.network.fit import misfit, reshape_misfit, times
from offloadasp.network.graphs import STANDARD, Shape, first_line, operator, shape_of, subgraphs
from offloadasp.network.known import SMALL, Inferred, array, fold, keep_value, tensor_type


def infer(
    proto: ModelProto,
    hints: Sequence[Mapping[str, TypeProto]] = (),
    inputs: Sequence[ValueInfoProto] | None = None,
) -> Inferred:
    """Infer what is known of the tensors of a model.

    Parameters
    ----------
    proto
        A valid model without local functions, small tensors in files of their own loaded.
    hints
        By the names of tensors: what others say of them. Where a node leaves something open, the
        first one that knows it is believed.
    inputs
        What to take for the model's inputs; None: as they are.
    """
    found = Inferred(proto)
    graph = proto.graph
    for value in graph.input if inputs is None else inputs:
        found.types[value.name] = value.type
        cause = _open_input(value.name, value.type)
        if cause is not None:
            found.causes[value.name] = cause
    for tensor in graph.initializer:
        found.types[tensor.name] = tensor_type(tensor.data_type, tensor.dims)
        found.causes.pop(tensor.name, None)
        keep_value(found, tensor.name, tensor)
    for sparse in graph.sparse_initializer:
        kind = sparse.values.data_type
        found.types[sparse.values.name] = tensor_type(kind, sparse.dims)
    for node in graph.node:
        _infer_node(node, found, hints)
    return found


def whole_types(proto: ModelProto) -> dict[str, TypeProto]:
    """Return what ONNX's inference of a whole graph finds of its tensors, stated ones cleared.

    It follows sizes of which only some are known through the nodes that compute with sizes. Large
    weights are left out; their shapes say all that is needed.
    """
    bare = ModelProto()
    bare.CopyFrom(proto)
    graph = bare.graph
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > SMALL:
            emptied = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
            tensor.CopyFrom(emptied)
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    except Exception:  # onnx documents no full list
        return {}  # what it refuses has been looked at node by node
    return {value.name: value.type for value in (*inferred.value_info, *inferred.output)}


def _infer_node(node: NodeProto, found: Inferred, hints: Sequence[Mapping[str, TypeProto]]) -> None:
    known: dict[str, TypeProto] = {}
    outputs = [name for name in node.output if name]
    clash = _clash(node, found)
    if clash is None or clash.may_go_on:
        try:
            known = _outputs(node, found)
        except Exception as error:  # of onnx, which documents no full list
            clash = clash or _Clash(_contradiction(node, found, error))
    if clash is not None and node.output:
        found.clashes[node.output[0]] = clash.reason
    if clash is not None or not found.doubtful.isdisjoint(node.input):
        found.doubtful.update(outputs)
    for name in outputs:
        _keep_type(found, name, known.get(name), hints if clash is None else ())
        if _open(found.types.get(name)):
            found.causes[name] = _cause(node, found)
    if clash is None:
        fold(node, found)


def _keep_type(
    found: Inferred, name: str, kind: TypeProto | None, hints: Sequence[Mapping[str, TypeProto]]
) -> None:
    """Keep what a node tells of an output, and what hints add."""
    if kind is not None and kind.WhichOneof("value") is not None:
        found.types[name] = kind
        if name not in found.doubtful:
            found.made[name] = kind
    for number, hint in enumerate(hints):
        if name in hint and _fill(found, name, hint[name]):
            found.hinted.setdefault(name, number)


@dataclass(frozen=True)
class _Clash:
    """Why a node cannot be; ``may_go_on``: whether its output's shape is known all the same."""

    reason: str
    may_go_on: bool = False


def _clash(node: NodeProto, found: Inferred) -> _Clash | None:
    if node.domain not in STANDARD:
        return None
    try:
        given = read_attributes(node)
    except BadAttributesError as error:
        return _Clash(str(error))
    shapes = [found.shape(name) if name else None for name in node.input]
    reason = misfit(node.op_type, given, shapes)
    if reason is not None:
        return _Clash(reason, may_go_on=True)
    reason = _target_misfit(node, shapes[0] if shapes else None, found)
    return None if reason is None else _Clash(reason)


def _target_misfit(node: NodeProto, x: Shape | None, found: Inferred) -> str | None:
    """Say why a tensor cannot have the constant shape that a node is to give it."""
    number = {"Reshape": 1, "Resize": 3}.get(node.op_type)
    if number is None or len(node.input) <= number or node.input[number] not in found.values:
        return None
    target = [int(size) for size in array(found.values[node.input[number]]).ravel()]
    given = attributes(node)
    if node.op_type == "Reshape":
        return reshape_misfit(x, target, allow_zero=bool(given.get("allowzero", 0)))
    # An image more or less is no other size: exporters write down the batch that they saw.
    if x and "axes" not in given and len(target) == len(x) and x[0] not in (None, target[0]):
        return f"its sizes {times(target)} do not keep the batch of its input {times(x)}"
    return None


def _outputs(node: NodeProto, found: Inferred) -> dict[str, TypeProto]:
    """Return the types of a node's outputs as far as its operator's definition tells them.

    Raises
    ------
    Exception
        Of ONNX: the inputs contradict each other.
    """
    proto = found.proto
    domain = "" if node.domain in STANDARD else node.domain
    imports = [
        helper.make_opsetid("" if e.domain in STANDARD else e.domain, e.version)
        for e in proto.opset_import
    ]
    versions = [entry.version for entry in imports if entry.domain == domain]
    if not versions or not onnx.defs.has(node.op_type, domain):
        return {}
    try:
        schema = onnx.defs.get_schema(node.op_type, max(versions), domain)
    except onnx.defs.SchemaError:
        return {}
    inner = bool(subgraphs(node))
    names = found.types.keys() if inner else dict.fromkeys(filter(None, node.input))
    types = {name: found.types[name] for name in names if name in found.types}
    if any(name not in types for name in node.input if name):
        return {}
    values = {name: found.values[name] for name in node.input if name in found.values}
    return dict(
        onnx.shape_inference.infer_node_outputs(
            schema, node, types, values, opset_imports=imports, ir_version=proto.ir_version
        )
    )


def _contradiction(node: NodeProto, found: Inferred, error: Exception) -> str:
    shapes = [found.shape(name) for name in node.input if name]
    known = [times(shape) for shape in shapes if shape is not None]
    reason = re.sub(r"^\[\w+\]\s*", "", first_line(error)).rstrip(".")
    if re.search(r"type", reason):
        return f"the types of its inputs do not fit: {reason}"
    return f"its inputs {' and '.join(known)} do not fit: {reason}" if known else reason


def _open(kind: TypeProto | None) -> bool:
    """Whether something of a tensor is not known; what is no tensor is left to its operator."""
    if kind is None:
        return True
    if not kind.HasField("tensor_type"):
        return False
    shape = shape_of(kind)
    return not kind.tensor_type.elem_type or shape is None or None in shape


def _open_input(name: str, kind: TypeProto) -> str | None:
    if not _open(kind):
        return None
    shape = shape_of(kind)
    if shape is None:
        return f"the input {name} of the model, whose shape is not declared"
    return f"the input {name} of the model, which is declared {times(shape)}"


def _cause(node: NodeProto, found: Inferred) -> str:
    """Return what keeps a node's outputs from being known."""
    if node.output and node.output[0] in found.clashes:
        return f"{node.name or node.output[0]} ({operator(node)}), which cannot be"
    for name in node.input:
        if name in found.causes:
            return found.causes[name]
    return operator(node)


def _fill(found: Inferred, name: str, more: TypeProto) -> bool:
    """Take over what a hint knows of a tensor and inference does not; say if it was anything."""
    known = found.types.get(name)
    if not _open(known) or more.WhichOneof("value") is None:
        return False
    if known is None or not more.HasField("tensor_type"):
        found.types[name] = more
        return True
    ours, theirs = shape_of(known), shape_of(more)
    merged = ours
    if ours is None:
        merged = theirs
    elif theirs is not None and len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        merged = tuple(b if a is None else a for a, b in pairs)
    kind = known.tensor_type.elem_type or more.tensor_type.elem_type
    if (kind, merged) == (known.tensor_type.elem_type, ours):
        return False
    found.types[name] = helper.make_tensor_type_proto(kind, merged)
    return True
