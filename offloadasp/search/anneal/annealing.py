"""Local search from a schedule: simulated annealing over the order and the division into steps.

Changes (see `moves`) that cost less are taken, others by chance: one that costs d more with
probability exp(−d / temperature) (Kirkpatrick, Gelatt and Vecchi, 1983). The search goes through
cycles of cooling, short and long ones after Luby's sequence, so that it needs no time limit to plan
by: a longer search begins with all that a shorter one does. Most cycles begin with the best
arrangement so far, some with the first one. The result is never worse than the start.
"""

import time
from dataclasses import dataclass

import numpy as np

from offloadasp.model.problem import Problem
from offloadasp.search.anneal.arrangement import arrange, schedule_of
from offloadasp.search.anneal.compiled import Ints, compiled, ints
from offloadasp.search.anneal.evaluation import (
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
from offloadasp.search.anneal.moves import (
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
from offloadasp.search.construct.residency import Schedule

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

# How long a moment is, and how many changes the first one tries.
_MOMENT_SECONDS, _FIRST_MOMENT = 0.05, 64
# A search gives up after so many times as many changes as led to the last gain.
_PATIENCE = 10


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
    done, gained
        Changes tried so far, and until the last gain.
    """

    problem: Problem
    start: Schedule
    seed: int = 0
    done: int = 0
    gained: int = 0
    _moment: int = _FIRST_MOMENT

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
        found, before = self._found, self.cost
        _run(found.cells, found.at, found.of, *self._tables, changes)
        self.done += changes
        if self.cost < before:
            self.gained = self.done

    def run_for_a_moment(self) -> None:
        """Go on for some hundredths of a second."""
        started, count = time.monotonic(), self._moment
        self.run(count)
        seconds = max(time.monotonic() - started, 1e-6)
        self._moment = max(1, min(2 * count, int(count * _MOMENT_SECONDS / seconds)))

    def patient(self, changes: int) -> bool:
        """Return whether a gain may still come.

        Parameters
        ----------
        changes
            After how many without gain to give up, beside ten times as many as led to the last one.
        """
        return self.done - self.gained < changes + _PATIENCE * self.gained

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return min(self.start.cost, self._found.cost)

    @property
    def best(self) -> Schedule:
        """The best schedule so far: the start, if nothing is better."""
        return schedule_of(self._found) if self.cost < self.start.cost else self.start


def compile_all() -> None:
    """Compile the search, or load what an earlier run on this machine compiled.

    Compiling takes some seconds, once.
    """
    cells, at = ints(np.zeros(SINGLE, dtype=np.int64)), Layout(*[0] * len(Layout._fields))
    of = Sizes(*[1] * len(Sizes._fields))._replace(steps=0)
    settle(cells, at)
    sweep(cells, at, of, TRY)
    _run(cells, at, of, cells, cells, cells, 0)
