"""From a schedule to the state of the local search, and from its best arrangement back to one."""

import math
from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.evaluation import Origin, Purpose, evaluate
from offloadasp.search.anneal.moves import note_positions
from offloadasp.search.anneal.numba_or_python import Ints, ints, record
from offloadasp.search.anneal.numbering import Numbering
from offloadasp.search.anneal.state import (
    Arrangement,
    Change,
    Checkpoints,
    Costs,
    LayerData,
    Memory,
    Positions,
    Random,
    State,
    Totals,
    Undo,
)
from offloadasp.search.construct.residency import Schedule, Uses

# One empty step is added for this many steps of the schedule, so that steps may divide.
_SPARE = 4
# Between checkpoints lie as many steps as the root of their number, or this many if that is more.
_NEXT_CHECKPOINT = 4


@dataclass
class Search:
    """The state of a local search, with what its numbers mean.

    Attributes
    ----------
    numbering
        Of the problem's operations and blocks.
    state
        What compiled functions change.
    """

    numbering: Numbering
    state: State

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return int(self.state.costs.best) + self.numbering.fixed


class UnfitError(Exception):
    """What a local search would keep for the schedule that it is to begin with does not fit."""


def search_from(problem: Problem, start: Schedule, seed: int) -> Search:
    """Return a search that begins with a schedule, with some empty steps in between.

    Raises
    ------
    UnfitError
        The search keeps otherwise than the schedule, and that does not fit.
    """
    numbering = Numbering(problem)
    # Any number but 0 will do for xorshift; neighbouring seeds must not begin alike.
    random = (seed * 2654435761 + 40503) % (2**32 - 1) + 1
    for whole in (True, False):
        arrangement = Arrangement(
            sequence=ints(numbering.numbers(start.order)),
            start=ints(_spread(start)),
            resident=ints(_resident(numbering, start, whole=whole)),
        )
        state = new_state(numbering.layer, arrangement, random)
        cost = evaluate(state, Purpose.SAVE)
        if cost >= 0:
            state.costs.present = state.costs.best = cost
            return Search(numbering, state)
    raise UnfitError


def new_state(layer: LayerData, first: Arrangement, random: int = 1) -> State:
    """Return a state with copies of an arrangement, all of which is to be evaluated.

    Parameters
    ----------
    random
        The first state of the random numbers, from 1 to 2 ** 32 − 1.
    """
    steps, counted = len(first.start) - 2, layer.blocks - layer.pixels
    every = max(_NEXT_CHECKPOINT, math.isqrt(steps))
    checkpoints = (steps - 1) // every + 1
    state = State(
        layer=layer,
        steps=steps,
        arrangement=_copy(first),
        positions=Positions(place=_zeros(layer.operations), step=_zeros(layer.operations)),
        change=record(Change(first_step=1, last_step=steps)),
        undo=Undo(sequence=_zeros(layer.operations), start=_zeros(steps + 2)),
        memory=Memory(
            totals=record(Totals()),
            last_use=_zeros(layer.blocks),
            free=_zeros(steps + 1),
            done=_zeros(counted),
            begun=_zeros(counted),
            origin=_zeros(layer.operations * layer.taps),
        ),
        checkpoints=Checkpoints(
            every=every,
            cost=_zeros(checkpoints + 1),
            full_step=_zeros(checkpoints),
            held=_zeros(checkpoints),
            free=_zeros(checkpoints * (steps + 1)),
            done=_zeros(checkpoints * counted),
            begun=_zeros(checkpoints * counted),
        ),
        random=record(Random(random)),
        costs=record(Costs()),
        best=_copy(first),
        first=_copy(first),
    )
    note_positions(state)
    return state


def no_operations() -> State:
    """Return a state of the same types as any other, with one empty step and nothing else."""
    none = ints([])
    layer = LayerData(
        operations=0,
        pixels=0,
        kernels=0,
        blocks=0,
        taps=0,
        rows=0,
        columns=0,
        memory=0,
        macs_per_step=0,
        load_cost=0,
        spill_cost=0,
        step_cost=0,
        smallest=0,
        sizes_differ=0,
        needs=none,
        macs=none,
        output_bytes=none,
        size=none,
        complete_size=none,
        users=none,
    )
    return new_state(layer, Arrangement(sequence=none, start=ints([0, 0, 0]), resident=none))


def _copy(arrangement: Arrangement) -> Arrangement:
    return Arrangement(*map(ints, arrangement))


def _zeros(count: int) -> Ints:
    return ints(np.zeros(count, dtype=np.int64))


def _spread(start: Schedule) -> IntArray:
    """Return where steps begin in the sequence: a schedule's steps, and empty ones in between."""
    first = np.unique(start.order.unit, return_index=True)[1]
    sizes = np.bincount(start.step[first])[1:]
    spare = min(len(first) - len(sizes), 2 + len(sizes) // _SPARE)
    behind = (np.arange(spare) + 1) * len(sizes) // (spare + 1)
    return np.concatenate([[0, 0], np.cumsum(np.insert(sizes, behind, 0))])


def _resident(numbering: Numbering, start: Schedule, *, whole: bool) -> IntArray:
    """Return of each block whether it is a kernel block that is loaded only once, or an output.

    Outputs are not where they cannot all stay ``whole`` until they are complete.
    """
    kernels, outputs = start.kernels, np.full(len(numbering.output), int(whole))
    loaded, loads = np.unique(kernels.block[kernels.starts], return_counts=True)
    once = np.isin(numbering.kernel, loaded[loads == 1]).astype(np.int64)
    return np.concatenate([0 * numbering.pixel, once, outputs])


def schedule_of(search: Search) -> Schedule:
    """Return the best arrangement so far as a schedule."""
    numbering, layer = search.numbering, search.state.layer
    state = new_state(layer, search.state.best)
    cost = evaluate(state, Purpose.RECORD)
    sequence, number = np.array(state.arrangement.sequence), np.array(state.positions.step)
    # Empty steps do not count.
    step = np.cumsum(np.diff(number, prepend=number[0]) > 0) + 1
    order = numbering.order(sequence)
    origin = np.array(state.memory.origin).reshape(-1, layer.taps)
    place, nth = np.nonzero(origin != Origin.SAME_STEP)
    block, kept = numbering.needs[sequence[place], nth], origin[place, nth] == Origin.KEPT
    kernel, output, end = numbering.firsts

    def uses(first: int, end: int, names: IntArray) -> Uses:
        these = (block >= first) & (block < end)
        return _uses(names[block[these] - first], step[place[these]], kept[these])

    kernels = uses(kernel, output, numbering.kernel)
    if not len(numbering.kernel):
        steps = np.arange(1, step[-1] + 1)
        kernels = _uses(0 * steps, steps, steps > 0)
    return Schedule(
        cost=cost + numbering.fixed,
        order=order,
        step=step[order.unit],
        pixels=uses(0, kernel, numbering.pixel),
        kernels=kernels,
        outputs=uses(output, end, numbering.output) if len(numbering.output) else None,
    )


def _uses(block: IntArray, step: IntArray, kept: BoolArray) -> Uses:
    by_block = np.lexsort([step, block])
    block, step, kept = block[by_block], step[by_block], kept[by_block]
    return Uses(block, step, (block[1:] == block[:-1]) & kept[1:])
