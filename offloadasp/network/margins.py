"""What numbers may differ by where nothing but the order and precision of sums differs.

Units in the last place of the element type, and the length of the sums, decide it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import Array, Tensors
from offloadasp.model.instance import Layer
from offloadasp.network.compare import unit
from offloadasp.network.convolutions import Convolution
from offloadasp.network.model import Model
from offloadasp.network.operands import Operands

# Sums of 16-bit floats and narrower ones are rounded to 32 bits or better.
_SUM_UNIT = 2.0**-24
# Roundings of a result beside those of its sum: the sum, a factor, a bias, the type.
_ROUNDINGS = 4
# A quantised sum may be rounded up or down; this is a step of 8 bits, of the largest magnitude.
_STEP = 2.0**-7

# Their results are rounded to whole steps.
_QUANTISING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinear", "QGemm")
# Move values and change none.
_MOVING = ("Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


def node_margin(layer: Layer, ready: Operands, found: Array, smallest: float) -> Array:
    """Return what each value of an offloaded node may differ by from the evaluator's.

    A sum of n products in any order errs by at most ``n u / (1 - n u)`` times the sum of absolute
    products (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); both sides do.

    Parameters
    ----------
    ready
        With finite operands.
    found
        The node's output, of a floating-point type.
    smallest
        The least positive number of that type.
    """
    absolute = absolute_sums(layer, ready)
    own = unit(found.dtype)
    terms = layer.input[0] // layer.group * math.prod(layer.kernel_shape) + 1
    sums = 2 * terms * min(own, _SUM_UNIT) * absolute
    bias = 0.0 if ready.bias is None else float(np.abs(ready.bias).max(initial=0.0))
    magnitude = np.abs(np.nan_to_num(found.astype(np.float64), posinf=0.0, neginf=0.0))
    return sums + _ROUNDINGS * (own * (magnitude + bias) + smallest)


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
        Of the largest finite magnitude that is expected.
    absolute
        In any case.
    """

    relative: float
    absolute: float

    def of(self, expected: Array) -> float:
        """Return it as a number for a tensor."""
        if expected.dtype.kind in "OSUTc":
            return 0.0
        values = np.abs(expected.astype(np.float64))
        largest = float(values.max(initial=0.0, where=np.isfinite(values)))
        return self.relative * largest + self.absolute


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
            units[name] = before + sums + _ROUNDINGS * unit(_type(model, name))
            if steps:
                stepped.add(name)
    makers = {name: node for node in model.graph.node for name in node.output}
    return {
        value.name: _margin(model, value.name, units.get(value.name, 0.0), stepped, makers)
        for value in model.graph.output
    }


def _path(model: Model, node: NodeProto, convolution: Convolution) -> float:
    layer = convolution.layer
    own = unit(_type(model, node.output[0]))
    terms = layer.input[0] // layer.group * math.prod(layer.kernel_shape) + 1
    return _ROUNDINGS * (own + math.sqrt(terms) * min(own, _SUM_UNIT))


def _margin(
    model: Model, name: str, units: float, stepped: set[str], makers: Mapping[str, NodeProto]
) -> Margin:
    maker = makers.get(name)
    while maker is not None and maker.op_type in _MOVING:
        maker = makers.get(maker.input[0])
    if maker is not None and maker.op_type.startswith(_QUANTISING):
        return Margin(0.0, 1.0)
    if not unit(_type(model, name)):
        return Margin(0.0, 0.0)
    if name not in stepped:
        return Margin(units, 0.0)
    scale = None if maker is None else _scale(model, maker)
    return Margin(units + _STEP, 0.0) if scale is None else Margin(units, scale)


def _scale(model: Model, maker: NodeProto) -> float | None:
    """Return the step of a tensor that has just been dequantised, if it is known."""
    if maker.op_type != "DequantizeLinear":
        return None
    for tensor in model.graph.initializer:
        if tensor.name == maker.input[1] and tensor.data_location != TensorProto.EXTERNAL:
            scales = np.asarray(numpy_helper.to_array(tensor)).astype(np.float64)
            return float(np.abs(scales).max(initial=0.0))
    return None


def _type(model: Model, name: str) -> np.dtype[Any]:
    kind = model.types.get(name, TensorProto.UNDEFINED)
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    except (KeyError, ValueError, TypeError):
        return np.dtype(bool)
