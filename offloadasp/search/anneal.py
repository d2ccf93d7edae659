"""Local search from a schedule: simulated annealing over the order and the division into steps.

Changes (:mod:`offloadasp.search.moves`) that cost less are taken, others by chance: one that costs
d more with probability exp(−d / temperature) (Kirkpatrick, Gelatt and Vecchi, 1983). The search
goes through cycles of cooling, short and long ones after Luby's sequence, so that it needs no time
limit to plan by: a longer search begins with all that a shorter one does. Most cycles begin with
the best arrangement so far, some with the first one. The result is never worse than the start.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from offloadasp.facts import scale_of
from offloadasp.problem import Problem
from offloadasp.search.arrangement import arrange, schedule_of
from offloadasp.search.clock import Clock
from offloadasp.search.compiled import COMPILES, Ints, compiled, ints
from offloadasp.search.keep import Schedule
from offloadasp.search.moves import (
    DIVIDE,
    FLIP,
    JOIN,
    PASS,
    REVERSE,
    REVERSE_STEPS,
    SWAP,
    TURN,
    TURN_STEPS,
    below,
    change,
    settle,
    undo,
)
from offloadasp.search.sweep import (
    AGE,
    BEST,
    COST,
    CYCLE,
    HIGH,
    LENGTH,
    LOW,
    LUBY_U,
    LUBY_V,
    SAVE,
    SINGLE,
    TRY,
    Layout,
    Sizes,
    sweep,
)

# How often each kind of change is tried. A kernel block's takes two sweeps over all steps.
_SHARES = {
    SWAP: 32,
    PASS: 24,
    JOIN: 16,
    REVERSE: 16,
    TURN: 8,
    REVERSE_STEPS: 8,
    TURN_STEPS: 16,
    DIVIDE: 8,
    FLIP: 4,
}
# Temperatures at the beginning of cycles, in turn, and at their end, in loads of a smallest block.
_HOT, _COLD = (0.5, 4.0, 1.0, 15.0), 0.15
_LEVELS = 64
# Every so many-th cycle begins with the first arrangement.
_ANEW = 4
# Changes in the shortest cycle, per operation.
_CYCLE = 200
# Logarithms of so many chances, and the bits of fractions in them and in temperatures.
_CHANCES, _BITS = 4096, 10

# Operations, and blocks that all of them need, at most: beyond, a change takes too long.
_OPERATIONS, _NEEDS = 6_000, 1_000_000
# Costs at most: their products with chances must stay below 64 bits.
_COST = 2**40
# After how long the search looks at the clock.
_SLICE_SECONDS = 0.05
# How much longer than until the last gain a search goes on that is to give up at all.
_PATIENCE = 10


def within_reach(problem: Problem) -> bool:
    """Return whether a problem is small enough for the local search."""
    (rows, columns), (height, width) = problem.tile_grid, problem.decomposition.tile
    taps = [int(mask.sum(axis=1).max()) for mask in problem.taps_per_axis]
    operations = rows * columns * int(problem.exists.sum())
    needs = operations * taps[0] * height * taps[1] * width
    scale, largest = scale_of(problem), int(problem.kernel_bytes.max() + problem.pixel_bytes.max())
    spilled = int(problem.partial_bytes.max()) * height * width * (scale.load + scale.write)
    dearest = needs * largest * scale.load + operations * (spilled + scale.compute)
    return operations <= _OPERATIONS and needs <= _NEEDS and dearest < _COST


@compiled
def _run(
    cells: Ints, at: Layout, of: Sizes, kinds: Ints, chances: Ints, heat: Ints, count: int
) -> None:
    """Try so many changes more."""
    mode, limit = TRY, 0
    while count > 0 or mode == SAVE:
        if mode == TRY:
            count -= 1
            if cells[AGE] == cells[LENGTH]:
                _begin_cycle(cells, at, of)
                mode = SAVE
            else:
                level = (cells[CYCLE] - 1) * _LEVELS % len(heat)
                level += cells[AGE] * _LEVELS // cells[LENGTH]
                cells[AGE] += 1
                if not change(cells, at, of, kinds[below(cells, len(kinds))]):
                    continue
                chance = chances[below(cells, len(chances))]
                limit = cells[COST] + ((chance * heat[level]) >> (2 * _BITS))
        cost = sweep(cells, at, of, mode)
        if mode == SAVE:
            cells[COST] = cost
            mode = TRY
        elif 0 <= cost <= limit:
            if cost < cells[BEST]:
                cells[BEST] = cost
                _copy(cells, at.sequence, at.best, at.first - at.best)
            mode = SAVE
        else:
            undo(cells, at)


@compiled
def _begin_cycle(cells: Ints, at: Layout, of: Sizes) -> None:
    """Set the length of the next cycle, and the arrangement with which it begins."""
    cells[CYCLE] += 1
    cells[AGE], cells[LENGTH] = 0, cells[LUBY_V] * _CYCLE * of.operations
    # Luby's sequence 1, 1, 2, 1, 1, 2, 4, …, by Knuth's recurrence.
    if cells[LUBY_U] & -cells[LUBY_U] == cells[LUBY_V]:
        cells[LUBY_U] += 1
        cells[LUBY_V] = 1
    else:
        cells[LUBY_V] *= 2
    source = at.first if cells[CYCLE] % _ANEW == 0 else at.best
    _copy(cells, source, at.sequence, at.first - at.best)
    cells[LOW], cells[HIGH] = 1, of.steps
    settle(cells, at)


@compiled
def _copy(cells: Ints, source: int, target: int, count: int) -> None:
    for k in range(count):
        cells[target + k] = cells[source + k]


@dataclass
class Annealer:
    """A local search that can go on for any number of changes.

    Attributes
    ----------
    problem, start
        Whose schedule to improve.
    seed
        Of the random numbers. The same seed and number of changes give the same result.
    """

    problem: Problem
    start: Schedule
    seed: int = 0

    def __post_init__(self) -> None:
        self._found = arrange(self.problem, self.start, self.seed)
        of = self._found.of
        counted = of.blocks > of.pixels
        shares = [share if kind != FLIP or counted else 0 for kind, share in _SHARES.items()]
        middle = (np.arange(_CHANCES) + 0.5) / _CHANCES
        unit = of.load * of.least or of.compute or 1
        cooling = (_COLD / np.array(_HOT))[:, None] ** (np.arange(_LEVELS) / (_LEVELS - 1))
        heat = unit * np.array(_HOT)[:, None] * cooling
        self._tables = (
            ints(np.repeat(list(_SHARES), shares)),
            ints(np.rint(-np.log(middle) * 2**_BITS).astype(np.int64)),
            ints(np.rint(heat.ravel() * 2**_BITS).astype(np.int64)),
        )

    def run(self, changes: int) -> None:
        """Try so many changes more."""
        found = self._found
        _run(found.cells, found.at, found.of, *self._tables, changes)

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return min(self.start.cost, self._found.cost)

    @property
    def best(self) -> Schedule:
        """The best schedule so far: the start, if nothing is better."""
        return schedule_of(self._found) if self.cost < self.start.cost else self.start


@cache
def preparation() -> threading.Thread:
    """Return a thread that compiles the search, or loads what an earlier run on this machine did.

    Compiling takes some seconds, once; the search is better begun when the thread has ended.
    """

    def call_without_work() -> None:
        cells, at = ints(np.zeros(SINGLE, dtype=np.int64)), Layout(*[0] * len(Layout._fields))
        of = Sizes(*[1] * len(Sizes._fields))._replace(steps=0)
        settle(cells, at)
        sweep(cells, at, of, TRY)
        _run(cells, at, of, cells, cells, cells, 0)

    thread = threading.Thread(target=call_without_work, daemon=True)
    if COMPILES:
        thread.start()
    return thread


def anneal(
    annealer: Annealer,
    clock: Clock,
    share: float,
    *,
    changes: int | None = None,
    patience: int | None = None,
    enough: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> None:
    """Search until a limit is reached.

    Parameters
    ----------
    share
        Of the clock's time, until when to search.
    changes
        How many to try at most; None: any number.
    patience
        After how many changes without gain to give up, beside ten times as many as led to the last
        gain; None: never.
    enough
        A cost in units of the rules that ends the search.
    tell
        Told of every better cost, in units of the rules.
    """
    done, last, portion, known = 0, 0, 64, annealer.cost
    while known > enough and done != changes:
        if clock.interrupted or clock.elapsed >= clock.seconds * share:
            return
        if patience is not None and done - last >= patience + _PATIENCE * last:
            return
        count = portion if changes is None else min(portion, changes - done)
        started = time.monotonic()
        annealer.run(count)
        seconds = time.monotonic() - started
        portion = max(1, min(2 * portion, int(portion * _SLICE_SECONDS / max(seconds, 1e-6))))
        done += count
        if annealer.cost < known:
            known, last = annealer.cost, done
            tell(known)
