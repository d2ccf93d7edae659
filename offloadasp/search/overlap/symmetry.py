"""Mirror images of states of the complete search: strategies from them on take equally long.

A map of operations, inputs and outputs onto themselves that keeps what needs what, all sizes and
all work maps strategies to strategies of the same duration. Candidates are: to mirror rows, to
mirror columns, to exchange rows and columns, to exchange two kernel groups, or two channel groups.
Those that turn out to be such maps are combined.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

from offloadasp.search.overlap.game import Game, Row, bits
from offloadasp.search.overlap.moves import State
from offloadasp.search.overlap.sides import Sides

# Maps that are combined at most; with fewer than all of them the search is slower, and as right.
_MOST = 200


class Permutation(NamedTuple):
    """The image of each operation, of each input and of each output."""

    operations: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Symmetry:
    """One state for all that are mirror images of each other."""

    def __init__(self, game: Game, sides: Sides) -> None:
        self.game, self.sides = game, sides
        self.permutations = _combined(list(_symmetries(game)), _identity(game))
        self.best = cache(self._best)

    def canonical(self, state: State) -> State:
        """Return the least image of a state."""
        done, ways = self.best(state.done)
        left, sides = self.game.all & ~done, self.sides
        chip, sums = min(
            (sides.alike(left, inputs(state.chip)), outputs(state.sums)) for inputs, outputs in ways
        )
        return state._replace(done=done, chip=chip, sums=sums)

    def _best(
        self, done: int
    ) -> tuple[int, list[tuple[Callable[[int], int], Callable[[int], int]]]]:
        """Return the least image of a set of operations, and the maps that lead to it."""
        images = [_image(one.operations, done) for one in self.permutations]
        least = min(images)
        ways = [
            (_mapped(one.inputs), _mapped(one.outputs))
            for one, image in zip(self.permutations, images, strict=True)
            if image == least
        ]
        return least, ways


@cache
def _mapped(images: tuple[int, ...]) -> Callable[[int], int]:
    return cache(lambda mask: _image(images, mask))


def _image(images: tuple[int, ...], mask: int) -> int:
    return sum([1 << images[b] for b in bits(mask)])


def _identity(game: Game) -> Permutation:
    sizes = len(game.operations), len(game.sizes), len(game.outputs)
    return Permutation(*(tuple(range(size)) for size in sizes))


def _combined(generators: list[Permutation], identity: Permutation) -> list[Permutation]:
    """Return the products of maps, up to a number of them."""
    found = {identity: None}
    waiting = [identity]
    for one in waiting:
        for other in generators:
            both = Permutation(*(tuple(b[x] for x in a) for a, b in zip(one, other, strict=True)))
            if both not in found and len(found) < _MOST:
                found[both] = None
                waiting.append(both)
    return list(found)


def _symmetries(game: Game) -> Iterator[Permutation]:
    """Yield the candidates that keep everything."""
    numbers = {frozenset(rows): o for o, rows in enumerate(game.operations)}
    for change in _candidates(game):
        images = [numbers.get(frozenset(change(row) for row in rows)) for rows in game.operations]
        if None in images:
            continue
        operations = tuple(image for image in images if image is not None)
        inputs = _blocks(operations, list(zip(game.users, game.sizes, strict=True)))
        sizes = zip(game.partial, game.complete, strict=True)
        outputs = _blocks(operations, list(zip(game.sharers, sizes, strict=True)))
        if inputs and outputs and [game.macs[o] for o in operations] == game.macs:
            yield Permutation(operations, inputs, outputs)


def _candidates(game: Game) -> Iterator[Callable[[Row], Row]]:
    """Yield maps of rows ``(n, q, i, j)`` of operations."""
    rows = [row for operation in game.operations for row in operation]
    last_n, last_q, last_i, last_j = (max(values) for values in zip(*rows, strict=True))
    yield lambda row: (row[0], row[1], last_i - row[2], row[3])
    yield lambda row: (row[0], row[1], row[2], last_j - row[3])
    yield lambda row: (row[0], row[1], row[3], row[2])
    for pair in pairwise(range(last_n + 1)):
        yield partial(_exchanged, pair, 0)
    for pair in pairwise(range(last_q + 1)):
        yield partial(_exchanged, pair, 1)


def _exchanged(pair: tuple[int, int], place: int, row: Row) -> Row:
    value = row[place]
    other = pair[1 - pair.index(value)] if value in pair else value
    return (*row[:place], other, *row[place + 1 :])


def _blocks(
    operations: tuple[int, ...], kinds: Sequence[tuple[int, object]]
) -> tuple[int, ...] | None:
    """Return images of blocks that belong to sets of operations and have sizes, or None."""
    members: defaultdict[tuple[int, object], list[int]] = defaultdict(list)
    for b, kind in enumerate(kinds):
        members[kind].append(b)
    found = [0] * len(kinds)
    for (users, size), blocks in members.items():
        images = members.get((_image(operations, users), size), [])
        if len(images) != len(blocks):
            return None
        for b, image in zip(blocks, images, strict=True):
            found[b] = image
    return tuple(found)
