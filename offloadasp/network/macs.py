"""Counts the multiply-accumulates of nodes that are not offloaded, where shapes tell them.

Those with padding count, as they do in layers.
"""

import math
from collections.abc import Callable, Sequence

from onnx import NodeProto
from pydantic import ValidationError

from offloadasp.network.attributes import BadAttributesError, attributes, read_attributes
from offloadasp.network.model import Model
from offloadasp.network.nodes import Node, Unfit, convolution
from offloadasp.network.shapes import STANDARD, subgraphs

_Sizes = tuple[int, ...] | None


def macs(model: Model, node: NodeProto) -> int | None:
    """Return the multiply-accumulates of a node of the main graph; None if they are not known."""
    if all(name in model.constants for name in node.input if name) and not subgraphs(node):
        return 0  # computed before the network runs
    inputs = [_sizes(model, name) for name in node.input]
    inputs += [None] * (10 - len(inputs))
    if node.domain == "com.microsoft":
        fused = _FUSED.get(node.op_type)
        return None if fused is None else fused(model, node, inputs)
    if node.domain not in STANDARD or not node.output or node.output[0] in model.clashes:
        return None
    count = _COUNTS.get(node.op_type)
    return None if count is None else count(node, inputs, _sizes(model, node.output[0]))


def _sizes(model: Model, name: str) -> _Sizes:
    shape = model.shapes.get(name)
    if shape is None or None in shape:
        return None
    return tuple(size or 0 for size in shape)


def _convolutions(weight: int) -> Callable[[NodeProto, Sequence[_Sizes], _Sizes], int | None]:
    """Count a window of the weight for every output."""

    def count(_: NodeProto, inputs: Sequence[_Sizes], made: _Sizes) -> int | None:
        w = inputs[weight]
        return None if w is None or made is None else math.prod(made) * math.prod(w[1:])

    return count


def _transposed(_: NodeProto, inputs: Sequence[_Sizes], __: _Sizes) -> int | None:
    """Count a window of the weight for every element of the input."""
    x, w = inputs[0], inputs[1]
    return None if x is None or w is None else math.prod(x) * math.prod(w[1:])


def _product(node: NodeProto, inputs: Sequence[_Sizes], made: _Sizes) -> int | None:
    a = inputs[0]
    if a is None or made is None or not a:
        return None
    turned = node.op_type == "Gemm" and read_attributes(node).transA
    return math.prod(made) * (a[0] if turned else a[-1])


def _recurrent(_: NodeProto, inputs: Sequence[_Sizes], __: _Sizes) -> int | None:
    """Count both matrices for every step of every sequence."""
    x, w, r = inputs[0], inputs[1], inputs[2]
    if x is None or w is None or r is None or len(x) != 3:
        return None
    return x[0] * x[1] * (math.prod(w) + math.prod(r))


def _einsum(node: NodeProto, inputs: Sequence[_Sizes], _: _Sizes) -> int | None:
    """Count every combination of indices, as a sum without intermediate results does."""
    equation = attributes(node).get("equation", b"").decode(errors="replace").replace(" ", "")
    terms = equation.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, inputs, strict=False):
        if shape is None or len(term) != len(shape) or not term.isalpha():
            return None
        sizes.update(zip(term, shape, strict=True))
    return math.prod(sizes.values())


def _fused_convolution(model: Model, node: NodeProto, _: Sequence[_Sizes]) -> int | None:
    try:
        layer, images = convolution(Node(model, node), 1, 2)
    except (Unfit, BadAttributesError, ValidationError, TypeError, ValueError):
        return None
    return layer.macs * images


def _packed_product(_: Model, node: NodeProto, inputs: Sequence[_Sizes]) -> int | None:
    x, given = inputs[0], attributes(node)
    inner, columns = given.get("K"), given.get("N")
    if x is None or not x or not isinstance(inner, int) or not isinstance(columns, int):
        return None
    return math.prod(x[:-1]) * inner * columns


_COUNTS: dict[str, Callable[[NodeProto, Sequence[_Sizes], _Sizes], int | None]] = {
    "Conv": _convolutions(1),
    "ConvInteger": _convolutions(1),
    "ConvTranspose": _transposed,
    "DeformConv": _convolutions(1),
    "Einsum": _einsum,
    "GRU": _recurrent,
    "Gemm": _product,
    "LSTM": _recurrent,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearConv": _convolutions(3),
    "QLinearMatMul": _product,
    "RNN": _recurrent,
}
_FUSED: dict[str, Callable[[Model, NodeProto, Sequence[_Sizes]], int | None]] = {
    "FusedConv": _fused_convolution,
    "MatMulNBits": _packed_product,
}
