"""What a strategy with overlap still takes from a state on, at least.

Let n operations be left. The next compute action waits for the loads that it lacks, and an output
is written after the last one: with K compute actions that is their time and the two waits. And the
transfers that are left take their time. A compute action beside which there is room for few bytes
leaves the lane idle for a while: its own time less the longest that a transfer of so many bytes
takes. With one DMA all this adds up, with two it holds for each lane. With each K the greater of
the two counts, and the least over all K is a bound. Actions of as many operations are taken to
leave the lane idle for as short a time as any of them.
"""

import math
from functools import cache

from offloadasp.search.overlap.game import Counts, bits, total
from offloadasp.search.overlap.moves import Moves, State


class Remaining:
    """A lower bound on the time from each state to the end, in units of time."""

    def __init__(self, moves: Moves) -> None:
        self.game, self.moves = moves.game, moves
        rates = self.game.rates
        both = (max(rates.load, rates.write),)
        self.lanes = both if self.game.one_lane else (rates.load, rates.write)
        self.idle = [self._idle(rate) for rate in self.lanes]
        self.plans = cache(self._plans)
        self.later = cache(self._later)

    def _idle(self, rate: int) -> dict[int, int]:
        """Return how long an action leaves a lane idle at least, by its number of operations."""
        game, found = self.game, dict[int, int]()
        for group in self.moves.groups:
            room = game.memory - game.bytes_of(game.needed(group)) - self._outputs(group)
            if room >= 0:
                idle, size = max(0, game.compute_time(group) - rate * room), group.bit_count()
                found[size] = min(idle, found.get(size, idle))
        return found

    def _outputs(self, group: int) -> int:
        """Return the bytes that the outputs of an action take at least."""
        game = self.game
        return sum(
            game.complete[b]
            if game.sharers[b] & ~group == 0
            else min(game.partial[b], game.complete[b])
            for b in bits(game.touched(group))
        )

    def _plans(self, operations: int) -> tuple[tuple[int, ...], ...]:
        """Return numbers of actions for so many operations, with the idle time of each lane."""
        tables = [self._by_actions(operations, idle) for idle in self.idle]
        return tuple((count, *(table[count] for table in tables)) for count in tables[0])

    def _by_actions(self, operations: int, idle: dict[int, int]) -> dict[int, int]:
        found: list[dict[int, int]] = [{0: 0}]
        for n in range(1, operations + 1):
            best: dict[int, int] = {}
            for size, wasted in idle.items():
                for count, before in found[n - size].items() if size <= n else ():
                    known = best.get(count + 1, before + wasted)
                    best[count + 1] = min(known, before + wasted)
            found.append(best)
        return found[operations]

    def _later(self, done: int) -> tuple[int, int]:
        """Return the bytes of all outputs that are not complete, and of the smallest of them."""
        game = self.game
        sizes = [game.complete[b] for b in bits(game.touched(game.all) & ~game.whole(done))]
        return sum(sizes), min(sizes, default=0)

    def _lacking(self, inputs: int, ahead: Counts) -> int:
        """Return the bytes to be loaded for inputs, as far as none was loaded ahead for them."""
        sizes, counts = self.game.input_sizes, self.game.inputs_by_size(inputs)
        return sum([size * max(0, n - m) for size, n, m in zip(sizes, counts, ahead, strict=True)])

    def __call__(self, state: State) -> int | None:
        """Return the bound, or None if the operations left cannot be done."""
        game, rates = self.game, self.game.rates
        left = game.all & ~state.done
        waiting = self.moves.waiting(state.pending)
        if not left:
            return rates.write * waiting
        spilled = game.touched(state.done) & ~game.whole(state.done) & ~state.sums
        ahead = total(state.ahead, game.input_sizes)
        loads = game.bytes_of(game.needed(left) & ~state.chip) - ahead + game.partial_of(spilled)
        outputs, last = self.later(state.done)
        first = rates.load * min(
            self._lacking(game.needs[o] & ~state.chip, state.ahead)
            + game.partial_of(game.produces[o] & spilled)
            for o in bits(left)
        )
        ends, work = first + rates.write * last, rates.mac * game.macs_of(left)
        load, write = rates.load * loads, rates.write * (waiting + outputs)
        best = math.inf
        for count, *idle in self.plans(left.bit_count()):
            busy = ends + rates.call * count + work
            if game.one_lane:
                lanes = load + write + idle[0]
            else:
                lanes = max(load + idle[0], write + idle[1])
            best = min(best, max(busy, lanes))
        # All loads precede the last compute action, and an output is written after it; a new one is
        # written after the next compute action.
        call = rates.call + rates.mac * min(game.macs[o] for o in bits(left))
        floor = max(load + call + rates.write * last, first + call + rates.write * outputs)
        return None if best == math.inf else max(int(best), floor)
