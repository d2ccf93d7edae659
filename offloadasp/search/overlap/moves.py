"""From one compute action to the next: the moves of the complete search with overlap.

A state is what stands at the end of a step: the operations done, the inputs on chip that are still
used, the partial sums on chip, and how many complete outputs wait for their write-back.

*One DMA.* A move is a compute action with what goes before it. Between two compute actions all
writes may go first and all loads follow, in the same time: what was written leaves room, and to
load or to spill what the same run frees or reloads is of no use. Of the loads of a run those that
the next compute action does not use may follow it: it then has more room, and afterwards there is
the room that they took. So may the writes, as long as there is room for what they would have
written. So a run loads exactly what the next compute action lacks, and writes nothing for which
there is room.

*Loading ahead.* What is loaded beside a compute action is named later: a state only counts these
inputs by size. The first compute action that lacks an input of some size names one of them. Naming
is always possible: an input that was on chip when the unnamed one was loaded, or that has come
since, may as well have stayed from then on, in the room of the unnamed one. As inputs with names
do, unnamed ones may leave for want of room: then nothing was loaded in truth.

*Two DMAs.* The same holds of steps that only load and of steps that only write, of one block each.
But loads may hide beside writes. A step of both is a move of its own, with all that fits beside
each other. Steps that only load may wait until all of these are over, as they are for the next
compute action. Steps that only write are moves of their own.

Nothing is lost, by induction over the compute actions that are left: take any way to go on. Change
what precedes and what accompanies its first compute action as said here and in :mod:`.sides`. What
follows may be as it was, or does no worse from a state that is no worse, and has one compute
action less.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from offloadasp.search.overlap.game import (
    Counts,
    Game,
    bits,
    minus,
    plus,
    products,
    subsets,
    total,
)
from offloadasp.search.overlap.sides import Moment, Side, Sides


class State(NamedTuple):
    """What stands at the end of a step.

    Complete outputs that wait and inputs that were loaded ahead are counted by size.
    """

    done: int
    chip: int
    sums: int
    pending: Counts
    ahead: Counts


class Move(NamedTuple):
    """A compute action, or none, with what goes on before and beside it, each in a step.

    ``spills`` and ``writes`` go first, then ``loads`` and ``reloads``. Of the inputs that the
    action lacks so many were loaded ``ahead``; they have the lowest numbers of their size.
    """

    spills: int
    writes: Counts
    ahead: Counts
    loads: Counts
    reloads: int
    group: int
    side: Side


class Moves:
    """The moves from each state."""

    def __init__(self, game: Game) -> None:
        self.game, self.sides = game, Sides(game)
        self.no_outputs: Counts = (0,) * len(game.output_sizes)
        self.no_inputs: Counts = (0,) * len(game.input_sizes)
        self.groups = [group for group in subsets(game.all) if group and self._fits(group)]
        self.open = cache(lambda done: [group for group in self.groups if not group & done])
        self.finished = cache(self._finished)

    @property
    def start(self) -> State:
        """Nothing is done, and nothing on chip."""
        return State(0, 0, 0, self.no_outputs, self.no_inputs)

    def _fits(self, group: int) -> bool:
        """Whether an action has neither too much work nor too many inputs."""
        game = self.game
        few = game.macs_of(group) <= game.limit
        return few and game.bytes_of(game.needed(group)) <= game.memory

    def _finished(self, done: int, group: int) -> Counts:
        """Return how many outputs an action completes, by size."""
        game = self.game
        return game.outputs_by_size(game.whole(done | group) & ~game.whole(done))

    def waiting(self, pending: Counts) -> int:
        """Return the bytes of complete outputs."""
        return total(pending, self.game.output_sizes)

    def of(self, state: State, most: int) -> Iterator[tuple[int, State, Move]]:
        """Yield moves of at most some time: their time, where they lead, and what they do."""
        if not self.game.one_lane:
            yield from self._written(state, most)
            yield from self._beside_each_other(state, most)
        for group in self.open(state.done):
            yield from self._computed(state, group, most)

    def _computed(self, state: State, group: int, most: int) -> Iterator[tuple[int, State, Move]]:
        """Yield moves with a compute action."""
        game, rates = self.game, self.game.rates
        needs, touched = game.needed(group), game.touched(group)
        begun, compute = game.touched(state.done), game.compute_time(group)
        lacking = game.inputs_by_size(needs & ~state.chip)
        named = tuple(map(min, lacking, state.ahead))
        loads, ahead = minus(lacking, named), minus(state.ahead, named)
        reloads = touched & begun & ~state.sums
        time = rates.load * (total(loads, game.input_sizes) + game.partial_of(reloads))
        if time + compute > most:
            return
        after = state.done | group
        whole = game.whole(after)
        room = game.memory - game.bytes_of(needs) - self._changing(begun, touched, whole)
        if room < 0:
            return
        still, idle = game.needed(game.all & ~after), state.sums & ~touched
        absent = minus(game.inputs_by_size(still & ~needs & ~state.chip), ahead)
        for spills, writes in self._first(idle, state.pending):
            early = rates.write * (game.partial_of(spills) + self.waiting(writes))
            pending = minus(state.pending, writes)
            free = room - game.partial_of(idle & ~spills) - self.waiting(pending)
            if free < 0 or time + early + compute > most:
                continue
            moment = Moment(
                left=game.all & ~after,
                chip=state.chip & still & ~needs,
                ahead=ahead,
                absent=absent,
                sums=idle & ~spills,
                spilled=begun & ~game.whole(state.done) & ~state.sums & ~touched,
                pending=pending,
                room=free,
                compute=compute,
                most=most - time - early,
            )
            made = self.finished(state.done, group)
            for side in self.sides.of(moment):
                if self._in_time(side, moment, spills, writes):
                    chip = self.sides.alike(moment.left, (needs & still) | side.kept)
                    sums = (idle & ~spills & ~side.spills) | side.reloads | (touched & ~whole)
                    waiting = plus(minus(pending, side.writes), made)
                    found = State(after, chip, sums, waiting, plus(side.ahead, side.loads))
                    move = Move(spills, writes, named, loads, reloads, group, side)
                    yield time + early + side.time, found, move

    def _changing(self, begun: int, touched: int, whole: int) -> int:
        """Return the bytes of outputs that an action changes: the larger of before and after."""
        game, found = self.game, 0
        for b in bits(touched):
            after = game.complete[b] if whole >> b & 1 else game.partial[b]
            found += max(game.partial[b] if begun >> b & 1 else 0, after)
        return found

    def _first(self, sums: int, pending: Counts) -> Iterator[tuple[int, Counts]]:
        """Yield what is written before a compute action."""
        if not self.game.one_lane:
            yield 0, self.no_outputs
            return
        for writes in products(pending):
            for spills in subsets(sums):
                yield spills, writes

    def _in_time(self, side: Side, moment: Moment, spills: int, writes: Counts) -> bool:
        """Whether there is no room for anything that is written before the compute action."""
        if not spills and not any(writes):
            return True
        game = self.game
        unnamed = total(plus(side.ahead, side.loads), game.input_sizes)
        room = moment.room - game.bytes_of(side.kept) - unnamed - game.partial_of(side.reloads)
        sizes = [size for size, n in zip(game.output_sizes, writes, strict=True) if n]
        return min([*sizes, *(game.partial[b] for b in bits(spills))]) > room

    def _written(self, state: State, most: int) -> Iterator[tuple[int, State, Move]]:
        """Yield steps that only write, one block each."""
        game, rate = self.game, self.game.rates.write
        side = Side(0, state.chip, state.ahead, self.no_inputs, 0, 0, self.no_outputs)
        idle = Move(0, self.no_outputs, self.no_inputs, self.no_inputs, 0, 0, side)
        for k, (size, count) in enumerate(zip(game.output_sizes, state.pending, strict=True)):
            if count and rate * size <= most:
                one = tuple(int(k == other) for other in range(len(state.pending)))
                after = state._replace(pending=minus(state.pending, one))
                yield rate * size, after, idle._replace(writes=one)
        for b in bits(state.sums):
            if rate * game.partial[b] <= most:
                after = state._replace(sums=state.sums & ~(1 << b))
                yield rate * game.partial[b], after, idle._replace(spills=1 << b)

    def _beside_each_other(self, state: State, most: int) -> Iterator[tuple[int, State, Move]]:
        """Yield steps that load and write, without a compute action."""
        game, left = self.game, self.game.all & ~state.done
        begun = game.touched(state.done) & ~game.whole(state.done)
        taken = game.partial_of(state.sums) + self.waiting(state.pending)
        moment = Moment(
            left=left,
            chip=state.chip,
            ahead=state.ahead,
            absent=minus(game.inputs_by_size(game.needed(left) & ~state.chip), state.ahead),
            sums=state.sums,
            spilled=begun & ~state.sums,
            pending=state.pending,
            room=game.memory - taken,
            compute=0,
            most=most,
        )
        for side in self.sides.of(moment):
            writes, loads = side.spills or any(side.writes), any(side.loads) or side.reloads
            if writes and loads:
                chip = self.sides.alike(left, side.kept)
                sums = (state.sums & ~side.spills) | side.reloads
                pending, ahead = minus(state.pending, side.writes), plus(side.ahead, side.loads)
                after = State(state.done, chip, sums, pending, ahead)
                yield (
                    side.time,
                    after,
                    Move(0, self.no_outputs, self.no_inputs, self.no_inputs, 0, 0, side),
                )
