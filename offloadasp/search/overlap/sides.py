"""What may go on beside a compute action: which inputs stay, and what is loaded and written.

The states of :mod:`.moves` are compared here. Take two of them with the same operations done and
the same partial sums on chip. The one does *no worse* than the other if it holds the same inputs
and more, and the same outputs that wait for their write-back, or fewer: whatever the other does
next, it does too, frees what the other does not hold, and leaves out what it has done already.
Neither time nor room grows. It does no worse either if it holds input x instead of an equally
large input y that only operations still use which use x as well: until the other one loads x it
does none of them. Then the one loads y instead, and both are in the same state. So of all that a
step can do beside its compute action these suffice, as adding, keeping or exchanging leads to a
state that does no worse:

- no input leaves that will be used and for which there is room;
- no more could be loaded, and no complete output could be written, in the room and time of the
  step;
- no input y stays or is loaded while such an x leaves, or is loaded while such an x stays away.

If a transfer could be left out and the lane would still take no less than the compute action and
the other lane, it may as well follow in a step of its own: the time is the same, and there is room
for it, since it was there in the step itself. So steps with such transfers are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from offloadasp.search.overlap.game import Game, bits, subsets

Counts = tuple[int, ...]


class Side(NamedTuple):
    """What goes on beside a compute action, and the time of the step.

    Sets of inputs, and of outputs that hold partial sums; complete outputs are counted by size.
    """

    time: int
    kept: int
    loads: int
    reloads: int
    spills: int
    writes: Counts


@dataclass(frozen=True)
class Kind:
    """Inputs that are alike: equally large, and used by the same operations that are left.

    ``above`` are kinds, earlier in order, of the same size and used by more operations.
    """

    size: int
    members: int
    above: tuple[int, ...]


@dataclass(frozen=True)
class Moment:
    """What a step has, and what it may take.

    Attributes
    ----------
    left
        Operations that are left after it.
    chip, absent
        Inputs that may stay, and that may be loaded.
    sums, spilled
        Outputs with partial sums that may be spilled, and that may be reloaded.
    pending
        Complete outputs that may be written.
    room
        Bytes for inputs that stay, and for all that is loaded.
    compute
        The time of the compute action.
    most
        The longest time of the step that is of interest.
    """

    left: int
    chip: int
    absent: int
    sums: int
    spilled: int
    pending: Counts
    room: int
    compute: int
    most: int


class Sides:
    """Everything that a step may do beside its compute action, but for what is of no use."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.classes = sorted(set(game.complete))
        self.kinds = cache(self._kinds)

    def _kinds(self, left: int) -> tuple[Kind, ...]:
        """Return the kinds of inputs that so many operations need, those of most users first."""
        game = self.game
        found: dict[tuple[int, int], int] = {}
        for b in bits(game.needed(left)):
            key = game.users[b] & left, game.sizes[b]
            found[key] = found.get(key, 0) | 1 << b
        keys = sorted(found, key=lambda key: (-key[0].bit_count(), *key))
        return tuple(
            Kind(
                size,
                found[users, size],
                tuple(
                    k
                    for k, (more, other) in enumerate(keys)
                    if other == size and users & ~more == 0 and users != more
                ),
            )
            for users, size in keys
        )

    def alike(self, left: int, chip: int) -> int:
        """Return inputs as good as those on chip: of each kind as many, the first ones."""
        found = 0
        for kind in self.kinds(left):
            held = (kind.members & chip).bit_count()
            found |= _first(kind.members, held)
        return found

    def of(self, moment: Moment) -> Iterator[Side]:
        """Yield what the step may do beside its compute action."""
        rates, game = self.game.rates, self.game
        for writes in products(moment.pending):
            complete = sum(x * size for x, size in zip(writes, self.classes, strict=True))
            for spills in subsets(moment.sums):
                write = rates.write * (complete + game.partial_of(spills))
                if write > moment.most:
                    continue
                for reloads in subsets(moment.spilled):
                    size = game.partial_of(reloads)
                    room, load = moment.room - size, rates.load * size
                    if room < 0 or self.time(moment, load, write) > moment.most:
                        continue
                    for kept, loads, left in self._inputs(moment, room, load, write):
                        total = load + rates.load * game.bytes_of(loads)
                        side = Side(
                            self.time(moment, total, write), kept, loads, reloads, spills, writes
                        )
                        if self._is_useful(moment, side, total, write, left):
                            yield side

    def time(self, moment: Moment, load: int, write: int) -> int:
        """Return the time of a step."""
        lanes = load + write if self.game.one_lane else max(load, write)
        return max(moment.compute, lanes)

    def _may_load(self, moment: Moment, load: int, write: int, last: int) -> bool:
        """Whether loads may take so long, of which the last one may not as well follow."""
        others = load - last + write if self.game.one_lane else load - last
        limit = moment.compute if self.game.one_lane else max(moment.compute, write)
        return (not last or others < limit) and self.time(moment, load, write) <= moment.most

    def _inputs(
        self, moment: Moment, room: int, load: int, write: int
    ) -> list[tuple[int, int, int]]:
        """Return the inputs that stay and that are loaded, and the bytes that are left."""
        kinds, rate = self.kinds(moment.left), self.game.rates.load
        here = [_members(kind.members & moment.chip) for kind in kinds]
        away = [_members(kind.members & moment.absent) for kind in kinds]
        rest = [0] * (len(kinds) + 1)
        for k in range(len(kinds) - 1, -1, -1):
            rest[k] = rest[k + 1] + kinds[k].size * (len(here[k]) + len(away[k]))
        found: list[tuple[int, int, int]] = []
        # Of each kind: 0 if all is on chip after the step, 1 if some stay away, 2 if some leave.
        lacking = [0] * len(kinds)
        never = room + 1

        def extend(k: int, kept: int, loads: int, room: int, load: int, dropped: int) -> None:
            if room - rest[k] >= dropped:
                return
            if k == len(kinds):
                found.append((kept, loads, room))
                return
            size, stay, new = kinds[k].size, len(here[k]), len(away[k])
            worst = max((lacking[other] for other in kinds[k].above), default=0)
            most = min((stay + new, stay, 0)[worst], room // size if size else stay + new)
            for count in range(most, -1, -1):
                extra = max(0, count - stay)
                more = load + rate * size * extra
                if extra and not self._may_load(moment, more, write, rate * size):
                    continue
                lacking[k] = 2 if count < stay else 1 if count < stay + new else 0
                extend(
                    k + 1,
                    kept | sum(here[k][: min(count, stay)]),
                    loads | sum(away[k][:extra]),
                    room - size * count,
                    more,
                    min(dropped, size) if count < stay else dropped,
                )
            lacking[k] = 0

        extend(0, 0, 0, room, load, never)
        return found

    def _is_useful(self, moment: Moment, side: Side, load: int, write: int, room: int) -> bool:
        """Whether nothing could be added, and nothing could as well follow in a step of its own."""
        game, rates = self.game, self.game.rates
        loaded = [rates.load * game.sizes[b] for b in bits(side.loads)]
        loaded += [rates.load * game.partial[b] for b in bits(side.reloads)]
        written = [rates.write * game.partial[b] for b in bits(side.spills)]
        written += [rates.write * x for x, n in zip(self.classes, side.writes, strict=True) if n]
        if game.one_lane:
            least = min((t for t in (*loaded, *written) if t), default=None)
            if least is not None and load + write - least >= moment.compute:
                return False
        else:
            for lane, other, times in ((load, write, loaded), (write, load, written)):
                least = min((t for t in times if t), default=None)
                if least is not None and lane - least >= max(moment.compute, other):
                    return False
        for x, n, most in zip(self.classes, side.writes, moment.pending, strict=True):
            if n < most and self.time(moment, load, write + rates.write * x) <= side.time:
                return False
        return not any(
            game.sizes[b] <= room
            and self.time(moment, load + rates.load * game.sizes[b], write) <= side.time
            for b in bits(moment.absent & ~side.loads)
        )


def _members(mask: int) -> list[int]:
    return [1 << b for b in bits(mask)]


def _first(mask: int, count: int) -> int:
    return sum(_members(mask)[:count])


def products(most: Counts) -> Iterator[Counts]:
    """Yield all numbers of outputs up to some, by size."""
    if not most:
        yield ()
        return
    for first in range(most[0] + 1):
        for others in products(most[1:]):
            yield (first, *others)
