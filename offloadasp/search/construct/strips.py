"""Strips to try."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from itertools import product

from offloadasp.model.instance import split_evenly
from offloadasp.search.construct.traversal import Strip, Traversal

# Above this many strips only every so many-th number is tried.
_DENSE = 24
# So many of the best are varied, and have their neighbours tried.
_VARIED = 3
# Of many strips, only so many at either end are varied one by one.
_ENDS = 4


def even(grid: tuple[int, int], count: int, *, transposed: bool) -> Traversal:
    """Return so many strips whose widths differ by at most one, narrow ones first.

    Lines go to and fro, and the first one of a strip goes on in the direction of the line before.
    There must be at least as many tiles across as strips.
    """
    lines, across = grid[::-1] if transposed else grid
    widths = sorted(b - a for a, b in split_evenly(across, count))
    return Traversal("strips", _onward(tuple(widths), lines, right=True), transposed)


def evens(grid: tuple[int, int]) -> Iterator[Traversal]:
    """Yield even strips of every number, few first; of very many only some numbers."""
    for count, transposed in product(range(1, max(grid) + 1), (False, True)):
        dense = count <= _DENSE or count % (count // _DENSE * 4) == 0
        if dense and count <= grid[0 if transposed else 1]:
            yield even(grid, count, transposed=transposed)


def variants(grid: tuple[int, int], traversal: Traversal) -> Iterator[Traversal]:
    """Yield the same number of strips in other orders of widths, with lines in other directions."""
    lines = grid[1] if traversal.transposed else grid[0]
    widths = tuple(strip.width for strip in traversal.strips)
    orders = {widths, widths[::-1]}
    rest = sum(widths) - max(widths) * (len(widths) - 1)
    if rest > 0:
        others = (max(widths),) * (len(widths) - 1)
        orders |= {(*others, rest), (rest, *others)}
    for order, right in product(sorted(orders), (True, False)):
        for strips in (
            tuple(Strip(width, right, False) for width in order),
            _onward(order, lines, right=right),
            tuple(Strip(width, right, True) for width in order),
        ):
            yield replace(traversal, strips=strips)


def _onward(widths: tuple[int, ...], lines: int, *, right: bool) -> tuple[Strip, ...]:
    return tuple(Strip(width, (right + s * (lines - 1)) % 2 == 1) for s, width in enumerate(widths))


def neighbours(traversal: Traversal) -> Iterator[Traversal]:
    """Yield strips of which one gives a cell across to another, or goes its lines otherwise."""
    strips, count = traversal.strips, len(traversal.strips)
    ends = [s for s in range(count) if s < _ENDS or s >= count - _ENDS]
    for giver, taker in product(ends, ends):
        if giver != taker and strips[giver].width > 1:
            changed = list(strips)
            changed[giver] = strips[giver]._replace(width=strips[giver].width - 1)
            changed[taker] = strips[taker]._replace(width=strips[taker].width + 1)
            yield replace(traversal, strips=tuple(changed))
    for s, right, turning in product(ends, (True, False), (True, False)):
        changed = list(strips)
        changed[s] = Strip(strips[s].width, right, turning)
        yield replace(traversal, strips=tuple(changed))


def trials(
    grid: tuple[int, int], first: Iterable[Traversal]
) -> Generator[Traversal, int | None, None]:
    """Yield strips to try: first ones, variants of the best of them, neighbours of the best of all.

    It is sent the cost of each, or None where the strips do not fit or cannot be good.
    """
    costs: dict[Traversal, int | None] = {}

    def ranked() -> list[Traversal]:
        fitting = {strips: cost for strips, cost in costs.items() if cost is not None}
        return sorted(fitting, key=lambda strips: fitting[strips])

    for strips in first:
        if strips not in costs:
            costs[strips] = yield strips
    for good in ranked()[:_VARIED]:
        for strips in variants(grid, good):
            if strips not in costs:
                costs[strips] = yield strips
    seen: set[Traversal] = set()
    while best := next((strips for strips in ranked()[:_VARIED] if strips not in seen), None):
        seen.add(best)
        for strips in neighbours(best):
            if strips not in costs:
                costs[strips] = yield strips
