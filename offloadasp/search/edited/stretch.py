"""Plans with more steps for the same transfers: what one step does, several do one after the other.

A step without a compute action costs nothing in the serial semantics, and holds no more than the
step it was a part of. So a rule that limits what one step may do often costs nothing at all. With
overlap it costs what is moved beside no compute action any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan, renumbered

_LOADS = ("load_kernels", "load_partial_sums", "load_pixels")
_WRITES = ("write_partial_sums", "write_outputs")
_FREES = ("free_pixels", "free_kernels")


@dataclass(frozen=True)
class Stretch:
    """A way to take steps apart.

    Attributes
    ----------
    chunk
        Blocks that a step loads or writes at most; None: any number.
    apart
        Whether no step loads and writes or frees.
    alone
        Whether a step that computes does nothing else.
    """

    chunk: int | None = None
    apart: bool = False
    alone: bool = False

    def of(self, plan: Plan, where: frozenset[int] | None = None) -> Plan:
        """Return a plan with steps taken apart.

        Parameters
        ----------
        where
            The steps to take apart; None: all.
        """
        chosen = np.ones(plan.steps + 1, dtype=bool)
        if where is not None:
            chosen[:] = False
            chosen[[t for t in where if 0 < t <= plan.steps]] = True
        loads, writes = (self._places(plan, names, chosen) for names in (_LOADS, _WRITES))
        if plan.problem.semantics.overlaps:
            return self._beside(plan, chosen, loads, writes)
        count_loads, count_writes = (_steps(plan.steps, places) for places in (loads, writes))
        leaving = count_writes.copy()
        for name in _FREES:
            freed = np.unique(getattr(plan, name)[:, 0])
            leaving[freed] = np.maximum(leaving[freed], 1)
        return self._numbered(plan, chosen, loads, writes, count_loads, leaving)

    def _places(
        self, plan: Plan, names: tuple[str, ...], chosen: np.ndarray
    ) -> dict[str, tuple[IntArray, IntArray]]:
        """Return the step of each row and the part of it, from 0, that the row goes to."""
        before = np.zeros(plan.steps + 1, dtype=np.int64)
        found = {}
        for name in names:
            step = getattr(plan, name)[:, 0]
            order = np.argsort(step, kind="stable")
            ranks = np.empty(len(step), dtype=np.int64)
            starts = np.searchsorted(step[order], step[order])
            ranks[order] = np.arange(len(step)) - starts
            ranks += before[step]
            before += np.bincount(step, minlength=plan.steps + 1)
            part = ranks // self.chunk if self.chunk else np.zeros_like(ranks)
            found[name] = step, np.where(chosen[step], part, 0)
        return found

    def _beside(
        self,
        plan: Plan,
        chosen: np.ndarray,
        loads: dict[str, tuple[IntArray, IntArray]],
        writes: dict[str, tuple[IntArray, IntArray]],
    ) -> Plan:
        """Take steps apart whose transfers go on beside their compute action.

        The compute action is in the first part: what it needs was there before the step. What is
        loaded or written later than it was takes no more room meanwhile.
        """
        computing = np.isin(np.arange(plan.steps + 1), plan.compute[:, 0])
        first_write = np.where(computing & chosen, int(self.alone), 0)
        behind = np.where(chosen & self.apart, _steps(plan.steps, writes), 0)
        first_load = first_write + behind
        lengths = np.ones(plan.steps + 1, dtype=np.int64)
        for places, first in ((loads, first_load), (writes, first_write)):
            for step, part in places.values():
                np.maximum.at(lengths, step, first[step] + part + 1)
        base = np.cumsum(lengths) - lengths
        tables = {name: base[getattr(plan, name)[:, 0]] for name in (*_FREES, "compute")}
        for places, first in ((loads, first_load), (writes, first_write)):
            for name, (step, part) in places.items():
                tables[name] = base[step] + first[step] + part
        return renumbered(plan, plan.problem, tables)

    def _numbered(
        self,
        plan: Plan,
        chosen: np.ndarray,
        loads: dict[str, tuple[IntArray, IntArray]],
        writes: dict[str, tuple[IntArray, IntArray]],
        count_loads: IntArray,
        leaving: IntArray,
    ) -> Plan:
        computing = np.zeros(plan.steps + 1, dtype=np.int64)
        computing[np.unique(plan.compute[:, 0])] = 1
        # The first load joins the last write, and the compute action the last load, if they may.
        apart = np.where(chosen, int(self.apart), 0)
        alone = np.where(chosen, int(self.alone), 0)
        both = (leaving > 0) & (count_loads > 0)
        first_load = np.where(both, leaving - 1 + apart, np.maximum(leaving - (leaving > 0), 0))
        last = np.where(count_loads > 0, first_load + count_loads - 1, np.maximum(leaving - 1, 0))
        moved = (leaving > 0) | (count_loads > 0)
        joined_late = self.apart & chosen & (count_loads == 0) & (leaving > 0)
        at_compute = np.where(moved & (computing > 0), last + np.maximum(alone, joined_late), last)
        length = np.maximum(last, np.where(computing > 0, at_compute, last)) + 1
        length[0] = 0
        base = np.cumsum(length) - length + 1
        tables = {}
        for name, (step, part) in loads.items():
            tables[name] = base[step] + first_load[step] + part
        for name, (step, part) in writes.items():
            tables[name] = base[step] + part
        for name in _FREES:
            tables[name] = base[getattr(plan, name)[:, 0]]
        tables["compute"] = (base + at_compute)[plan.compute[:, 0]]
        return renumbered(plan, plan.problem, tables)


def _steps(steps: int, places: dict[str, tuple[IntArray, IntArray]]) -> IntArray:
    """Return how many steps the parts of each step take: shape (steps + 1,)."""
    found = np.zeros(steps + 1, dtype=np.int64)
    for step, part in places.values():
        np.maximum.at(found, step, part + 1)
    return found


def stretches(numbers: set[int], plan: Plan) -> Iterator[Stretch]:
    """Yield ways to take the steps of a plan apart, gentle ones first.

    Parameters
    ----------
    numbers
        That the user's rules name: limits of what a step may do, perhaps.
    """
    yield Stretch(apart=True)
    yield Stretch(apart=True, alone=True)
    most = 1 + max(
        int(np.bincount(getattr(plan, name)[:, 0]).max(initial=0)) for name in (*_LOADS, *_WRITES)
    )
    chunks = {k for number in numbers for k in (number, number - 1) if 1 <= k <= most}
    for chunk in sorted(chunks | {1}, reverse=True):
        yield Stretch(chunk)
        yield Stretch(chunk, apart=True, alone=True)
