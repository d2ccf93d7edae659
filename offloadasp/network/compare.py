"""Compares two tensors: shape and element type first, then value by value."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offloadasp.judge.simulator.tensors import Array
from offloadasp.network.fit import times

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """One tensor: an output of the network, or of an offloaded node in it.

    Attributes
    ----------
    equal
        Whether it is the expected one; None where that cannot be judged, and ``note`` says why.
    max_abs_error
        Largest absolute difference of finite values; of those that differ by more than they may, if
        there are any. Infinite if shapes or element types differ, or a value is finite in one
        tensor only.
    tolerance
        What that value may differ by.
    spread
        Difference of the largest and the smallest expected value that is finite: an output that
        is constant shows little.
    differing
        How many values differ at all.
    note
        What else there is to say; may be empty.
    """

    name: str
    equal: bool | None
    max_abs_error: float
    tolerance: float
    spread: float
    differing: int = 0
    note: str = ""

    @property
    def excess(self) -> float:
        """The error as a multiple of what is allowed; infinite where nothing is."""
        if self.max_abs_error == 0:
            return 0.0
        return self.max_abs_error / self.tolerance if self.tolerance else float("inf")


def unjudged(name: str, note: str) -> Compared:
    """Return a tensor that cannot be judged."""
    return Compared(name, None, float("inf"), 0.0, 0.0, note=note)


# Unit roundoff: half a unit in the last place of 1. By name, as NumPy itself lacks some of them.
_UNITS = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
    "float8_e4m3fn": 2.0**-4,
    "float8_e4m3fnuz": 2.0**-4,
    "float8_e5m2": 2.0**-3,
    "float8_e5m2fnuz": 2.0**-3,
}


def unit(kind: np.dtype[Any]) -> float:
    """Return the unit roundoff of a floating-point type; 0 for any other type."""
    return _UNITS.get(kind.name, 0.0)


def compare(
    name: str, found: Any, expected: Any, allowed: Array | float = 0.0, unsure: Mask | None = None
) -> Compared:
    """Compare a tensor with the expected one.

    NaN must be where NaN is expected, infinities must be equal; strings, truth values and complex
    numbers too.

    Parameters
    ----------
    allowed
        What finite numbers may differ by: one value, or one for every element, float64.
    unsure
        Elements, in the tensor's shape, where an expected value that is not finite tells nothing.
    """
    if not all(isinstance(value, np.ndarray | np.generic) for value in (found, expected)):
        return unjudged(name, "is no tensor, and only tensors are compared")
    found, expected = np.asarray(found), np.asarray(expected)
    if found.dtype.kind in "OSUT" and expected.dtype.kind in "OSUT":
        found, expected = found.astype(object), expected.astype(object)
    if found.shape != expected.shape:
        note = f"has the shape {times(found.shape)}; {times(expected.shape)} is expected"
        return Compared(name, False, float("inf"), 0.0, _spread(expected), found.size, note)
    if found.dtype != expected.dtype:
        note = f"has elements of type {found.dtype}; {expected.dtype} is expected"
        return Compared(name, False, float("inf"), 0.0, _spread(expected), found.size, note)
    if found.dtype.kind in "Oc":
        return _exactly(name, found, expected)
    if not unit(found.dtype):
        return _integers(name, found, expected, allowed)
    return _floats(name, found, expected, allowed, unsure)


def _exactly(name: str, found: Array, expected: Array) -> Compared:
    same = found == expected
    if found.dtype.kind == "c":
        same |= np.isnan(found) & np.isnan(expected)
    wrong = int(found.size - np.count_nonzero(same))
    return Compared(name, not wrong, float("inf") if wrong else 0.0, 0.0, 0.0, wrong)


def _integers(name: str, found: Array, expected: Array, allowed: Array | float) -> Compared:
    differ = np.asarray(found != expected)
    # As floats, because a difference of integers may wrap; two that differ do so by 1 at least.
    error = np.where(differ, np.maximum(np.abs(_wide(found) - _wide(expected)), 1.0), 0.0)
    return _judged(name, error, allowed, _spread(expected), int(np.count_nonzero(differ)))


def _floats(
    name: str, found: Array, expected: Array, allowed: Array | float, unsure: Mask | None
) -> Compared:
    ours, theirs = _wide(found), _wide(expected)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    alike = finite | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    open_ = np.zeros_like(alike) if unsure is None else unsure & ~alike
    wrong = int(np.count_nonzero(~alike & ~open_))
    spread = _spread(expected)
    differing = int(np.count_nonzero(finite & (ours != theirs)))
    if wrong:
        note = f"{wrong} of {ours.size} values are NaN or infinite in one tensor only, or unlike"
        return Compared(name, False, float("inf"), 0.0, spread, differing + wrong, note)
    error = np.zeros_like(ours)
    error[finite] = np.abs(ours[finite] - theirs[finite])
    judged = _judged(name, error, allowed, spread, differing)
    skipped = int(np.count_nonzero(open_))
    if judged.equal and skipped:
        note = f"{skipped} of {ours.size} values are not finite by the evaluator's own doing"
        return Compared(name, None, judged.max_abs_error, judged.tolerance, spread, differing, note)
    return judged


def _judged(
    name: str, error: Array, allowed: Array | float, spread: float, differing: int
) -> Compared:
    if not error.size:
        return Compared(name, True, 0.0, 0.0, 0.0)
    limits = np.broadcast_to(np.asarray(allowed, np.float64), error.shape)
    beyond = ~(error <= limits)
    at = int(np.argmax(np.where(beyond, error, -1.0) if beyond.any() else error))
    return Compared(
        name,
        not beyond.any(),
        float(error.flat[at]),
        float(limits.flat[at]),
        spread,
        differing,
    )


def _spread(expected: Array) -> float:
    if expected.dtype.kind in "Oc":
        return 0.0
    values = _wide(expected)
    values = values[np.isfinite(values)]
    return float(np.ptp(values)) if values.size else 0.0


def _wide(data: Array) -> Array:
    return data.astype(np.float64)
