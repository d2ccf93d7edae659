"""What it takes to verify a plan: the file, both readings, and the convolution. Measured.

The check by rules goes band by band (``check/lines.lp``), the simulator step by step. So steps and
runs in bands decide; operations as such hardly do.
"""

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.arrays import IntArray
from offloadasp.limits.clock import Clock

# Fitted to plans of ResNet-18 and VGG-16 of 8,000 to 3,000,000 operations in 900 to 29,000 steps,
# on one core: 1 to 9 s, two thirds of them the check by rules; and its memory, 120 to 500 MB.
_SECONDS, _SECONDS_A_STEP, _SECONDS_A_RUN, _SECONDS_AN_OPERATION = 0.1, 2.2e-4, 8e-5, 8e-7
_BYTES, _BYTES_A_STEP, _BYTES_A_RUN = 20e6, 16e3, 4e3
# Operations that are looked at.
_SAMPLE = 100_000


def runs(step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> int:
    """Count the runs of operations in bands, as the check by rules cuts a plan's boxes.

    A run is what a step computes of a pair of groups in a band; a band of a kernel group lasts
    until the next row where one of its boxes begins or ends. Of many operations the first ones
    are counted, as a sample. Boxes beside each other count as one.

    Parameters
    ----------
    step, n, q, i
        Of every operation at an output position, shape (operations,).
    """
    sample = min(len(step), _SAMPLE)
    rows = int(i.max(initial=0)) + 2
    box = np.zeros(sample, dtype=np.int64)
    for part in (step, q, n):
        box = box * (int(part.max(initial=0)) + 1) + part[:sample]
    kernels = int(n.max(initial=0)) + 1
    line = np.unique(box * rows + i[:sample])
    kernel, row = line // rows % kernels, line % rows
    # No row is the last of its numbers, so that a box ends where the next number is missing.
    cut = np.zeros((kernels, rows), dtype=np.bool_)
    begins, ends = np.diff(line, prepend=-2) != 1, np.diff(line, append=-2) != 1
    cut[kernel[begins], row[begins]] = True
    cut[kernel[ends], row[ends] + 1] = True
    return int(cut[kernel, row].sum()) * len(step) // max(sample, 1)


@overload
def seconds_to_verify(steps: int, runs: int, operations: int) -> float: ...
@overload
def seconds_to_verify(
    steps: IntArray, runs: IntArray, operations: IntArray
) -> NDArray[np.float64]: ...
def seconds_to_verify(steps: Any, runs: Any, operations: Any) -> Any:
    """Estimate how long a plan takes to be verified, on one core."""
    counted = _SECONDS_A_STEP * steps + _SECONDS_A_RUN * runs + _SECONDS_AN_OPERATION * operations
    return _SECONDS + counted


def steps_verified(seconds: float) -> float:
    """Return how many steps a plan may have at most to be verified in some seconds, on one core."""
    return max(0.0, seconds - _SECONDS) / (_SECONDS_A_STEP + _SECONDS_A_RUN)


@overload
def bytes_to_verify(steps: int, runs: int) -> float: ...
@overload
def bytes_to_verify(steps: IntArray, runs: IntArray) -> NDArray[np.float64]: ...
def bytes_to_verify(steps: Any, runs: Any) -> Any:
    """Estimate the memory that the check by rules of a plan takes beside the plan."""
    return _BYTES + _BYTES_A_STEP * steps + _BYTES_A_RUN * runs


def to_verify(step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> float:
    """Estimate the seconds to verify a plan, given its operations as by `runs`."""
    return seconds_to_verify(int(step.max(initial=0)), runs(step, n, q, i), len(step))


def keep_to_verify(clock: Clock, step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> None:
    """Keep time and memory of a search to verify a plan, given its operations as by `runs`."""
    steps, count = int(step.max(initial=0)), runs(step, n, q, i)
    clock.keep(seconds_to_verify(steps, count, len(step)), bytes_to_verify(steps, count))
