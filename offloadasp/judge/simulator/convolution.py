"""Direct convolution: the reference that a replayed strategy is compared with."""

import itertools

import numpy as np
from numpy.typing import ArrayLike

from offloadasp.base.errors import InputError
from offloadasp.judge.simulator.tensors import Array, Tensors, prepare
from offloadasp.model.instance import Layer


def direct_convolution(
    layer: Layer, x: ArrayLike, w: ArrayLike, bias: ArrayLike | None = None
) -> Array:
    """Convolve with the semantics of ONNX ``Conv``: NCHW, cross-correlation.

    Parameters
    ----------
    layer
        Strides, pads, dilations and groups.
    x
        Input, shape (C, H, W) or (B, C, H, W); integers, float16, float32 or float64.
    w
        Weights, shape (M, C/G, Kh, Kw).
    bias
        Bias, shape (M,), if the layer has one.

    Returns
    -------
    numpy.ndarray
        Shape (M, Ho, Wo) or (B, M, Ho, Wo). int64 and exact if all tensors are integers, else
        float64, accumulated in float64.

    Raises
    ------
    InputError
        A tensor is missing, has a wrong shape or type, is not finite, or its sums overflow.
    """
    if layer.bias and bias is None:
        raise InputError(f"bias: is missing; shape {layer.kernels} is wanted")
    tensors = prepare(layer, x, w, bias)
    return tensors.finish(convolve(layer, tensors))


def convolve(layer: Layer, tensors: Tensors) -> Array:
    """Return the convolution, shape (B, M, Ho, Wo), in the arithmetic of the tensors.

    One matrix product a kernel tap, over the padded input shifted by that tap.
    """
    x, w = tensors.x, tensors.w
    batch, groups = len(x), layer.group
    kernels, height, width = layer.output_shape
    top, left, bottom, right = layer.pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    # Per group: (kernels, channels) @ (channels, positions).
    weights = w.reshape(groups, kernels // groups, -1, *layer.kernel_shape)
    out = np.zeros((batch, groups, kernels // groups, height * width), x.dtype)
    (sh, sw), (dh, dw) = layer.strides, layer.dilations
    for a, b in itertools.product(*map(range, layer.kernel_shape)):
        rows = slice(a * dh, a * dh + (height - 1) * sh + 1, sh)
        columns = slice(b * dw, b * dw + (width - 1) * sw + 1, sw)
        shifted = padded[:, :, rows, columns].reshape(batch, groups, -1, height * width)
        out += np.ascontiguousarray(weights[..., a, b]) @ shifted
    out = out.reshape(batch, kernels, height, width)
    return out if tensors.bias is None else out + tensors.bias[:, None, None]
