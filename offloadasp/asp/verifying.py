"""What it takes to verify a plan: the file, both readings, and the convolution. Measured.

The check by rules follows runs of neighbouring operations along lines (``check/lines.lp``), the
simulator goes step by step. So steps and runs decide; operations as such hardly do.
"""

import numpy as np

from offloadasp.base.arrays import IntArray

# Fitted to plans of ResNet-18 and VGG-16 of 8,000 to 1,600,000 operations in 900 to 17,000 steps,
# on one core: 1 to 6 s, two thirds of them the check by rules; and its memory, 120 to 500 MB.
_SECONDS, _SECONDS_A_STEP, _SECONDS_A_RUN = 0.1, 2.2e-4, 8e-5
_BYTES, _BYTES_A_STEP, _BYTES_A_RUN = 20e6, 16e3, 4e3


def runs(step: IntArray, n: IntArray, q: IntArray, i: IntArray, j: IntArray) -> int:
    """Count the runs of operations of a step along a line.

    Parameters
    ----------
    step, n, q, i, j
        Of every operation at an output position, in an order in which neighbours follow each
        other, shape (operations,).
    """
    if len(step) == 0:
        return 0
    joined = np.abs(np.diff(j)) == 1
    for part in (step, n, q, i):
        joined &= np.diff(part) == 0
    return int(len(step) - np.count_nonzero(joined))


def seconds_to_verify(steps: int, runs: int) -> float:
    """Estimate how long a plan takes to be verified, on one core."""
    return _SECONDS + _SECONDS_A_STEP * steps + _SECONDS_A_RUN * runs


def bytes_to_verify(steps: int, runs: int) -> float:
    """Estimate the memory that the check by rules of a plan takes beside the plan."""
    return _BYTES + _BYTES_A_STEP * steps + _BYTES_A_RUN * runs
