"""What it takes to verify a plan: the file, both readings, and the convolution. Measured.

The check by rules goes line by line (``check/lines.lp``), the simulator step by step. So steps and
lines decide; operations as such hardly do.
"""

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.limits.clock import Clock

# Fitted to plans of ResNet-18 and VGG-16 of 8,000 to 1,600,000 operations in 900 to 17,000 steps,
# on one core: 1 to 6 s, two thirds of them the check by rules; and its memory, 120 to 500 MB.
_SECONDS, _SECONDS_A_STEP, _SECONDS_A_LINE = 0.1, 2.2e-4, 8e-5
_BYTES, _BYTES_A_STEP, _BYTES_A_LINE = 20e6, 16e3, 4e3
# Operations that are counted.
_SAMPLE = 100_000


def lines(step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> int:
    """Count the lines of operations: output rows of a pair of groups in a step.

    Of many operations the first ones are counted, as a sample.

    Parameters
    ----------
    step, n, q, i
        Of every operation at an output position, shape (operations,).
    """
    sample = min(len(step), _SAMPLE)
    key = np.zeros(sample, dtype=np.int64)
    for part in (step, n, q, i):
        key = key * (int(part.max(initial=0)) + 1) + part[:sample]
    return len(np.unique(key)) * len(step) // max(sample, 1)


def seconds_to_verify(steps: int, lines: int) -> float:
    """Estimate how long a plan takes to be verified, on one core."""
    return _SECONDS + _SECONDS_A_STEP * steps + _SECONDS_A_LINE * lines


def bytes_to_verify(steps: int, lines: int) -> float:
    """Estimate the memory that the check by rules of a plan takes beside the plan."""
    return _BYTES + _BYTES_A_STEP * steps + _BYTES_A_LINE * lines


def keep_to_verify(clock: Clock, step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> None:
    """Keep time and memory of a search to verify a plan, given its operations as by `lines`."""
    size = int(step.max(initial=0)), lines(step, n, q, i)
    clock.keep(seconds_to_verify(*size), bytes_to_verify(*size))
