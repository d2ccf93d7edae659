"""The pass bound: memory holds a part of the weights, so the inputs pass it again and again.

Or the other way round. It counts whole passes, where phases count fractions of them. Derivation:
docs/bounds.md, section 4, "Passes".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from offloadasp.bounds.argument import Argument, Quantity
from offloadasp.bounds.geometry.operations import block_capacity, input_capacity
from offloadasp.bounds.geometry.profile import Axis
from offloadasp.bounds.geometry.sizes import Sizes
from offloadasp.bounds.parameters import Count, Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import EVERY

Kind = Literal["kernels", "pixels"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Numbers of windows that are tried.
_MOST_WINDOWS = 4096


class Windows(Params):
    """Where the order of the operations is cut.

    Attributes
    ----------
    kind
        The kind of blocks of which each window uses a limited number.
    limit
        That number.
    """

    kind: Kind
    limit: Count


def _propose(view: View) -> Iterator[Windows]:
    for kind in KINDS:
        passes = passes_of(view, kind)
        if passes is not None:
            yield Windows(kind=kind, limit=best_limit(passes))


def _value(view: View, windows: Windows) -> int:
    passes = passes_of(view, windows.kind)
    return 0 if passes is None else passes.loads(windows.limit)


def _sentence(windows: Windows) -> str:
    part, others = ("weights", "inputs") if windows.kind == "kernels" else ("inputs", "weights")
    return (
        f"the memory holds only a part of the {part} at a time, and the {others} are loaded again "
        "for each part"
    )


@dataclass(frozen=True)
class Passes:
    """Windows of the order that each use a limited number of blocks of one kind.

    Attributes
    ----------
    lines, operations
        The other kind's blocks come in so many lines (positions, or kernel groups), and each
        line has so many operations.
    most
        Operations of one line within a window, per block of the first kind in the window.
    blocks, size
        Blocks of the first kind in all, and the least bytes of one.
    slack
        Blocks by which a window may fall short of its limit, as an operation can need several.
    depth
        Channel groups of an output.
    line
        Bytes of the blocks of one line and one channel group.
    partial
        Bytes of a partial sum; 0 if there are none.
    memory
        Bytes on chip at the end of a window.
    apart
        Bytes that are loaded once at least, beside those that are counted.
    """

    lines: int
    operations: int
    most: Fraction
    blocks: int
    size: int
    slack: int
    depth: int
    line: Fraction
    partial: int
    memory: int
    apart: int

    def loads(self, limit: int) -> int:
        """Bound the bytes loaded, by windows of at most so many blocks; 0: they prove nothing."""
        each = min(self.operations, math.floor(limit * self.most))
        counted = limit - self.slack
        if each < 1 or counted < 1:
            return 0
        windows = -(-self.operations // each)
        rest = self.operations - (windows - 1) * each
        lines = self._cost(each, (windows - 1) * self.lines) + self._cost(rest, self.lines)
        if windows == 1:
            return lines + self.size * self.blocks + self.apart
        fewest = self.size * self.blocks - (windows - 1) * self.memory
        more = windows * (self.size * counted - self.memory) + self.size
        if self.size * counted < self.memory:
            return 0  # the more windows, the less they prove
        return lines + min(fewest, more) + self.apart

    def _cost(self, operations: int, times: int) -> int:
        """Bound the bytes of lines and partial sums, for so many operations of so many lines."""
        whole = self.depth * self.line * times
        if operations == 0:
            return 0
        if self.depth == 1:
            return math.floor(whole)
        square = 2 * self.line * self.partial * operations * times * times
        return min(math.floor(whole), math.isqrt(math.floor(square)))

    def limits(self) -> Iterator[int]:
        """Yield limits worth trying: for each number of windows a few."""
        least = -(-self.memory // self.size) + self.slack
        # So many operations cost as much as all channel groups of a line.
        full = self.depth**2 * self.line / (2 * self.partial) if self.depth > 1 else Fraction(1)
        yield max(least, math.ceil(self.operations / self.most))
        for windows in range(2, _MOST_WINDOWS + 1):
            if (windows - 1) * least * self.most >= self.operations:
                return
            yield max(least, math.ceil(Fraction(self.operations, windows) / self.most))
            left = max(Fraction(0), self.operations - full) / (windows - 1)
            yield max(least, math.floor(left / self.most))
            balance = self.size * (self.blocks - 1) + self.memory
            yield max(least, balance // (windows * self.size) + self.slack)


def passes_of(view: View, kind: Kind) -> Passes | None:
    """Return the passes of a view, or None where this bound says nothing.

    Parameters
    ----------
    view
        What to look at.
    kind
        Which blocks the windows limit: ``kernels`` or ``pixels``.
    """
    sizes = view.sizes
    own = _own(sizes.footprint.rows) * _own(sizes.footprint.columns)
    if view.problem.layer.group > 1 or own == 0:
        return None
    kernel = min(min(group.kernel_bytes) for group in sizes.kinds)
    pixel = min(group.pixel_bytes for group in sizes.kinds)
    depth, rows, tiles = sizes.channel_groups, sizes.kernel_groups, sizes.tiles
    capacity = input_capacity if depth == 1 else block_capacity
    memory = capacity(sizes, view.problem.capacity)
    partial = 0 if depth == 1 else sizes.partial_bytes
    apart = _above_least(sizes, kernel, pixel)
    if kind == "kernels":
        shared = math.floor((sizes.footprint.used - own * tiles) * pixel * depth)
        return Passes(
            lines=tiles,
            operations=rows * depth,
            most=Fraction(1),
            blocks=rows * depth,
            size=kernel,
            slack=0,
            depth=depth,
            line=own * pixel,
            partial=partial,
            memory=memory,
            apart=apart + shared,
        )
    return Passes(
        lines=rows,
        operations=tiles * depth,
        most=1 / own,
        blocks=sizes.footprint.used * depth,
        size=pixel,
        slack=_patch(view) - 1,
        depth=depth,
        line=Fraction(kernel),
        partial=partial,
        memory=memory,
        apart=apart,
    )


def _above_least(sizes: Sizes, kernel: int, pixel: int) -> int:
    """Bytes that blocks have beyond the least of their kind: loaded once at least."""
    kernels = sum(group.count * sum(group.kernel_bytes) for group in sizes.kinds)
    pixels = sum(group.count * (group.pixel_bytes - pixel) for group in sizes.kinds)
    kernels -= kernel * sizes.kernel_groups * sizes.channel_groups
    return kernels + sizes.footprint.used * pixels + sizes.apart_bytes


def _own(axis: Axis) -> Fraction:
    """Input lines that every line of tiles can have to itself, in shares.

    By Hall's theorem: so many that no set of lines of tiles uses fewer in all.
    """
    least, lines = axis.least[1:], np.arange(1, axis.count + 1)
    # Few of them are as small as the least one, to the precision of a float, and differ.
    near = least / lines <= (least / lines).min() * (1 + 1e-9)
    common = np.gcd(least[near], lines[near])
    distinct = {
        *zip((least[near] // common).tolist(), (lines[near] // common).tolist(), strict=True)
    }
    return min(Fraction(*share) for share in distinct)


def _patch(view: View) -> int:
    """Most pixel blocks that one operation needs."""
    rows, columns = view.problem.reads
    height, width = view.tile
    return rows.most * height * columns.most * width


def best_limit(passes: Passes) -> int:
    """Return the limit that proves the most."""
    return max(passes.limits(), key=passes.loads)


ARGUMENT = Argument(
    name="passes",
    quantity=Quantity.LOADS,
    params=Windows,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=EVERY,
)
