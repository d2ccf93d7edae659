"""Converts a node's tensors into the tensors of its layer, and the layer's output back.

The counterpart of `nodes`, which turns a node into a layer; here the numbers follow. In both,
products of matrices are 1 x 1 convolutions over an output one row high.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offloadasp.base.errors import InputError
from offloadasp.judge.simulator.tensors import Array

Attributes = Mapping[str, Any]
Inputs = Sequence[Array | None]


@dataclass(frozen=True, eq=False)
class Operands:
    """What a layer computes with.

    Attributes
    ----------
    x
        Shape (B, C, H, W).
    w
        Shape (M, C/G, Kh, Kw).
    bias
        Shape (M,), or None.
    arrange
        Gives the layer's output, shape (B, M, Ho, Wo), the shape of the node's.
    convert
        Turns its values, int64 or float64, into the node's.
    requantised
        Whether these are rounded to steps.
    """

    x: Array
    w: Array
    bias: Array | None
    arrange: Callable[[Array], Array]
    convert: Callable[[Array], Array]
    requantised: bool = False

    def finish(self, out: Array) -> Array:
        """Turn the layer's output, shape (B, M, Ho, Wo), int64 or float64, into the node's."""
        return self.convert(self.arrange(out))


def operands(op: str, inputs: Inputs, attributes: Attributes, *, weights_left: bool) -> Operands:
    """Return the operands of a node.

    Parameters
    ----------
    op
        One of `offloadasp.network.nodes.READERS`.
    inputs
        The node's, in their order; None or left out at the end where an optional one is missing.
    weights_left
        Whether the first factor of a matrix product is the constant one.

    Raises
    ------
    InputError
        Its scales cannot requantise.
    """
    padded = [*inputs, *[None] * (9 - len(inputs))]
    if op == "Gemm":
        return _gemm(padded, attributes, left=weights_left)
    if op == "MatMul":
        return _matmul(padded, left=weights_left)
    return _OPERANDS[op](padded)


def _conv(inputs: Inputs) -> Operands:
    x, w, bias = inputs[0], inputs[1], inputs[2]
    assert x is not None
    assert w is not None
    return _images(_wide(x), _wide(w), _maybe(bias), lambda out: out.astype(x.dtype))


def _conv_integer(inputs: Inputs) -> Operands:
    x, w = _centred(inputs[0], inputs[2]), _centred(inputs[1], inputs[3])
    return _images(x, w, None, lambda out: out.astype(np.int32))


def _qlinear_conv(inputs: Inputs) -> Operands:
    x, w = _centred(inputs[0], inputs[2]), _centred(inputs[3], inputs[5])
    _, x_scale, _, _, w_scale, _, y_scale, y_zero, bias = inputs
    assert inputs[0] is not None
    assert x_scale is not None
    assert w_scale is not None
    assert y_scale is not None
    kind = inputs[0].dtype if y_zero is None else y_zero.dtype
    with np.errstate(all="ignore"):
        factor = np.asarray(x_scale * w_scale / y_scale)
    if not np.isfinite(factor).all():
        raise InputError("its scales are not finite, or that of its output is 0")

    def convert(out: Array) -> Array:
        # One scale for all kernels, or one each.
        scaled = out.astype(np.int32) * np.reshape(factor, (-1, *[1] * (out.ndim - 2)))
        shifted = scaled if y_zero is None else scaled + y_zero
        limits = np.iinfo(kind)
        rounded: Array = np.round(np.clip(shifted, limits.min, limits.max)).astype(kind)
        return rounded

    return _images(x, w, bias, convert, requantised=True)


def _gemm(inputs: Inputs, attributes: Attributes, *, left: bool) -> Operands:
    a, b, c = inputs[0], inputs[1], inputs[2]
    assert a is not None
    assert b is not None
    kind = a.dtype
    first = _wide(a.T if attributes.get("transA", 0) else a)
    second = _wide(b.T if attributes.get("transB", 0) else b)
    # Kernels are rows of the constant factor; the columns of the other one are the positions.
    w, x = (first, second) if left else (second.T, first.T)
    bias = None
    if c is not None:
        # The same for every position, so that one column tells all.
        whole = np.broadcast_to(_wide(c), (len(first), second.shape[1]))
        bias = (whole[:, 0] if left else whole[0]) * attributes.get("beta", 1.0)
    w = w * attributes.get("alpha", 1.0)

    return Operands(
        x[None, :, None],
        w[:, :, None, None],
        bias,
        lambda out: out[0, :, 0] if left else out[0, :, 0].T,
        lambda out: out.astype(kind),
    )


def _matmul(inputs: Inputs, *, left: bool) -> Operands:
    a, b = inputs[0], inputs[1]
    assert a is not None
    assert b is not None
    kind = np.result_type(a, b)
    w, x = (_wide(a), _wide(b)) if left else (_wide(b), _wide(a))
    if left:
        # A vector counts as a matrix of one column, or one row, which the result then lacks.
        columns = x if x.ndim > 1 else x[:, None]
        stack = columns.reshape(-1, *columns.shape[-2:])
        shape = (*columns.shape[:-2], *w.shape[:-1], *x.shape[-1:][: x.ndim - 1])
        kernels = w.reshape(-1, w.shape[-1])
        return Operands(
            stack[:, :, None],
            kernels[:, :, None, None],
            None,
            lambda out: out[:, :, 0].reshape(shape),
            lambda out: out.astype(kind),
        )
    rows = x.reshape(-1, x.shape[-1])
    kernels = w.reshape(len(w), -1).T
    shape = (*x.shape[:-1], *w.shape[1:])
    return Operands(
        rows.T[None, :, None],
        kernels[:, :, None, None],
        None,
        lambda out: out[0, :, 0].T.reshape(shape),
        lambda out: out.astype(kind),
    )


def _images(
    x: Array,
    w: Array,
    bias: Array | None,
    convert: Callable[[Array], Array],
    *,
    requantised: bool = False,
) -> Operands:
    """Join the operands of a convolution of one or two axes; one axis is of height 1."""
    if x.ndim == 4:
        return Operands(x, w, bias, lambda out: out, convert, requantised)
    return Operands(
        x[:, :, None], w[:, :, None], bias, lambda out: out[:, :, 0], convert, requantised
    )


def _centred(data: Array | None, zero: Array | None) -> Array:
    """Subtract a zero point: one for all, or one for each of the first axis."""
    assert data is not None
    if zero is None:
        return data.astype(np.int64)
    shape = (-1, *[1] * (data.ndim - 1)) if np.size(zero) > 1 else (1,) * data.ndim
    centred: Array = data.astype(np.int64) - np.reshape(zero, shape).astype(np.int64)
    return centred


def _wide(data: Array) -> Array:
    """Return floats of any kind as float64, which holds them exactly; integers as they are."""
    return data if data.dtype.kind in "iu" else data.astype(np.float64)


def _maybe(data: Array | None) -> Array | None:
    return None if data is None else _wide(data)


_OPERANDS: dict[str, Callable[[Inputs], Operands]] = {
    "Conv": _conv,
    "ConvInteger": _conv_integer,
    "QLinearConv": _qlinear_conv,
}
