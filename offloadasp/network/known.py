"""What is known of a graph's tensors before it runs: types, and values of small constants."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from offloadasp.network.attributes import attributes
from offloadasp.network.graphs import RANDOM, STANDARD, Shape, shape_of, subgraphs

# Elements of a constant that may decide a shape: sizes, indices, scales.
SMALL = 1024


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


def small(tensor: TensorProto) -> bool:
    """Whether a tensor may decide a shape."""
    return math.prod(tensor.dims) <= SMALL and tensor.data_type != TensorProto.STRING


def fold(node: NodeProto, found: Inferred) -> None:
    """Keep the value of a node's output if it is a small constant."""
    if node.domain not in STANDARD or len(node.output) != 1 or subgraphs(node):
        return
    (name,) = node.output
    value: TensorProto | None = None
    if node.op_type == "Constant":
        stated = attributes(node).get("value")
        if isinstance(stated, TensorProto):
            keep_value(found, name, stated)
            return
    if node.op_type in ("Shape", "Size"):
        value = _size_value(node, found)
    elif node.op_type not in RANDOM and all(entry in found.values for entry in node.input if entry):
        value = _evaluated(node, found)
    if value is not None:
        keep_value(found, name, value)


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
    if shape is None or None in shape or math.prod(size or 0 for size in shape) > SMALL:
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


def keep_value(found: Inferred, name: str, tensor: TensorProto) -> None:
    """Keep the value of a tensor if it is a small constant."""
    if not small(tensor) or tensor.data_location == TensorProto.EXTERNAL:
        return
    try:
        numpy_helper.to_array(tensor)
    except Exception:  # onnx documents no full list for malformed tensors
        return
    found.values[name] = _named(tensor, name)
    found.types[name] = tensor_type(tensor.data_type, tensor.dims)


def _named(tensor: TensorProto, name: str) -> TensorProto:
    if tensor.name == name:
        return tensor
    found = TensorProto()
    found.CopyFrom(tensor)
    found.name = name
    return found


def array(tensor: TensorProto) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Return the value of a tensor."""
    return np.asarray(numpy_helper.to_array(tensor))


def tensor_type(kind: int, dims: Iterable[int]) -> TypeProto:
    """Return the type of a tensor of known shape."""
    return helper.make_tensor_type_proto(kind, list(dims))
