"""What may go on beside a compute action: which inputs stay, and what is loaded and written.

The states of :mod:`.moves` are compared here. Take two of them with the same operations done and
the same partial sums on chip. The one does *no worse* than the other if it holds the same inputs
and more, and the same outputs that wait for their write-back, or fewer: whatever the other does
next, it does too, frees what the other does not hold, and leaves out what it has done already.
Neither time nor room grows. An input that was loaded ahead, and that nobody has named, stands for
any input of its size. So it does no worse either if it holds an unnamed input x instead of a named
one y of that size, or x instead of an equally large input y that only operations still use which
use x as well: until the other one loads x it does none of them. Then the one loads y instead, and
both are in the same state. So of all that a step can do beside its compute action these suffice, as
adding, keeping or exchanging leads to a state that does no worse:

- no input leaves that will be used and for which there is room;
- no more could be loaded, and no complete output could be written, in the room and time of the
  step;
- no input y stays while such an x leaves, and none of the size of x is loaded while an unnamed x
  leaves.

If a transfer could be left out and the lane would still take no less than the compute action and
the other lane, it may as well follow in a step of its own: the time is the same, and there is room
for it, since it was there in the step itself. So steps with such transfers are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from offloadasp.search.overlap.game import Counts, Game, bits, minus, products, subsets, total


class Side(NamedTuple):
    """What goes on beside a compute action, and the time of the step.

    A set of inputs that stay, and sets of outputs that hold partial sums. Unnamed inputs that stay,
    inputs that are loaded and complete outputs are counted by size.
    """

    time: int
    kept: int
    ahead: Counts
    loads: Counts
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


class Moment(NamedTuple):
    """What a step has, and what it may take.

    Attributes
    ----------
    left
        Operations that are left after it.
    chip
        Inputs that may stay.
    ahead
        Unnamed inputs that may stay, by size.
    absent
        Inputs that may be loaded, by size.
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
    ahead: Counts
    absent: Counts
    sums: int
    spilled: int
    pending: Counts
    room: int
    compute: int
    most: int


class Stay(NamedTuple):
    """Inputs that stay, unnamed ones by size; bytes of all, and of the smallest that leaves."""

    kept: int
    ahead: Counts
    held: int
    dropped: int


class Sides:
    """Everything that a step may do beside its compute action, but for what is of no use."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.kinds = cache(self._kinds)
        self.alike = cache(self._alike)
        self.staying = cache(self._staying)
        self.named = cache(self._named)

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

    def _alike(self, left: int, chip: int) -> int:
        """Return inputs as good as those on chip: of each kind as many, the first ones."""
        found = 0
        for kind in self.kinds(left):
            found |= _first(kind.members, (kind.members & chip).bit_count())
        return found

    def of(self, moment: Moment) -> Iterator[Side]:
        """Yield what the step may do beside its compute action."""
        rates, game = self.game.rates, self.game
        for writes in products(moment.pending):
            complete = total(writes, game.output_sizes)
            for spills in subsets(moment.sums):
                write = rates.write * (complete + game.partial_of(spills))
                if write > moment.most:
                    continue
                for reloads in subsets(moment.spilled):
                    size = game.partial_of(reloads)
                    room, load = moment.room - size, rates.load * size
                    if room < 0 or self.time(moment.compute, load, write) > moment.most:
                        continue
                    side = Side(0, 0, (), (), reloads, spills, writes)
                    yield from self._loaded(moment, side, room, load, write)

    def time(self, compute: int, load: int, write: int) -> int:
        """Return the time of a step."""
        if self.game.one_lane:
            return max(compute, load + write)
        return max(compute, load, write)

    def _loaded(
        self, moment: Moment, side: Side, room: int, load: int, write: int
    ) -> Iterator[Side]:
        """Yield what the step may load beside some reloads and writes."""
        game, rates, sizes = self.game, self.game.rates, self.game.input_sizes
        fit = [
            min(n, room // size) if size else n
            for n, size in zip(moment.absent, sizes, strict=True)
        ]
        for loads in products(tuple(fit)):
            loaded = total(loads, sizes)
            lane, left = load + rates.load * loaded, room - loaded
            time = self.time(moment.compute, lane, write)
            step = side._replace(time=time, loads=loads)
            if left < 0 or time > moment.most or self._could_follow(moment, step, lane, write):
                continue
            in_time = [
                self.time(moment.compute, lane, write + rates.write * size) <= time
                for size in _more(game.output_sizes, side.writes, moment.pending)
            ]
            if any(in_time):
                continue
            # What could be loaded in time must not find room.
            least = min(
                (
                    size
                    for size in _more(sizes, loads, moment.absent)
                    if self.time(moment.compute, lane + rates.load * size, write) <= time
                ),
                default=left + 1,
            )
            for stay in self.staying(moment.left, moment.chip, moment.ahead, left):
                leave = minus(moment.ahead, stay.ahead)
                if any(map(min, leave, loads)):
                    continue
                if left - stay.held < min(least, stay.dropped):
                    yield step._replace(kept=stay.kept, ahead=stay.ahead)

    def _could_follow(self, moment: Moment, side: Side, load: int, write: int) -> bool:
        """Whether a transfer could as well follow in a step of its own."""
        game, rates = self.game, self.game.rates
        loaded = [rates.load * x for x, n in zip(game.input_sizes, side.loads, strict=True) if n]
        loaded += [rates.load * game.partial[b] for b in bits(side.reloads)]
        written = [rates.write * game.partial[b] for b in bits(side.spills)]
        written += [
            rates.write * x for x, n in zip(game.output_sizes, side.writes, strict=True) if n
        ]
        lanes = [(load, write, loaded), (write, load, written)]
        if game.one_lane:
            lanes = [(load + write, 0, loaded + written)]
        for lane, other, times in lanes:
            least = min((t for t in times if t), default=None)
            if least is not None and lane - least >= max(moment.compute, other):
                return True
        return False

    def _staying(self, left: int, chip: int, ahead: Counts, room: int) -> list[Stay]:
        """Return inputs that may stay, named and unnamed."""
        sizes, found = self.game.input_sizes, list[Stay]()
        for unnamed in products(ahead):
            held = total(unnamed, sizes)
            if held > room:
                continue
            leaving = _more(sizes, unnamed, ahead)
            dropped = min(leaving, default=room + 1)
            named = [kind for kind in self.kinds(left) if kind.size in leaving]
            rest = chip
            for kind in named:
                rest &= ~kind.members
            dropped = min([dropped, *(kind.size for kind in named if kind.members & chip)])
            found += [
                Stay(kept, unnamed, held + more, least)
                for kept, more, least in self.named(left, rest, room - held, dropped)
            ]
        return found

    def _named(self, left: int, chip: int, room: int, dropped: int) -> list[tuple[int, int, int]]:
        """Return named inputs that may stay, their bytes, and those of the smallest that leaves.

        ``dropped`` are the bytes of the smallest that leaves already.
        """
        every = self.kinds(left)
        kinds = [(place, kind) for place, kind in enumerate(every) if kind.members & chip]
        here = [_members(kind.members & chip) for _, kind in kinds]
        rest = [0] * (len(kinds) + 1)
        for k in range(len(kinds) - 1, -1, -1):
            rest[k] = rest[k + 1] + kinds[k][1].size * len(here[k])
        found: list[tuple[int, int, int]] = []
        leaves = [False] * len(every)

        def extend(k: int, kept: int, held: int, dropped: int) -> None:
            if room - held - rest[k] >= dropped:
                return
            if k == len(kinds):
                found.append((kept, held, dropped))
                return
            (place, kind), stay = kinds[k], len(here[k])
            most = min(stay, (room - held) // kind.size) if kind.size else stay
            if any(leaves[other] for other in kind.above):
                most = 0
            for count in range(most, -1, -1):
                leaves[place] = count < stay
                extend(
                    k + 1,
                    kept | sum(here[k][:count]),
                    held + kind.size * count,
                    min(dropped, kind.size) if count < stay else dropped,
                )
            leaves[place] = False

        extend(0, 0, 0, dropped)
        return found


def _more(sizes: Sequence[int], counts: Counts, most: Counts) -> list[int]:
    """Return the sizes of which there could be more."""
    return [size for size, n, m in zip(sizes, counts, most, strict=True) if n < m]


def _members(mask: int) -> list[int]:
    return [1 << b for b in bits(mask)]


def _first(mask: int, count: int) -> int:
    return sum(_members(mask)[:count])
