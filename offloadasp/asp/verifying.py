"""What it takes to verify a plan: the file, both readings, and the convolution. Measured.

The check by rules goes band by band (``check/lines.lp``), the simulator step by step. So steps and
runs in bands decide, and how far a patch reaches; operations as such hardly do.
"""

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.arrays import IntArray
from offloadasp.limits.clock import Clock
from offloadasp.model.problem import Problem

# Fitted to 29 plans of 900 to 126,000 steps and 900 to 126,000 runs, patches of 1x1 to 31x31, and
# planes of up to 10 million places: the check takes from 0.1 to 60 s of them on one core, and 20 MB
# to 5 GB. Half of the estimates are within a quarter of that. The simulator takes about a third as
# long, mostly beside the check.
_SIMULATED = 1.25
_SECONDS, _SECONDS_A_STEP, _SECONDS_AN_OPERATION = 0.1, 7.5e-5, 1e-6
_SECONDS_A_RUN, _SECONDS_A_ROW, _SECONDS_A_TAP, _SECONDS_A_PLACE = 4e-5, 7e-6, 4.6e-7, 4.8e-6
_BYTES, _BYTES_A_STEP, _BYTES_AN_OPERATION = 20e6, 6e3, 100
_BYTES_A_RUN, _BYTES_A_ROW, _BYTES_A_TAP, _BYTES_A_PLACE = 4e3, 1.2e3, 36, 480
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


@dataclass(frozen=True)
class Verification:
    """What it takes to verify plans of a problem.

    Attributes
    ----------
    rows, columns
        Of the input that a patch spans at most.
    places
        Where a run can begin: pixels of each channel group, and outputs of each kernel group.
    """

    rows: int
    columns: int
    places: int

    @staticmethod
    def of(problem: Problem) -> "Verification":
        """Return what plans of a problem take."""
        height, width = problem.layer.kernel_shape
        pixels = problem.pixels * len(problem.channel_sizes)
        outputs = problem.positions * len(problem.kernel_sizes)
        return Verification(
            min(height, problem.layer.input[1]),
            min(width, problem.layer.input[2]),
            pixels + outputs,
        )

    @overload
    def seconds(self, steps: int, runs: int, operations: int) -> float: ...
    @overload
    def seconds(
        self, steps: IntArray, runs: IntArray, operations: IntArray
    ) -> NDArray[np.float64]: ...
    def seconds(self, steps: Any, runs: Any, operations: Any) -> Any:
        """Estimate how long a plan takes to be verified."""
        counted = _SECONDS_A_STEP * steps + _SECONDS_AN_OPERATION * operations
        counted = counted + self._a_run * runs + _SECONDS_A_PLACE * self.places
        return _SECONDS + _SIMULATED * counted

    @overload
    def bytes(self, steps: int, runs: int, operations: int) -> float: ...
    @overload
    def bytes(
        self, steps: IntArray, runs: IntArray, operations: IntArray
    ) -> NDArray[np.float64]: ...
    def bytes(self, steps: Any, runs: Any, operations: Any) -> Any:
        """Estimate the memory that the check by rules of a plan takes beside the plan."""
        a_run = _BYTES_A_RUN + self.rows * (_BYTES_A_ROW + _BYTES_A_TAP * self.columns)
        counted = _BYTES_A_STEP * steps + _BYTES_AN_OPERATION * operations
        return _BYTES + counted + a_run * runs + _BYTES_A_PLACE * self.places

    def steps(self, seconds: float) -> float:
        """Return how many steps of one run a plan may have at most to be verified in time."""
        left = (seconds - _SECONDS) / _SIMULATED - _SECONDS_A_PLACE * self.places
        return max(0.0, left) / (_SECONDS_A_STEP + self._a_run)

    def to_verify(self, step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> float:
        """Estimate the seconds to verify a plan, given its operations as by `runs`."""
        return self.seconds(int(step.max(initial=0)), runs(step, n, q, i), len(step))

    def keep(self, clock: Clock, step: IntArray, n: IntArray, q: IntArray, i: IntArray) -> None:
        """Keep time and memory of a search to verify a plan, given its operations as by `runs`."""
        counted = int(step.max(initial=0)), runs(step, n, q, i), len(step)
        clock.keep(self.seconds(*counted), self.bytes(*counted))

    @property
    def _a_run(self) -> float:
        """Seconds that the check takes for a run, and for what its patches read."""
        return _SECONDS_A_RUN + self.rows * (_SECONDS_A_ROW + _SECONDS_A_TAP * self.columns)
