"""What numbers may differ by where nothing but the order and precision of sums differs.

Units in the last place of the element type, and the length of the sums, decide it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import Array, Tensors
from offloadasp.model.instance import Layer
from offloadasp.network.compare import number_range, unit
from offloadasp.network.convolutions import Convolution
from offloadasp.network.model import Model
from offloadasp.network.operands import Operands

# Sums of 16-bit floats and narrower ones are rounded to 32 bits or better.
_SUM_UNIT = 2.0**-24
# Roundings of a result beside those of its sum: the sum, a factor, a bias, the type.
_ROUNDINGS = 4
# A quantised sum may be rounded up or down; this is a step of 8 bits, of the largest magnitude.
_STEP = 2.0**-7

# The first two axes are of images and channels; of so many values the largest one is no accident.
_IMAGE_AXES = 2
_MANY = 16
# A channel smaller than that part of the tensor may be what is left of sums of the others' size.
_LEAST_CHANNEL = 2.0**-10

# Their results are rounded to whole steps.
_QUANTISING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinear", "QGemm")
# Move or select values and change none, so that a step stays one.
_MOVING = (
    "Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity",
    "MaxPool", "Pad", "Relu", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
)  # fmt: skip


def node_margin(layer: Layer, ready: Operands, found: Array) -> Array:
    """Return what each value of an offloaded node may differ by from the evaluator's.

    A sum of n products in any order errs by at most ``n u / (1 - n u)`` times the sum of absolute
    products (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); both sides do.

    Parameters
    ----------
    ready
        With finite operands.
    found
        The node's output, of a floating-point type.
    """
    absolute = absolute_sums(layer, ready)
    own = unit(found.dtype)
    smallest, _ = number_range(found.dtype)
    terms = _terms(layer)
    sums = 2 * terms * min(own, _SUM_UNIT) * absolute
    bias = 0.0 if ready.bias is None else float(np.abs(ready.bias).max(initial=0.0))
    magnitude = np.abs(np.nan_to_num(found.astype(np.float64), posinf=0.0, neginf=0.0))
    # Each product, too, may be too small for the units of the type.
    return sums + _ROUNDINGS * own * (magnitude + bias) + (_ROUNDINGS + terms) * smallest


def absolute_sums(layer: Layer, ready: Operands) -> Array:
    """Return the sum of absolute products and bias of every output, in the node's shape."""
    bias = None if ready.bias is None else np.abs(ready.bias).astype(np.float64)
    tensors = Tensors(
        x=np.abs(ready.x).astype(np.float64),
        w=np.abs(ready.w).astype(np.float64),
        bias=bias,
        batched=True,
        integer=False,
        largest_sum=math.inf,
    )
    return ready.arrange(convolve(layer, tensors))


@dataclass(frozen=True)
class Margin:
    """What the values of an output of the network may differ by.

    Attributes
    ----------
    relative
        Of the largest finite magnitude that is expected in the same channel, if this is an image:
        channels may be of very different sizes. Else of that in the tensor.
    whole
        Besides, of the largest one in the tensor.
    absolute
        In any case.
    least
        Besides, in steps of the least positive number of the type: where values are too small for
        its units.
    """

    relative: float
    whole: float = 0.0
    absolute: float = 0.0
    least: int = 0

    def of(self, expected: Array) -> Array:
        """Return it for a tensor: float64, one number, or a shape that broadcasts to its."""
        if expected.dtype.kind in "OSUTc":
            return np.zeros(())
        values = np.abs(expected.astype(np.float64))
        smallest, _ = number_range(expected.dtype)
        finite = np.where(np.isfinite(values), values, 0.0)
        most = np.asarray(finite.max(initial=0.0))
        each = most
        if finite.ndim > _IMAGE_AXES and math.prod(finite.shape[_IMAGE_AXES:]) >= _MANY:
            ones = [1] * (finite.ndim - _IMAGE_AXES)
            each = largest(finite, np.empty((*finite.shape[:_IMAGE_AXES], *ones)))
        result: Array = self.relative * np.maximum(each, _LEAST_CHANNEL * most)
        return result + self.whole * most + self.absolute + self.least * smallest


def largest(values: Array, like: Array) -> Array:
    """Return the largest values over the axes that ``like`` does not have, in its shape."""
    axes = tuple(k for k in range(values.ndim) if k >= like.ndim or like.shape[k] == 1)
    found = values.max(axis=axes, initial=0.0, keepdims=True)
    return np.asarray(found.reshape(like.shape))


def output_margins(model: Model, offloaded: Mapping[str, Convolution]) -> dict[str, Margin]:
    """Return the margins of a model's outputs.

    Errors of sums are independent and grow with the root of the length (Higham and Mary, A New
    Approach to Probabilistic Rounding Error Analysis, 2019); along the longest path they add up.
    """
    units: dict[str, float] = {}
    stepped: set[str] = set()
    for node in model.graph.node:
        before = max((units.get(name, 0.0) for name in node.input), default=0.0)
        convolution = offloaded.get(node.output[0]) if node.output else None
        sums = 0.0 if convolution is None else _path(model, node, convolution)
        steps = node.op_type.startswith(_QUANTISING) or not stepped.isdisjoint(node.input)
        for name in node.output:
            units[name] = before + sums + _ROUNDINGS * _unit(model, name)
            if steps:
                stepped.add(name)
    least = sum(_terms(c.layer) + _ROUNDINGS for c in offloaded.values())
    makers = {name: node for node in model.graph.node for name in node.output}
    return {
        value.name: replace(
            _margin(model, value.name, units.get(value.name, 0.0), stepped, makers), least=least
        )
        for value in model.graph.output
    }


def _path(model: Model, node: NodeProto, convolution: Convolution) -> float:
    own = _unit(model, node.output[0])
    return _ROUNDINGS * (own + math.sqrt(_terms(convolution.layer)) * min(own, _SUM_UNIT))


def _terms(layer: Layer) -> int:
    """Return the numbers that are added to one output: products, and a bias."""
    return layer.input[0] // layer.group * math.prod(layer.kernel_shape) + 1


def _margin(
    model: Model, name: str, units: float, stepped: set[str], makers: Mapping[str, NodeProto]
) -> Margin:
    maker = makers.get(name)
    while maker is not None and maker.op_type in _MOVING:
        maker = makers.get(maker.input[0])
    if maker is not None and maker.op_type.startswith(_QUANTISING):
        return Margin(0.0, absolute=1.0)
    if not _unit(model, name):
        return Margin(0.0)
    if name not in stepped:
        return Margin(units)
    scale = None if maker is None else _scale(model, maker)
    return Margin(0.0, whole=units + _STEP) if scale is None else Margin(units, absolute=scale)


def _scale(model: Model, maker: NodeProto) -> float | None:
    """Return the step of a tensor that has just been dequantised, if it is known."""
    if maker.op_type != "DequantizeLinear":
        return None
    for tensor in model.graph.initializer:
        if tensor.name == maker.input[1] and tensor.data_location != TensorProto.EXTERNAL:
            scales = np.asarray(numpy_helper.to_array(tensor)).astype(np.float64)
            return float(np.abs(scales).max(initial=0.0))
    return None


def element_type(model: Model, name: str) -> np.dtype[Any] | None:
    """Return the type of a tensor's elements; None if it is not known, or NumPy has none."""
    kind = model.types.get(name, TensorProto.UNDEFINED)
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    except (KeyError, ValueError, TypeError):
        return None


def _unit(model: Model, name: str) -> float:
    kind = element_type(model, name)
    return 0.0 if kind is None else unit(kind)
