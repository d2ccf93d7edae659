"""What the bounds need to know of a decomposition: sizes and numbers of its blocks.

Built from a `Problem`, or from a layer alone for the finest decomposition, whose arrays over
kernels and channels would be large.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.bounds.geometry.footprint import PixelFootprint
from offloadasp.bounds.geometry.profile import axis_of
from offloadasp.model.instance import Layer
from offloadasp.model.pairs import PairTable
from offloadasp.model.problem import Problem, finest

# More kinds of channel groups than this are replaced by one with the least sizes of all.
_MAX_KINDS = 8


@dataclass(frozen=True)
class ChannelKind:
    """Channel groups that are alike.

    Attributes
    ----------
    count
        How many there are.
    pixel_bytes
        Bytes of one of their pixel blocks.
    kernel_bytes
        Bytes of the kernel blocks of one of them, ascending, shape (kernel groups,).
    """

    count: int
    pixel_bytes: int
    kernel_bytes: tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """Blocks and operations of one decomposition.

    Attributes
    ----------
    footprint
        Lower bounds on the pixels that tiles of output positions use.
    kinds
        The channel groups by kind.
    kernel_groups
        Their number.
    depth
        The most channel groups that one output block sums over.
    least_depth
        The fewest channel groups that one output block sums over.
    partial_bytes, output_bytes
        Least bytes of one output block: as partial sums, and complete.
    computing_bytes
        Least bytes that an output block takes while an operation on it is computed: its complete
        bytes where it can be computed from nothing in one step, else partial sums.
    operation_macs
        Multiply-accumulates of an operation, and how many operations have so many.
    apart_bytes
        Bytes that these blocks leave out: biases of grouped layers, and pixels that no tile here
        uses. Loaded once at least, beside whatever is proved of the blocks.
    """

    footprint: PixelFootprint
    kinds: tuple[ChannelKind, ...]
    kernel_groups: int
    depth: int
    least_depth: int
    partial_bytes: int
    output_bytes: int
    computing_bytes: int
    operation_macs: tuple[tuple[int, int], ...]
    apart_bytes: int

    @property
    def tiles(self) -> int:
        """Tiles of output positions."""
        return self.footprint.tiles

    @property
    def operations(self) -> int:
        """Number of operations."""
        return self.tiles * sum(kind.count * len(kind.kernel_bytes) for kind in self.kinds)

    @property
    def channel_groups(self) -> int:
        """Number of channel groups."""
        return sum(kind.count for kind in self.kinds)

    @property
    def output_blocks(self) -> int:
        """Number of output blocks."""
        return self.kernel_groups * self.tiles


def is_finest(problem: Problem) -> bool:
    """Tell whether every group holds one element and every tile one position."""
    return problem.decomposition == finest(problem.layer)


def sizes_of(problem: Problem) -> Sizes:
    """Return the sizes of a problem's own decomposition."""
    if is_finest(problem):
        return finest_sizes(problem)
    tile = problem.decomposition.tile
    pairs = problem.exists
    kernel_bytes, apart = _kernel_bytes(problem)
    positions = _tile_sizes(problem)
    least_tile = min(positions)
    depth = pairs.depth
    footprint = _footprint(problem.layer, tile)
    patch = int(footprint.rows.least[1] * footprint.columns.least[1])
    pixels = np.r_[0, np.cumsum(problem.pixel_bytes)]
    inputs = patch * (pixels[pairs.stop] - pixels[pairs.first]) + kernel_bytes.by_kernel_group
    computing = _computing_bytes(
        problem,
        depth=depth,
        inputs=inputs,
        output=problem.output_bytes * least_tile,
        partial=problem.partial_bytes * least_tile,
        macs=problem.operation_macs.by_kernel_group * least_tile,
    )
    macs: Counter[int] = Counter()
    for value, count in zip(*problem.operation_macs.distinct, strict=True):
        for size, times in positions.items():
            macs[int(value) * size] += int(count) * times
    return Sizes(
        footprint=footprint,
        kinds=_kinds(problem, kernel_bytes),
        kernel_groups=len(depth),
        depth=int(depth.max()),
        least_depth=int(depth.min()),
        partial_bytes=int(problem.partial_bytes.min()) * least_tile,
        output_bytes=int(problem.output_bytes.min()) * least_tile,
        computing_bytes=int(computing.min()),
        operation_macs=tuple(sorted(macs.items())),
        apart_bytes=apart,
    )


def finest_sizes(problem: Problem) -> Sizes:
    """Return the sizes of the finest decomposition of the problem's layer, in closed form."""
    layer, precision = problem.layer, problem.precision
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    channels, kernels = layer.input[0], layer.kernels // layer.group
    depth = channels // layer.group
    block = taps * precision.weight
    kinds = [ChannelKind(channels, precision.input, (block,) * kernels)]
    if layer.bias and layer.group == 1:
        first = (block + precision.partial_sum,) * kernels
        kinds = [ChannelKind(1, precision.input, first)]
        if channels > 1:
            kinds.append(ChannelKind(channels - 1, precision.input, (block,) * kernels))
    biases = layer.kernels * precision.partial_sum if layer.bias else 0
    bias = biases // layer.kernels if layer.group == 1 else 0
    footprint = _footprint(layer, (1, 1))
    pixels = int(footprint.rows.least[1] * footprint.columns.least[1]) * precision.input
    computing = _computing_bytes(
        problem,
        depth=np.array([depth]),
        inputs=np.array([depth * (pixels + block) + bias]),
        output=np.array([precision.output]),
        partial=np.array([precision.partial_sum]),
        macs=np.array([depth * taps]),
    )
    return Sizes(
        footprint=footprint,
        kinds=tuple(kinds),
        kernel_groups=layer.kernels,
        depth=depth,
        least_depth=depth,
        partial_bytes=precision.partial_sum,
        output_bytes=precision.output,
        computing_bytes=int(computing[0]),
        operation_macs=((taps, layer.kernels * depth * problem.positions),),
        apart_bytes=biases if layer.group > 1 else 0,
    )


def _computing_bytes(
    problem: Problem,
    *,
    depth: IntArray,
    inputs: IntArray,
    output: IntArray,
    partial: IntArray,
    macs: IntArray,
) -> IntArray:
    """Least bytes of an output block while one of its operations is computed, by kernel group.

    All arguments have shape (N,): channel groups, and of all operations of one output block the
    input bytes, output bytes, partial-sum bytes and multiply-accumulates.
    """
    limit = problem.accelerator.macs_per_step
    at_once = (macs <= limit) & (inputs + output <= problem.capacity)
    least: IntArray = np.where(at_once, np.minimum(output, partial), partial)
    # A coarser kernel group may span convolution groups and hold partial sums even so.
    alone = output if problem.layer.group == 1 else np.minimum(output, partial)
    return np.where(depth == 1, alone, least)


def inner_sizes(sizes: Sizes, layer: Layer, tile: tuple[int, int]) -> Sizes:
    """Leave out the rows and columns of tiles that lose taps to the padding.

    What is proved of the rest holds for all, see docs/bounds.md, section 4; only the numbers of
    multiply-accumulates stay those of all operations.
    """
    footprint = _footprint(layer, tile, inner=True)
    left_out = sizes.footprint.used - footprint.used
    pixel_bytes = sum(kind.count * kind.pixel_bytes for kind in sizes.kinds)
    return replace(
        sizes, footprint=footprint, apart_bytes=sizes.apart_bytes + left_out * pixel_bytes
    )


def _kernel_bytes(problem: Problem) -> tuple[PairTable, int]:
    """Bytes of the kernel blocks; in a grouped layer without the biases, given apart."""
    table = problem.kernel_bytes
    if table.beside is None or problem.layer.group == 1:
        return table, 0
    return replace(table, beside=None), int(table.beside.sum())


def _tile_sizes(problem: Problem) -> Counter[int]:
    """Positions in a tile, and how many tiles hold so many."""
    counts: Counter[int] = Counter()
    axes = zip(problem.decomposition.tile, problem.layer.output_shape[1:], strict=True)
    rows, columns = (
        Counter({tile: size // tile}) + Counter({size % tile: 1 if size % tile else 0})
        for tile, size in axes
    )
    for height, down in rows.items():
        for width, across in columns.items():
            counts[height * width] += down * across
    return counts


@lru_cache(maxsize=32)
def _footprint(layer: Layer, tile: tuple[int, int], *, inner: bool = False) -> PixelFootprint:
    # The same for every memory and all prices; tables of it take long for many outputs.
    rows, columns = (axis_of(layer, axis, tile[axis], inner=inner) for axis in (0, 1))
    return PixelFootprint(rows, columns)


def _kinds(problem: Problem, kernel_bytes: PairTable) -> tuple[ChannelKind, ...]:
    counts: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for q, count in _alike(problem).items():
        start, stop = (side[q] for side in problem.exists.of_channels)
        blocks = np.sort(kernel_bytes[np.arange(start, stop), np.int64(q)])
        counts[int(problem.pixel_bytes[q]), tuple(blocks.tolist())] += count
    if len(counts) > _MAX_KINDS:
        groups = max(len(blocks) for _, blocks in counts)
        least = min(blocks[0] for _, blocks in counts)
        pixel = min(pixel for pixel, _ in counts)
        return (ChannelKind(len(problem.pixel_bytes), pixel, (least,) * groups),)
    return tuple(ChannelKind(count, *kind) for kind, count in sorted(counts.items()))


def _alike(problem: Problem) -> dict[int, int]:
    """Return one channel group of each kind that differs, and how many are like it.

    Those within one convolution group are alike that have as many channels there and share them
    with kernel groups of the same sizes; the first one may carry biases.
    """
    pairs = problem.exists
    kernels, channels = pairs.kernels, pairs.channels
    start, stop = pairs.of_channels
    seen: dict[object, int] = {}
    counts: Counter[int] = Counter()
    shapes: dict[int, bytes] = {}
    inside = channels.inside.tolist()
    of, sizes = channels.first.tolist(), channels.sizes.tolist()
    for q in range(pairs.shape[1]):
        kind: object = q
        if q and inside[q]:
            if of[q] not in shapes:
                rows = np.arange(start[q], stop[q])
                shapes[of[q]] = np.sort(kernels.within(rows, channels.first[q])).tobytes()
            kind = sizes[q], shapes[of[q]]
        counts[seen.setdefault(kind, q)] += 1
    return dict(counts)
