"""Where to cut an order of operations into compute actions, if the memory has room for all data.

Then loads go on all the time, in their order. An action begins when the one before it has ended and
what it needs is loaded. Once an action has ended, the rest of the strategy takes at least as long
as to write all outputs that were not complete when the action began. Small actions let the next one
begin early and leave little to write; each has its fixed costs. Dynamic programming finds the best
cuts: for a given duration, the earliest end of the actions before each cut.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.model.semantics import Semantics

Cycles = NDArray[np.float64]

# Places of cuts that are looked at: all along, where something new is needed, and near both ends.
_ALONG, _NEW, _NEAR_ENDS = 100, 100, 40
# How far above the least duration the search for a possible one begins, by which factor it goes on,
# and how often the last range is halved.
_ABOVE, _FARTHER, _HALVED = 1e-3, 3.0, 5


@dataclass(frozen=True)
class Curves:
    """What is needed and what is complete along an order of operations, where it may be cut.

    Attributes
    ----------
    places
        Operations before each cut, shape (cuts,): from none to all.
    loaded
        Cycles to load what the operations before each cut need, shape (cuts,).
    unwritten
        Cycles to write the outputs that they do not complete, shape (cuts,).
    action
        Cycles of the action from one cut to another, shape (cuts, cuts); infinite if that is more
        than an action does.
    transfers
        Cycles that all transfers take at least.
    """

    places: IntArray
    loaded: Cycles
    unwritten: Cycles
    action: Cycles
    transfers: float

    @staticmethod
    def of(
        problem: Problem,
        semantics: Semantics,
        n: IntArray,
        q: IntArray,
        at: IntArray,
        times: int = 1,
    ) -> "Curves":
        """Return the curves of an order.

        Parameters
        ----------
        problem
            In the groups of the operations.
        semantics
            Of steps with overlap.
        n, q, at
            Kernel group, channel group and output position of each operation, shape (operations,).
        times
            So many times as many places for cuts as usual.
        """
        rates = problem.accelerator
        macs = np.cumsum(problem.operation_macs[n, q])
        needed = np.cumsum(_first_needed(problem, n, q, at))
        complete = np.cumsum(_completed(problem, n, at))
        places = _places(needed, times)
        work, loaded, written = (np.r_[0, total][places] for total in (macs, needed, complete))
        between = work[None, :] - work[:, None]
        action = np.full(between.shape, np.inf)
        possible = (between > 0) & (between <= rates.macs_per_step)
        compute, mac = float(rates.compute_cycles), float(rates.mac_cycles)
        action[possible] = compute + mac * between[possible]
        load, write = rates.load_cycles, rates.write_cycles
        transfers = semantics.longest_transfer(load * int(loaded[-1]), write * int(written[-1]))
        return Curves(
            places,
            loaded * float(load),
            (written[-1] - written) * float(write),
            action,
            float(transfers),
        )

    @property
    def least(self) -> float:
        """Cycles that no cuts fall below; infinite if an operation is too large for an action."""
        left = np.zeros(len(self.places))
        for k in range(len(left) - 2, -1, -1):
            after = np.maximum(left[k + 1 :], self.unwritten[k])
            left[k] = (self.action[k, k + 1 :] + after).min()
        return max(self.transfers, float(left[0]), float(self._ends(np.inf)[0][-1]))

    def cut(self, least: float) -> tuple[float, IntArray]:
        """Return about the least duration in cycles, and the action of each operation, from 1.

        Parameters
        ----------
        least
            The property: a finite number of cycles.
        """
        assert math.isfinite(least)
        low, more = least, (least or 1.0) * _ABOVE
        ends, best = self._ends(least + more)
        while not np.isfinite(ends[-1]):
            low, more = least + more, more * _FARTHER
            ends, best = self._ends(least + more)
        high = least + more
        for _ in range(_HALVED):
            middle = (low + high) / 2
            ends, before = self._ends(middle)
            if np.isfinite(ends[-1]):
                high, best = middle, before
            else:
                low = middle
        cuts = [len(self.places) - 1]
        while cuts[-1] > 0:
            cuts.append(int(best[cuts[-1]]))
        cuts.reverse()
        step = np.searchsorted(self.places[cuts[1:]], np.arange(self.places[-1]), side="right")
        return self._duration(cuts), step + 1

    def _duration(self, cuts: list[int]) -> float:
        """Return the cycles of the actions between cuts, and of all transfers beside them."""
        ended, duration = 0.0, self.transfers
        for begin, end in pairwise(cuts):
            ended = max(ended, float(self.loaded[end])) + float(self.action[begin, end])
            duration = max(duration, ended + float(self.unwritten[begin]))
        return duration

    @cached_property
    def _action_before(self) -> Cycles:
        """Cycles of the action to one cut from another, shape (cuts, cuts)."""
        return np.ascontiguousarray(self.action.T)

    def _ends(self, duration: float) -> tuple[Cycles, IntArray]:
        """Return when the actions before each cut end at the earliest, and the cut before that.

        No action ends so late that what is unwritten when it begins takes too long; infinite where
        that cannot be.
        """
        ends = np.full(len(self.places), np.inf)
        ends[0] = 0.0
        before = np.zeros(len(self.places), dtype=np.int64)
        due = duration - self.unwritten
        for k in range(1, len(ends)):
            end = np.maximum(ends[:k], self.loaded[k]) + self._action_before[k, :k]
            end[end > due[:k]] = np.inf
            before[k] = end.argmin()
            ends[k] = end[before[k]]
        return ends, before


def _places(needed: IntArray, times: int) -> IntArray:
    """Return places for cuts, given the bytes needed by the operations up to each."""
    count = len(needed)
    new = np.flatnonzero(np.diff(needed) > 0) + 1
    if len(new) > _NEW * times:
        new = new[np.linspace(0, len(new) - 1, _NEW * times).astype(np.int64)]
    near = np.geomspace(1, count, _NEAR_ENDS * times).astype(np.int64)
    along = np.linspace(0, count, _ALONG * times).astype(np.int64)
    return np.unique(np.r_[0, new, along, near, count - near, count])


def _first_needed(problem: Problem, n: IntArray, q: IntArray, at: IntArray) -> IntArray:
    """Return the bytes that each operation needs and none before it, shape (operations,)."""
    fresh = np.zeros(len(n), dtype=np.int64)
    _, first = np.unique(n * len(problem.channel_sizes) + q, return_index=True)
    fresh[first] += problem.kernel_bytes[n[first], q[first]]
    rows, columns = (reads.listed() for reads in problem.reads)
    _, height, width = problem.layer.input
    i, j = np.divmod(at, problem.out_width)
    number = np.arange(len(n))
    first = np.full(len(problem.channel_sizes) * height * width, len(n))
    for down in range(rows.shape[1]):
        for across in range(columns.shape[1]):
            row, column = rows[i, down], columns[j, across]
            read = (row >= 0) & (column >= 0)
            pixel = (q * height + row) * width + column
            np.minimum.at(first, pixel[read], number[read])
    used = first < len(n)
    np.add.at(fresh, first[used], np.repeat(problem.pixel_bytes, height * width)[used])
    return fresh


def _completed(problem: Problem, n: IntArray, at: IntArray) -> IntArray:
    """Return the bytes of the output that each operation completes, shape (operations,)."""
    complete = np.zeros(len(n), dtype=np.int64)
    output = n * problem.positions + at
    _, behind = np.unique(output[::-1], return_index=True)
    last = len(n) - 1 - behind
    complete[last] = problem.output_bytes[n[last]]
    return complete
