"""Infers shapes and element types from a model's inputs and weights alone, node by node.

Shapes that a file states of inner tensors are not believed: exporters leave stale ones behind. A
node whose inputs contradict each other is remembered with the reason, and inference goes on.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from onnx.reference import ReferenceEvaluator

from offloadasp.network.attributes import BadAttributesError, attributes, read_attributes
from offloadasp.network.fit import misfit, reshape_misfit, times

# None for a dimension that is only known when the model runs.
Shape = tuple[int | None, ...]

STANDARD = ("", "ai.onnx")
"""The domain of the standard operators, by both of its names."""

# Their outputs differ from run to run, so they are no constants though they have no inputs.
RANDOM = frozenset(
    {
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)

# Elements of a constant that may decide a shape: sizes, indices, scales.
_SMALL = 1024
_MESSAGE_LIMIT = 240


@dataclass
class Inferred:
    """What is known of the tensors of a graph before it runs.

    Attributes
    ----------
    proto
        The model.
    types
        By the names of tensors, as far as they are known.
    made
        Those of them that nodes make of their inputs and weights, before any hint; without those
        to which a node that contradicts itself has contributed.
    doubtful
        The latter.
    hinted
        By the names of tensors that a hint completed: its number.
    values
        Of small constants.
    clashes
        By the first output of a node whose inputs, weights and attributes contradict each other:
        the reason.
    causes
        By the name of a tensor of which not all is known: the input or operator that is the
        cause.
    """

    proto: ModelProto
    types: dict[str, TypeProto] = field(default_factory=dict)
    made: dict[str, TypeProto] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    hinted: dict[str, int] = field(default_factory=dict)
    values: dict[str, TensorProto] = field(default_factory=dict)
    clashes: dict[str, str] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)

    def shape(self, name: str) -> Shape | None:
        """Return a shape; None if not even its rank is known."""
        return shape_of(self.types[name]) if name in self.types else None


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
        found.types[tensor.name] = _tensor_type(tensor.data_type, tensor.dims)
        found.causes.pop(tensor.name, None)
        _keep_value(found, tensor.name, tensor)
    for sparse in graph.sparse_initializer:
        kind = sparse.values.data_type
        found.types[sparse.values.name] = _tensor_type(kind, sparse.dims)
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
        if math.prod(tensor.dims) > _SMALL:
            emptied = TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
            tensor.CopyFrom(emptied)
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    except Exception:  # onnx documents no full list
        return {}  # what it refuses has been looked at node by node
    return {value.name: value.type for value in (*inferred.value_info, *inferred.output)}


def small(tensor: TensorProto) -> bool:
    """Whether a tensor may decide a shape."""
    return math.prod(tensor.dims) <= _SMALL and tensor.data_type != TensorProto.STRING


def shape_of(kind: TypeProto) -> Shape | None:
    """Return the shape of a type; None if it is no tensor's or has none."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    # A size below 0 comes from arithmetic that nobody checked, and is none.
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None
        for d in kind.tensor_type.shape.dim
    )


def operator(node: NodeProto) -> str:
    """Return a node's operator, with its domain if that is not the standard one."""
    return node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """Return the graphs that a node holds."""
    found = []
    for entry in node.attribute:
        if entry.type == AttributeProto.GRAPH:
            found.append(entry.g)
        found.extend(entry.graphs)
    return found


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
        _fold(node, found)


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
    if node.op_type == "Reshape" and len(node.input) > 1 and node.input[1] in found.values:
        target = _array(found.values[node.input[1]])
        allow_zero = bool(attributes(node).get("allowzero", 0))
        reason = reshape_misfit(shapes[0], [int(n) for n in target.ravel()], allow_zero=allow_zero)
        return None if reason is None else _Clash(reason)
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
    return f"its inputs {' and '.join(known)} do not fit: {reason}" if known else reason


def first_line(error: BaseException) -> str:
    """Return the beginning of an error's message, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"\s+", " ", lines[0])
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[:_MESSAGE_LIMIT]}..."


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


def _fold(node: NodeProto, found: Inferred) -> None:
    """Keep the value of a node's output if it is a small constant."""
    if node.domain not in STANDARD or len(node.output) != 1 or subgraphs(node):
        return
    (name,) = node.output
    value: TensorProto | None = None
    if node.op_type == "Constant":
        stated = attributes(node).get("value")
        if isinstance(stated, TensorProto):
            _keep_value(found, name, stated)
            return
    if node.op_type in ("Shape", "Size"):
        value = _size_value(node, found)
    elif node.op_type not in RANDOM and all(entry in found.values for entry in node.input if entry):
        value = _evaluated(node, found)
    if value is not None:
        _keep_value(found, name, value)


def _size_value(node: NodeProto, found: Inferred) -> TensorProto | None:
    shape = found.shape(node.input[0])
    if shape is None:
        return None
    given = attributes(node)
    if node.op_type == "Shape":
        shape = shape[slice(given.get("start", 0), given.get("end", None))]
    known = [size for size in shape if size is not None]
    if len(known) < len(shape):
        return None
    sizes = np.array(known if node.op_type == "Shape" else math.prod(known), np.int64)
    return numpy_helper.from_array(sizes, node.output[0])


def _evaluated(node: NodeProto, found: Inferred) -> TensorProto | None:
    shape = found.shape(node.output[0])
    if shape is None or None in shape or math.prod(size or 0 for size in shape) > _SMALL:
        return None
    graph = helper.make_graph(
        [node],
        "constant",
        [],
        [helper.make_value_info(node.output[0], found.types[node.output[0]])],
        [_named(found.values[name], name) for name in dict.fromkeys(filter(None, node.input))],
    )
    proto = found.proto
    model = helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    try:
        with np.errstate(all="ignore"):
            (value,) = ReferenceEvaluator(model).run(None, {})
        return numpy_helper.from_array(np.asarray(value), node.output[0])
    except Exception:  # whatever an operator raises: then it is not known
        return None


def _keep_value(found: Inferred, name: str, tensor: TensorProto) -> None:
    if not small(tensor) or tensor.data_location == TensorProto.EXTERNAL:
        return
    try:
        numpy_helper.to_array(tensor)
    except Exception:  # onnx documents no full list for malformed tensors
        return
    found.values[name] = _named(tensor, name)
    found.types[name] = _tensor_type(tensor.data_type, tensor.dims)


def _named(tensor: TensorProto, name: str) -> TensorProto:
    if tensor.name == name:
        return tensor
    found = TensorProto()
    found.CopyFrom(tensor)
    found.name = name
    return found


def _array(tensor: TensorProto) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return np.asarray(numpy_helper.to_array(tensor))


def _tensor_type(kind: int, dims: Iterable[int]) -> TypeProto:
    return helper.make_tensor_type_proto(kind, list(dims))
