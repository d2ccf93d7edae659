"""The tensors of a layer: validated, drawn if none are given, in an arithmetic that suits them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offloadasp.base.errors import InputError
from offloadasp.base.messages import sizes
from offloadasp.model.instance import Layer

Array = NDArray[Any]

# Elements of the padded input; more is a mistake in the pads rather than a layer.
_PADDED_LIMIT = 2**30

# Up to here every integer, hence every partial sum in any order, is exact in the type.
_EXACT = ((2**24, np.dtype(np.float32)), (2**53, np.dtype(np.float64)), (2**63, np.dtype(np.int64)))


@dataclass(frozen=True, eq=False)
class Tensors:
    """Input, weights and bias, ready to compute with.

    Attributes
    ----------
    x
        Input, shape (B, C, H, W).
    w
        Weights, shape (M, C/G, Kh, Kw).
    bias
        Bias, shape (M,), or None if the layer has none.
    batched
        Whether the input came with a batch axis.
    integer
        Whether all tensors hold integers. Then the arithmetic is exact: every sum that can occur
        is an integer below ``largest_sum``, and that fits the type of ``x``, ``w`` and ``bias``:
        float32 below 2**24, float64 below 2**53, int64 below 2**63. All else is float64, float16
        and float32 tensors included: products of two float32 are exact there.
    largest_sum
        An upper bound on the sum of absolute products (and bias) of any output:
        ``C/G * Kh * Kw * max|x| * max|w| + max|bias|``.
    """

    x: Array
    w: Array
    bias: Array | None
    batched: bool
    integer: bool
    largest_sum: int | float

    @property
    def tolerance(self) -> int | float:
        """Largest error that rounding explains: 0 for integers, else 1e-9 of ``largest_sum``.

        Summing n products in any order errs by at most ``n u / (1 - n u)`` times the sum of
        absolute products with ``u = 2**-53`` (Higham, Accuracy and Stability of Numerical
        Algorithms, section 3.1). Two orders differ by at most twice that, which stays below
        1e-9 for n up to four million products an output.
        """
        return 0 if self.integer else 1e-9 * float(self.largest_sum)

    def finish(self, out: Array) -> Array:
        """Return results (B, M, Ho, Wo) as int64 or float64, without the batch axis if none came.

        Integers of which some were never computed come as float64, NaN where they are missing.
        """
        out = out if self.batched else out[0]
        if not self.integer:
            return out
        absent = is_poison(out)
        if absent.any():
            return np.where(absent, np.nan, out)
        return out.astype(np.int64)


def poison(dtype: np.dtype[Any]) -> float | int:
    """Return the value of absent data: NaN, or the one int64 that no exact sum can take."""
    return np.nan if dtype.kind == "f" else int(np.iinfo(np.int64).min)


def is_poison(data: Array) -> NDArray[np.bool_]:
    """Return the mask of absent data."""
    mask: NDArray[np.bool_] = (
        np.isnan(data) if data.dtype.kind == "f" else data == poison(data.dtype)
    )
    return mask


def prepare(
    layer: Layer,
    x: ArrayLike | None = None,
    w: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    seed: int = 0,
) -> Tensors:
    """Validate tensors against a layer; draw those that are None from the integers of 8 bits.

    Parameters
    ----------
    layer
        Gives the shapes.
    x, w, bias
        Input (C, H, W) or (B, C, H, W), weights (M, C/G, Kh, Kw) and bias (M,): integers of any
        width, float16, float32 or float64.
    seed
        Of the generator that draws.

    Raises
    ------
    InputError
        A tensor has another shape or type, is not finite, or its sums overflow; or the padded
        input is too large.
    """
    generator = np.random.default_rng(seed)

    def ready(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Array:
        if value is None:
            return generator.integers(-128, 128, shape, dtype=np.int8)
        return _checked(name, value, shape)

    channels, height, width = layer.input
    top, left, bottom, right = layer.pads
    padded = channels * (height + top + bottom) * (width + left + right)
    if padded > _PADDED_LIMIT:
        raise InputError(
            f"layer: input with pads has {padded} elements; at most {_PADDED_LIMIT} are simulated"
        )
    image = ready("input", x, (channels, height, width))
    shape = (layer.kernels, channels // layer.group, *layer.kernel_shape)
    weight = ready("weight", w, shape)
    if bias is not None and not layer.bias:
        raise InputError("bias: given, but the layer has none; only None is allowed")
    offset = ready("bias", bias, (layer.kernels,)) if layer.bias else None

    given = [image, weight] + ([] if offset is None else [offset])
    integer = all(array.dtype.kind in "iu" for array in given)
    terms = int(np.prod(shape[1:]))
    peaks = [_largest(array) for array in given]
    largest = terms * peaks[0] * peaks[1] + sum(peaks[2:])
    dtype = _arithmetic(max(largest, *peaks)) if integer else np.dtype(np.float64)
    if not integer and not np.isfinite(largest):
        raise InputError(
            f"input, weight: magnitudes up to {peaks[0]:.3g} and {peaks[1]:.3g} with {terms} "
            "products an output overflow; sums must fit float64"
        )
    batched = image.ndim == 4
    return Tensors(
        x=(image if batched else image[None]).astype(dtype),
        w=weight.astype(dtype),
        bias=None if offset is None else offset.astype(dtype),
        batched=batched,
        integer=integer,
        largest_sum=largest,
    )


def _checked(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    allowed = sizes(shape)
    if name == "input":
        allowed += f", or for a batch {sizes(('B', *shape))},"
    try:
        array: Array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: is ragged; shape {allowed} is wanted") from None
    fits = array.shape == shape
    if name == "input" and array.ndim == len(shape) + 1 and len(array) > 0:
        fits = array.shape[1:] == shape
    if not fits:
        raise InputError(f"{name}: has shape {sizes(array.shape)}; shape {allowed} is wanted")
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise InputError(
            f"{name}: holds elements of type {array.dtype}; integers, float16, float32 or float64 "
            "are wanted"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            f"{name}: shape {sizes(array.shape)} holds NaN or infinity; only finite numbers are "
            "allowed"
        )
    return array


def _largest(array: Array) -> int | float:
    # Python numbers, because the absolute value of the least int64 is no int64.
    largest: int | float = max(abs(array.min().item()), abs(array.max().item()))
    return largest


def _arithmetic(largest: int | float) -> np.dtype[Any]:
    for limit, dtype in _EXACT:
        if largest < limit:
            return dtype
    raise InputError(
        f"input, weight, bias: integers whose sums may reach {largest}; "
        "they must stay below 2**63 to be computed exactly"
    )
