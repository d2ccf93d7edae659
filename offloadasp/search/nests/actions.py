"""Compute actions of nests: whole operations that fit the processing unit and the memory."""

import itertools
import math
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass

import numpy as np

from offloadasp.asp.verifying import Verification
from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.search.nests.cost import Needs, Sizes, Tiles
from offloadasp.search.nests.family import LOOPS, Loop, Mode

Extent = ReadOnly[Loop, IntArray]
# Seconds that making a plan takes, an operation at a position: measured at 3,000,000 of them.
_MAKING = 1.8e-6


def actions(tiles: Tiles, mode: Mode, need: Needs) -> IntArray:
    """Return the compute actions, none of which reaches over two tiles, shape (tiles,)."""
    total = np.zeros(len(tiles), dtype=np.int64)
    slack = tiles.sizes.memory - need.least
    for parts in itertools.product((False, True), repeat=len(LOOPS)):
        times = np.ones(len(tiles), dtype=np.int64)
        extent: dict[Loop, IntArray] = {}
        for loop, last in zip(LOOPS, parts, strict=True):
            axis, index = tiles.axes[loop], tiles.index[loop]
            size, rest, rounds = axis.size[index], axis.rest[index], axis.rounds[index]
            # Where the last tile is as large as the others, it counts as one of them.
            alike = rest == size
            times = times * np.where(alike, 0 if last else rounds, 1 if last else rounds - 1)
            extent[loop] = rest if last else size
        some = np.flatnonzero(times)
        if len(some):
            part = {loop: value[some] for loop, value in extent.items()}
            each = _per_tile(tiles.sizes, mode, need.at(some), slack[some], part)
            total[some] += times[some] * each
    return total


def operations(tiles: Tiles, mode: Mode, need: Needs) -> IntArray:
    """Return about how many operations at positions the plan of a nest has, shape (tiles,).

    The finer kernels and channels are cut, the more there are.
    """
    sizes, kernels = tiles.sizes, tiles.size("m")
    slack = sizes.memory - need.least
    few = np.minimum(kernels, np.maximum(1, sizes.windows // tiles.size("c")))
    if mode.walk == "kernels":
        free = slack + (sizes.slice if mode.outputs else need.kernel + need.result)
        few = np.minimum(few, np.maximum(1, free // need.kernel))
    elif not mode.outputs and mode.depth == "together":
        few = np.minimum(few, 1 + slack // np.maximum(1, need.result))
    # Of tiles that do not fit the slack is negative.
    few = np.maximum(1, few)
    pairs = tiles.rounds("m") * _parts(kernels, few) * tiles.rounds("c")
    if mode.walk == "channels" or mode.depth != "together":
        pairs = pairs * tiles.size("c")
    groups = tiles.rounds("g") * tiles.size("g")
    positions = tiles.measures["outputs", "p"].total * tiles.measures["outputs", "q"].total
    found: IntArray = positions * groups * pairs
    return found


def runs(tiles: Tiles, mode: Mode, need: Needs) -> IntArray:
    """Return about how many runs in bands the check has of a nest's plan, at least, shape (tiles,).

    A band ends with the tile.
    """
    positions = tiles.measures["outputs", "p"].total * tiles.measures["outputs", "q"].total
    found: IntArray = operations(tiles, mode, need) // positions
    return found * tiles.rounds("p") * tiles.rounds("q")


# Where neither seconds nor memory are limited, it does not matter.
_LEAST = Verification(rows=1, columns=1, places=0)


@dataclass(frozen=True)
class Light:
    """What it may take to make the plan of a nest, and to verify it.

    Attributes
    ----------
    operations
        At positions, which the memory of the search has to hold.
    seconds
        To make it and to verify it.
    memory
        Bytes to verify it.
    verification
        What verifying takes; read only where seconds or memory are limited.
    """

    operations: float = math.inf
    seconds: float = math.inf
    memory: float = math.inf
    verification: Verification = _LEAST

    def may_be(self, tiles: Tiles, mode: Mode, need: Needs) -> BoolArray:
        """Return which plans may be light, whatever their compute actions, shape (tiles,)."""
        return self._of(tiles, mode, need, np.zeros(len(tiles), dtype=np.int64))

    def is_met(self, tiles: Tiles, mode: Mode, need: Needs) -> BoolArray:
        """Return which plans are light, shape (tiles,)."""
        if math.isinf(self.seconds) and math.isinf(self.memory):
            return self.may_be(tiles, mode, need)
        return self._of(tiles, mode, need, actions(tiles, mode, need))

    def _of(self, tiles: Tiles, mode: Mode, need: Needs, steps: IntArray) -> BoolArray:
        count, every = np.maximum(steps, runs(tiles, mode, need)), operations(tiles, mode, need)
        seconds = _MAKING * every + self.verification.seconds(steps, count, every)
        return (
            (every <= self.operations)
            & (seconds <= self.seconds)
            & (self.verification.bytes(steps, count, every) <= self.memory)
        )


def _per_tile(sizes: Sizes, mode: Mode, need: Needs, slack: IntArray, extent: Extent) -> IntArray:
    """Return the compute actions of one tile of each kind, of the given extent."""
    channels, kernels = extent["c"], extent["g"] * extent["m"]
    positions = extent["p"] * extent["q"]
    pairs = np.maximum(1, sizes.windows // channels)
    one_by_one = np.full_like(pairs, sizes.windows)
    if mode.walk == "any":
        if not mode.outputs:
            pairs = np.minimum(pairs, 1 + slack // np.maximum(1, need.result))
        return _parts(positions * kernels, pairs)
    if mode.walk == "channels":
        if mode.weights:
            return extent["g"] * channels * _parts(positions * extent["m"], one_by_one)
        return channels * _blocks(kernels, positions, 1 + slack // sizes.slice, one_by_one)
    if mode.walk == "kernels":
        return _by_kernels(sizes, mode, need, slack, extent, pairs)
    if mode.depth == "at each position":
        return positions * channels * _parts(kernels, one_by_one)
    if mode.depth == "one by one":
        together = {**extent, "g": np.ones_like(channels)}
        return extent["g"] * channels * _walking(mode, need, slack, together, one_by_one)
    return _walking(mode, need, slack, extent, pairs)


def _by_kernels(
    sizes: Sizes, mode: Mode, need: Needs, slack: IntArray, extent: Extent, pairs: IntArray
) -> IntArray:
    """Return the compute actions of a tile where weights stream, kernel after kernel."""
    channels, kernels = extent["c"], extent["g"] * extent["m"]
    positions = extent["p"] * extent["q"]
    if mode.outputs:
        free = slack + sizes.slice
        each = free // need.kernel
        # Where not even one kernel fits, so many of its channels.
        few = np.minimum(free // sizes.slice, np.maximum(1, sizes.windows // positions))
        one_by_one = np.full_like(positions, sizes.windows)
        split = kernels * _parts(channels, np.maximum(1, few)) * _parts(positions, one_by_one)
    else:
        free = slack + need.kernel + need.result
        each = free // (need.kernel + positions * need.result)
        some = np.minimum(pairs, 1 + slack // np.maximum(1, need.result))
        split = kernels * _parts(positions, some)
    return np.where(each >= 1, _blocks(kernels, positions, each, pairs), split)


def _walking(mode: Mode, need: Needs, slack: IntArray, extent: Extent, pairs: IntArray) -> IntArray:
    """Return the compute actions of a walk over positions with all weights on chip."""
    kernels = extent["g"] * extent["m"]
    length, lines = extent["q"], extent["p"]
    if mode.walk == "columns":
        length, lines = lines, length
    result = np.zeros_like(slack) if mode.outputs else need.result
    # Some positions of a line with all kernels; where not even one, a position with some kernels.
    spare = slack - np.maximum(0, kernels - 1) * result
    cells = np.where(spare >= 0, 1 + spare // np.maximum(1, need.cell + kernels * result), 0)
    cells = np.minimum(np.minimum(cells, pairs // kernels), length)
    some = pairs if mode.outputs else np.minimum(pairs, 1 + slack // np.maximum(1, result))
    by_line = lines * _parts(length, np.maximum(1, cells))
    return np.where(cells >= 1, by_line, lines * length * _parts(kernels, some))


def _blocks(kernels: IntArray, positions: IntArray, each: IntArray, pairs: IntArray) -> IntArray:
    """Actions of whole kernels at all positions of a tile, or of parts of one kernel."""
    together = np.minimum(each, pairs // positions)
    return np.where(
        together >= 1,
        _parts(kernels, np.maximum(1, together)),
        kernels * _parts(positions, pairs),
    )


def _parts(count: IntArray, each: IntArray) -> IntArray:
    parts: IntArray = -(-count // each)
    return parts
