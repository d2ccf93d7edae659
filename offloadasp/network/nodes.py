"""Reads a node of a model as a layer, with the semantics of ONNX, or says why it is none."""

import math
from collections.abc import Callable, Sequence

from onnx import NodeProto, TensorProto

from offloadasp.model.instance import Layer
from offloadasp.network.attributes import Attributes, read_attributes
from offloadasp.network.fit import explicit_pads, times
from offloadasp.network.graphs import Shape, operator
from offloadasp.network.model import Model

FLOATS = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
)
"""Element types that a machine's toolchain may convert."""

_WHOLE = (TensorProto.INT32, TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64)
_BYTES = (TensorProto.INT8, TensorProto.UINT8)


class Unfit(Exception):  # noqa: N818 (a reason, and nobody's error)
    """A node cannot be offloaded; the message says why."""


class Node:
    """A node with the shapes of its tensors.

    Every method takes the number of one of the node's inputs, and what it is for a message.

    Raises
    ------
    Unfit
        The node's inputs, weights and attributes contradict each other.
    """

    def __init__(self, model: Model, node: NodeProto) -> None:
        reason = model.clashes.get(node.output[0]) if node.output else None
        if reason is not None:
            raise Unfit(reason)
        self.model, self.node = model, node
        self.attributes: Attributes = read_attributes(node)

    def given(self, number: int) -> bool:
        """Whether an optional input is there."""
        return len(self.node.input) > number and self.node.input[number] != ""

    def constant(self, number: int) -> bool:
        """Whether it is the same in every run."""
        return self.node.input[number] in self.model.constants

    def require_constant(self, number: int, what: str) -> None:
        """Refuse an input that is computed at run time."""
        if self.given(number) and not self.constant(number):
            raise Unfit(f"its {what} is computed at run time")

    def shape(self, number: int, what: str) -> Shape:
        """Return its shape, of which the rank at least must be known, and which must hold data."""
        shape = self.model.shapes.get(self.node.input[number])
        if shape is None:
            raise self.unknown("shape", number, what)
        if 0 in shape:
            declared = ((v.name, self.model.shapes.get(v.name)) for v in self.model.inputs)
            empty = next(((name, sizes) for name, sizes in declared if sizes and 0 in sizes), None)
            cause = f": the input {empty[0]} is declared {times(empty[1])}" if empty else ""
            raise Unfit(f"its {what} {times(shape)} is empty{cause}")
        return shape

    def unknown(self, feature: str, number: int, what: str) -> Unfit:
        """Return the reason that an input's shape or type is not known, with the cause of it."""
        name = self.node.input[number]
        cause = self.model.causes.get(name)
        maker = next((n for n in self.model.graph.node if name in n.output), None)
        if cause is None or cause.startswith(f"the input {name} "):
            source = ""
        elif maker is not None and cause == operator(maker):
            source = f", which {cause} makes,"
        else:
            source = f", which depends on {cause},"
        return Unfit(f"the {feature} of its {what}{source} is not known before it runs")

    def sizes(self, number: int, what: str) -> tuple[int, ...]:
        """Return a shape of which every dimension is known."""
        shape = self.shape(number, what)
        found = [size for size in shape if size is not None]
        if len(found) < len(shape):
            raise self.unknown("shape", number, what)
        return tuple(found)

    def require_types(self, numbers: Sequence[int], allowed: Sequence[int]) -> None:
        """Refuse inputs of other element types."""
        for number in numbers:
            kind = self.model.types.get(self.node.input[number], TensorProto.UNDEFINED)
            if kind == TensorProto.UNDEFINED:
                raise self.unknown("type", number, "input")
            if kind not in allowed:
                known = kind in TensorProto.DataType.values()
                name = TensorProto.DataType.Name(kind).lower() if known else f"of type {kind}"
                raise Unfit(f"its elements are {name}")


def convolution(node: Node, weight: int, bias: int | None) -> tuple[Layer, int]:
    """Read ``Conv`` and its kin; ``weight`` and ``bias`` are numbers of inputs.

    Raises
    ------
    Unfit
        It cannot be offloaded.
    """
    w = node.sizes(weight, "weight")
    x = node.shape(0, "input")
    axes = len(w) - 2
    if axes not in (1, 2):
        raise Unfit(f"{axes}-D; 1-D and 2-D convolutions can be offloaded")
    if node.constant(0):
        raise Unfit("its input is constant: it is computed before the network runs")
    node.require_constant(weight, "weight")
    if bias is not None:
        node.require_constant(bias, "bias")
    if None in x[1:]:
        raise node.unknown("channels, height or width", 0, "input")
    if None in x:
        raise node.unknown("batch", 0, "input")
    sizes = [size or 0 for size in x]
    at = node.attributes
    kernel = list(w[2:])
    strides, dilations = list(at.strides or [1] * axes), list(at.dilations or [1] * axes)
    pads = explicit_pads(at, sizes[2:], kernel)
    # A 1-D convolution is one of height 1.
    flat = [1] * (2 - axes)
    layer = Layer(
        input=(sizes[1], *flat, *sizes[2:]),
        kernels=w[0],
        kernel_shape=(*flat, *kernel),
        strides=(*flat, *strides),
        pads=(*[0] * (2 - axes), *pads[:axes], *[0] * (2 - axes), *pads[axes:]),
        dilations=(*flat, *dilations),
        group=at.group,
        bias=bias is not None and node.given(bias),
    )
    return layer, sizes[0]


def _conv(node: Node) -> tuple[Layer, int]:
    node.require_types((0, 1), FLOATS)
    return convolution(node, 1, 2)


def _conv_integer(node: Node) -> tuple[Layer, int]:
    node.require_types((0, 1), _BYTES)
    # The input's zero point may change from run to run, as with DynamicQuantizeLinear.
    node.require_constant(3, "weight's zero point")
    return convolution(node, 1, None)


def _qlinear_conv(node: Node) -> tuple[Layer, int]:
    # Scales, and the zero points of input and output, are the host's: it requantises.
    node.require_types((0, 3), _BYTES)
    node.require_constant(5, "weight's zero point")
    return convolution(node, 3, 8)


def _gemm(node: Node) -> tuple[Layer, int]:
    """Read ``alpha * A' * B' + beta * C``: the constant matrix holds the kernels."""
    node.require_types((0, 1), FLOATS)
    a, b = node.sizes(0, "input"), node.sizes(1, "weight")
    rows, inner = a[::-1] if node.attributes.transA else a
    columns = b[0] if node.attributes.transB else b[1]
    left = _weights_left(node)
    kernels, positions = (rows, columns) if left else (columns, rows)
    bias = node.given(2)
    if bias:
        node.require_constant(2, "C")
        c = (1, 1, *node.sizes(2, "C"))[-2:]
        # What C holds must depend on the kernel only, as a bias does.
        if c[1 if left else 0] != 1 and positions > 1:
            raise Unfit(f"its C of shape {times(c)} differs from position to position")
    return _product(inner, kernels, positions, bias=bias), 1


def _matmul(node: Node) -> tuple[Layer, int]:
    """Read a product of which one matrix is constant; that one holds the kernels."""
    node.require_types((0, 1), FLOATS + _WHOLE)
    left = _weights_left(node)
    w = node.sizes(0 if left else 1, "weight")
    x = node.sizes(1 if left else 0, "input")
    if len(w) > 2:
        raise Unfit(f"its weight is a stack of matrices, {times(w)}")
    if left:
        # Each matrix of a stack is an image, its columns are the positions.
        *stack, inner, positions = x if len(x) > 1 else (*x, 1)
        return _product(inner, w[0] if len(w) > 1 else 1, positions), math.prod(stack)
    # Every row of every matrix is a position.
    *rows, inner = x
    return _product(inner, w[1] if len(w) > 1 else 1, math.prod(rows)), 1


def _weights_left(node: Node) -> bool:
    if node.constant(0) and node.constant(1):
        raise Unfit("its inputs are constant: it is computed before the network runs")
    if not (node.constant(0) or node.constant(1)):
        raise Unfit("its weight is computed at run time")
    return node.constant(0)


def _product(inner: int, kernels: int, positions: int, *, bias: bool = False) -> Layer:
    return Layer(input=(inner, 1, positions), kernels=kernels, kernel_shape=(1, 1), bias=bias)


READERS: dict[str, Callable[[Node], tuple[Layer, int]]] = {
    "Conv": _conv,
    "ConvInteger": _conv_integer,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "QLinearConv": _qlinear_conv,
}
"""By operator: what returns a node's layer, and how often it runs. Raises `Unfit`, or pydantic's
``ValidationError`` where the layer exceeds what instances may hold."""
