"""A loop nest as a plan: its decomposition, the order of its operations, and its steps."""

from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.instance import Layer, Resolved
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order
from offloadasp.search.nests.actions import operations
from offloadasp.search.nests.cost import Needs, Sizes, Tiles, axes_of, needs, sizes_of
from offloadasp.search.nests.family import LOOPS, Loop, Mapping

Groups = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Laid:
    """A nest laid out as operations in steps.

    Attributes
    ----------
    problem
        The layer in the decomposition that the nest needs.
    order, step
        The operations in their order, and the step of each, from 1.
    visit
        The tile of each step, counted in the order of their visit; shape (steps + 1,).
    """

    problem: Problem
    order: Order
    step: IntArray
    visit: IntArray


@dataclass(frozen=True)
class _Units:
    """How finely a tile is computed.

    Attributes
    ----------
    kernels, channels
        Of an operation, within a convolution group.
    operations
        Of a step, at most.
    joined
        Whether an operation computes all of the tile's convolution groups.
    """

    kernels: int
    channels: int
    operations: int
    joined: bool = False


def lay_out(problem: Problem, mapping: Mapping) -> Laid:
    """Return the operations of a nest, tile by tile, in compute actions as its mode cuts them.

    Parameters
    ----------
    problem
        Gives layer, memory and prices; its decomposition is of no matter.
    """
    units = _units(problem, mapping)
    kernels, channels, starts = _groups(problem.layer, mapping, units)
    decomposition = Resolved(tile=(1, 1), kernel_groups=kernels, channel_groups=channels)
    decomposed = problem.with_decomposition(decomposition)
    return _operations(decomposed, mapping, units, starts)


def _units(problem: Problem, mapping: Mapping) -> _Units:
    """Cut compute actions as large as the mode allows in the memory that the tile leaves."""
    tile = _tile_of(problem, mapping)
    need, sizes, mode = needs(tile, mapping.mode), sizes_of(problem), mapping.mode
    slack = sizes.memory - int(need.least[0])
    g, p, q, m, c = mapping.sizes
    positions, pairs = p * q, max(1, sizes.windows // c)
    # Whole convolution groups can be computed together.
    layer = problem.layer
    whole = g > 1 and (m, c) == (layer.kernels // layer.group, layer.input[0] // layer.group)
    if mode.walk == "any":
        if not mode.outputs:
            pairs = min(pairs, 1 + slack // max(1, int(need.result[0])))
        if whole and pairs >= g * m:
            return _Units(m, c, pairs // (g * m), joined=True)
        few = min(m, pairs)
        return _Units(few, c, pairs // few)
    if mode.walk == "channels":
        few = min(m, sizes.windows if mode.weights else 1 + slack // sizes.slice)
        return _Units(few, 1, max(1, sizes.windows // few) if mode.weights else positions)
    if mode.walk == "kernels":
        return _by_kernels(mapping, sizes, need, pairs)
    return _walking(mapping, sizes, need, pairs, whole=whole)


def _by_kernels(mapping: Mapping, sizes: Sizes, need: Needs, pairs: int) -> _Units:
    """Cut compute actions of a tile whose weights stream, kernel after kernel."""
    kernel, result = int(need.kernel[0]), int(need.result[0])
    slack, mode = sizes.memory - int(need.least[0]), mapping.mode
    _, p, q, m, c = mapping.sizes
    positions = p * q
    free = slack + sizes.slice if mode.outputs else slack + kernel + result
    each = free // (kernel + (0 if mode.outputs else positions * result))
    together = min(each, pairs // positions, m)
    if together >= 1:
        return _Units(together, c, positions)
    if each >= 1 or not mode.outputs:
        most = pairs if each >= 1 else min(pairs, 1 + slack // max(1, result))
        return _Units(1, c, min(positions, most))
    few = max(1, min(free // sizes.slice, sizes.windows // positions))
    return _Units(1, min(few, c), min(positions, max(1, sizes.windows // few)))


def _walking(mapping: Mapping, sizes: Sizes, need: Needs, pairs: int, *, whole: bool) -> _Units:
    """Cut compute actions of a walk over positions, which hold all kernels if they can."""
    cell, result = int(need.cell[0]), int(need.result[0])
    slack, mode = sizes.memory - int(need.least[0]), mapping.mode
    g, _, _, m, c = mapping.sizes
    if mode.depth == "at each position":
        return _Units(min(m, sizes.windows), 1, 1)
    one = mode.depth == "one by one"
    pairs = sizes.windows if one else pairs
    together = m if one else g * m
    each = 0 if mode.outputs else result
    spare = slack - (together - 1) * each
    cells = 1 + spare // max(1, cell + together * each) if spare >= 0 else 0
    cells = min(cells, pairs // together)
    if cells >= 1:
        if whole and not one:
            return _Units(m, c, cells, joined=True)
        return _Units(m, 1 if one else c, cells * (1 if one else g))
    some = pairs if mode.outputs else min(pairs, 1 + slack // max(1, each))
    return _Units(min(m, some), 1 if one else c, max(1, some // m) if some >= m else 1)


def _tile_of(problem: Problem, mapping: Mapping) -> Tiles:
    index = {loop: np.array([size - 1]) for loop, size in zip(LOOPS, mapping.sizes, strict=True)}
    return Tiles(sizes_of(problem), axes_of(problem), index)


def operations_of(problem: Problem, mapping: Mapping) -> int:
    """Return about how many operations at positions the plan of a nest has."""
    tile = _tile_of(problem, mapping)
    return int(operations(tile, mapping.mode, needs(tile, mapping.mode))[0])


# For kernels and channels: where the groups of each tile begin, by (tile of groups, tile).
Starts = tuple[dict[tuple[int, int], list[IntArray]], dict[tuple[int, int], list[IntArray]]]


def _groups(layer: Layer, mapping: Mapping, units: _Units) -> tuple[Groups, Groups, Starts]:
    """Return kernel groups, channel groups, and which of them each tile has, by its groups."""
    g, _, _, m, c = mapping.sizes
    inside = layer.kernels // layer.group, layer.input[0] // layer.group
    if units.joined:
        # Whole convolution groups: those of a tile are one group of kernels and one of channels.
        return _joined(layer, g)
    kernels, of_kernels = _cut(layer.group, inside[0], g, m, units.kernels)
    channels, of_channels = _cut(layer.group, inside[1], g, c, units.channels)
    return kernels, channels, (of_kernels, of_channels)


def _joined(layer: Layer, g: int) -> tuple[Groups, Groups, Starts]:
    spans = [(a, min(a + g, layer.group)) for a in range(0, layer.group, g)]
    each, deep = layer.kernels // layer.group, layer.input[0] // layer.group
    one = {(at, 0): [np.array([at])] for at in range(len(spans))}
    kernels = tuple((a * each, b * each) for a, b in spans)
    return kernels, tuple((a * deep, b * deep) for a, b in spans), (one, one)


def _cut(
    group: int, inside: int, g: int, size: int, unit: int
) -> tuple[Groups, dict[tuple[int, int], list[IntArray]]]:
    """Cut the kernels or channels of each convolution group into tiles, and these into units."""
    found: list[tuple[int, int]] = []
    members: dict[tuple[int, int], list[IntArray]] = {}
    for at in range(group):
        for tile, start in enumerate(range(0, inside, size)):
            stop = min(start + size, inside)
            pieces = [(a, min(a + unit, stop)) for a in range(start, stop, unit)]
            first = len(found)
            found += [(at * inside + a, at * inside + b) for a, b in pieces]
            numbers = np.arange(first, first + len(pieces))
            members.setdefault((at // g, tile), []).append(numbers)
    return tuple(found), members


def _operations(problem: Problem, mapping: Mapping, units: _Units, starts: Starts) -> Laid:
    digits = _walked([(loop, mapping.rounds[LOOPS.index(loop)]) for loop in mapping.order])
    lines = {
        loop: [np.arange(a, min(a + size, total)) for a in range(0, total, size)]
        for loop, size, total in (
            ("p", mapping.size("p"), problem.out_height),
            ("q", mapping.size("q"), problem.out_width),
        )
    }
    parts: dict[tuple[int, ...], tuple[IntArray, ...]] = {}
    columns: list[list[IntArray]] = [[], [], [], []]
    steps: list[IntArray] = []
    visits: list[IntArray] = [np.zeros(1, dtype=np.int64)]
    count = 0
    tiles = np.column_stack([digits[loop] for loop in LOOPS]).tolist()
    for visit, (g, p, q, m, c) in enumerate(tiles):
        if (g, p, q, m, c) not in parts:
            pairs = _pairs(starts[0][g, m], starts[1][g, c], mapping)
            parts[g, p, q, m, c] = _inside(lines["p"][p], lines["q"][q], pairs, mapping, units)
        *found, step = parts[g, p, q, m, c]
        for column, part in zip(columns, found, strict=True):
            column.append(part)
        steps.append(step + count)
        count = int(steps[-1][-1])
        visits.append(np.full(int(step[-1]), visit))
    n, q_, i, j = (np.concatenate(column) for column in columns)
    unit = np.arange(len(n))
    step = np.concatenate(steps)
    return Laid(problem, Order(n, q_, i, j, unit, unit, unit), step, np.concatenate(visits))


def _walked(loops: list[tuple[Loop, int]]) -> dict[Loop, IntArray]:
    """Count through loops of so many rounds, outermost first, each of which turns every time."""
    inner = int(np.prod([rounds for _, rounds in loops]))
    outer = np.arange(inner)
    digits: dict[Loop, IntArray] = {}
    for loop, rounds in loops:
        inner //= rounds
        starts, digit = np.divmod(outer // inner, rounds)
        digits[loop] = np.where(starts % 2 == 0, digit, rounds - 1 - digit)
    return digits


def _pairs(kernels: list[IntArray], channels: list[IntArray], mapping: Mapping) -> IntArray:
    """Return the pairs of groups of a tile, rows ``(n, q)``, in the order of the mode."""
    found = []
    for n, q in zip(kernels, channels, strict=True):
        by_channel = mapping.mode.walk == "channels" or mapping.mode.depth != "together"
        if by_channel:
            found.append(np.column_stack([np.tile(n, len(q)), np.repeat(q, len(n))]))
        else:
            found.append(np.column_stack([np.repeat(n, len(q)), np.tile(q, len(n))]))
    return np.concatenate(found)


def _inside(
    rows: IntArray, columns: IntArray, pairs: IntArray, mapping: Mapping, units: _Units
) -> tuple[IntArray, ...]:
    """Return the operations of one tile: n, q, i, j, and the step of each, from 1."""
    mode = mapping.mode
    i, j = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
    length = len(columns)
    if mode.walk == "columns":
        j, i = np.repeat(columns, len(rows)), np.tile(rows, len(columns))
        length = len(rows)
    count, positions = len(pairs), len(i)
    each: list[tuple[IntArray, IntArray]] = []
    if mode.walk not in ("rows", "columns"):
        pair, place = np.repeat(np.arange(count), positions), np.tile(np.arange(positions), count)
        begins: BoolArray | None = None
    elif mode.depth == "one by one":
        for q in dict.fromkeys(pairs[:, 1].tolist()):
            some = np.flatnonzero(pairs[:, 1] == q)
            each.append((np.tile(some, positions), np.repeat(np.arange(positions), len(some))))
        pair, place = (np.concatenate(part) for part in zip(*each, strict=True))
        begins = _new_line(place, length) | (np.diff(pairs[pair, 1], prepend=-1) != 0)
    else:
        pair, place = np.tile(np.arange(count), positions), np.repeat(np.arange(positions), count)
        begins = _new_line(place, length)
        if mode.depth == "at each position":
            begins |= np.r_[True, np.diff(place) != 0] | (np.diff(pairs[pair, 1], prepend=-1) != 0)
    step = _chunks(begins, len(pair), units, pair, mapping)
    return pairs[pair, 0], pairs[pair, 1], i[place], j[place], step


def _new_line(place: IntArray, length: int) -> BoolArray:
    line = place // length
    begins: BoolArray = np.r_[True, line[1:] != line[:-1]]
    return begins


def _chunks(
    begins: BoolArray | None, total: int, units: _Units, pair: IntArray, mapping: Mapping
) -> IntArray:
    """Cut operations into steps of so many, which also end where marked."""
    size = units.operations
    if mapping.mode.walk in ("kernels", "channels") and begins is None:
        # Steps lie within one pair of groups.
        begins = np.r_[True, pair[1:] != pair[:-1]] if size <= total else None
    if begins is None:
        return np.arange(total) // size + 1
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    inside = (np.arange(total) - starts[run]) // size
    cut: BoolArray = begins | np.r_[True, np.diff(inside) != 0]
    return np.cumsum(cut)
