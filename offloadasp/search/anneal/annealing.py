"""Local search from a schedule: simulated annealing over the order and the division into steps.

The search makes one small change after another (a move, see :mod:`.moves`) and evaluates each
(see :mod:`.evaluation`). A change that costs no more is kept. One that costs d more is kept with
probability exp(−d / temperature), else undone (Kirkpatrick, Gelatt and Vecchi, 1983).

The temperature falls in cycles. Their lengths follow Luby's sequence, so the search needs no time
limit to plan by: a longer search begins with all that a shorter one does. Most cycles begin with
the best arrangement so far, some with the first one. The result is never worse than the start.
"""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from offloadasp.model.problem import Problem
from offloadasp.search.anneal.arrangement import no_operations, schedule_of, search_from
from offloadasp.search.anneal.evaluation import Purpose, evaluate
from offloadasp.search.anneal.moves import Move, apply_move, below, note_positions, undo_move
from offloadasp.search.anneal.numba_or_python import Ints, compiled, ints, record
from offloadasp.search.anneal.state import Arrangement, State
from offloadasp.search.construct.residency import Schedule

# How often each move is tried, of 132 times. To flip a kernel block is slow: all steps change.
_SHARES = {
    Move.SWAP: 32,
    Move.PASS: 24,
    Move.JOIN: 16,
    Move.REVERSE: 16,
    Move.TURN: 8,
    Move.REVERSE_STEPS: 8,
    Move.TURN_STEPS: 16,
    Move.DIVIDE: 8,
    Move.FLIP: 4,
}
# Temperatures in costs of loading a smallest block: cycles begin at these, in turn, and all end at
# the last one.
_HOT, _COLD = (0.5, 4.0, 1.0, 15.0), 0.15
# How often the temperature changes in a cycle, its beginning included.
_LEVELS = 64
# Every fourth cycle begins with the first arrangement.
_ANEW = 4
# Changes in the shortest cycle, per operation.
_CYCLE = 200
# Chances are drawn from a table of this length.
_CHANCES = 4096
# Bits after the binary point of temperatures and of logarithms of chances, which are integers.
_BITS = 10

# How long a moment is, and how many changes are tried in the first one.
_MOMENT_SECONDS, _FIRST_MOMENT = 0.05, 64
# A search gives up after ten times as many changes as led to the last gain, and some more.
_PATIENCE = 10


class Tables(NamedTuple):
    """What is drawn from or looked up while annealing.

    Attributes
    ----------
    moves
        Moves, each as often as it is to be tried.
    chances
        Values of −log(chance) for evenly spread chances, times 2 ** _BITS.
    heat
        Temperatures of one kind of cycle after the other, times 2 ** _BITS.
    """

    moves: Ints
    chances: Ints
    heat: Ints


@dataclass
class Cooling:
    """Where the search is in its cycles.

    Attributes
    ----------
    cycle, length, age
        The number of the cycle, from 1 on; how many changes it tries, and how many it has tried.
    luby_u, luby_v
        The state of Luby's sequence.
    """

    cycle: int = 0
    length: int = 0
    age: int = 0
    luby_u: int = 1
    luby_v: int = 1


@compiled
def anneal(state: State, cooling: Cooling, tables: Tables, count: int) -> None:
    """Try this many changes more."""
    costs, random = state.costs, state.random
    purpose, limit = Purpose.TRY, 0
    while count > 0 or purpose == Purpose.SAVE:
        if purpose == Purpose.TRY:
            count -= 1
            if cooling.age == cooling.length:
                _begin_cycle(state, cooling)
                purpose = Purpose.SAVE
            else:
                level = (cooling.cycle - 1) * _LEVELS % len(tables.heat)
                level += cooling.age * _LEVELS // cooling.length
                cooling.age += 1
                if not apply_move(state, tables.moves[below(random, len(tables.moves))]):
                    continue
                chance = tables.chances[below(random, len(tables.chances))]
                limit = costs.present + ((chance * tables.heat[level]) >> (2 * _BITS))
        cost = evaluate(state, purpose)
        if purpose == Purpose.SAVE:
            costs.present = cost
            purpose = Purpose.TRY
        elif 0 <= cost <= limit:
            if cost < costs.best:
                costs.best = cost
                _copy(state.arrangement, state.best)
            purpose = Purpose.SAVE
        else:
            undo_move(state)


@compiled
def _begin_cycle(state: State, cooling: Cooling) -> None:
    """Set the length of the next cycle, and the arrangement with which it begins."""
    cooling.cycle += 1
    cooling.age, cooling.length = 0, cooling.luby_v * _CYCLE * state.layer.operations
    # Luby's sequence 1, 1, 2, 1, 1, 2, 4, …, by Knuth's recurrence.
    if cooling.luby_u & -cooling.luby_u == cooling.luby_v:
        cooling.luby_u += 1
        cooling.luby_v = 1
    else:
        cooling.luby_v *= 2
    _copy(state.first if cooling.cycle % _ANEW == 0 else state.best, state.arrangement)
    state.change.first_step, state.change.last_step = 1, state.steps
    note_positions(state)


@compiled
def _copy(source: Arrangement, target: Arrangement) -> None:
    for k in range(len(source.sequence)):
        target.sequence[k] = source.sequence[k]
    for k in range(len(source.start)):
        target.start[k] = source.start[k]
    for k in range(len(source.resident)):
        target.resident[k] = source.resident[k]


@dataclass
class Annealer:
    """A local search that can go on for any number of changes.

    Attributes
    ----------
    problem, start
        The problem, and the schedule to improve.
    seed
        A seed of the random numbers. The same seed and number of changes give the same result.
    done, gained
        Changes tried so far, and changes tried when the last better schedule was found.

    Raises
    ------
    UnfitError
        What the search would keep for the start does not fit.
    """

    problem: Problem
    start: Schedule
    seed: int = 0
    done: int = 0
    gained: int = 0
    _moment: int = _FIRST_MOMENT

    def __post_init__(self) -> None:
        self._search = search_from(self.problem, self.start, self.seed)
        self._cooling = record(Cooling())
        layer = self._search.state.layer
        counted = layer.blocks > layer.pixels
        shares = [share if move != Move.FLIP or counted else 0 for move, share in _SHARES.items()]
        middle = (np.arange(_CHANCES) + 0.5) / _CHANCES
        unit = layer.load_cost * layer.smallest or layer.step_cost or 1
        cooling = (_COLD / np.array(_HOT))[:, None] ** (np.arange(_LEVELS) / (_LEVELS - 1))
        heat = unit * np.array(_HOT)[:, None] * cooling
        self._tables = Tables(
            moves=ints(np.repeat(list(_SHARES), shares)),
            chances=ints(np.rint(-np.log(middle) * 2**_BITS).astype(np.int64)),
            heat=ints(np.rint(heat.ravel() * 2**_BITS).astype(np.int64)),
        )

    def run(self, changes: int) -> None:
        """Try this many changes more."""
        before = self.cost
        anneal(self._search.state, self._cooling, self._tables, changes)
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
            The search gives up after this many changes without a gain, plus ten times as many as
            led to the last gain.
        """
        return self.done - self.gained < changes + _PATIENCE * self.gained

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return min(self.start.cost, self._search.cost)

    @property
    def best(self) -> Schedule:
        """The best schedule so far: the start, if nothing is better."""
        return schedule_of(self._search) if self.cost < self.start.cost else self.start


def compile_all() -> None:
    """Compile the search, or load what an earlier run on this machine compiled.

    Compiling takes some seconds, once.
    """
    state, none = no_operations(), ints([])
    anneal(state, record(Cooling()), Tables(none, none, none), 0)
