"""A layer in one decomposition: the sizes of its blocks and operations, as NumPy arrays.

The same quantities are defined by ``layer.lp`` and ``decomposition.lp`` in ``encodings/model``;
tests hold the two together. Python needs them for bounds and proposals; clingo decides.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.base.errors import InputError
from offloadasp.model.instance import (
    Accelerator,
    Instance,
    Layer,
    Precision,
    Resolved,
    ResolvedInstance,
)
from offloadasp.model.objectives import DURATION, Prices, prices_of
from offloadasp.model.semantics import SERIAL, Semantics, semantics_of

# clingo's integers have 32 bits and wrap silently.
CLINGO_LIMIT = 2**31 - 1
# Outputs in a row or column: masks of outputs by inputs are made.
_MOST_OUTPUTS = 2**14


@dataclass(frozen=True)
class Problem:
    """A layer on an accelerator in one decomposition; only the steps are left to choose.

    Index conventions: ``n`` kernel group, ``q`` channel group, ``(i, j)`` output position,
    ``(r, c)`` input position. Sizes are bytes.

    Attributes
    ----------
    instance
        The layer and the accelerator, as the user gave them.
    decomposition
        The tile, kernel groups and channel groups.
    capacity
        Bytes on chip that plans may use: those of the accelerator, or fewer.
    prices
        What plans are compared by.
    semantics
        What a step may hold, and how long it takes.
    """

    instance: Instance | ResolvedInstance
    decomposition: Resolved
    capacity: int
    prices: Prices
    semantics: Semantics = SERIAL

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.instance.name

    @property
    def layer(self) -> Layer:
        """The convolution."""
        return self.instance.layer

    @property
    def accelerator(self) -> Accelerator:
        """The accelerator, with its own memory and rates."""
        return self.instance.accelerator

    @property
    def precision(self) -> Precision:
        """Bytes per element."""
        return self.instance.precision

    @property
    def out_height(self) -> int:
        """Rows of the output."""
        return self.layer.output_shape[1]

    @property
    def out_width(self) -> int:
        """Columns of the output."""
        return self.layer.output_shape[2]

    @property
    def positions(self) -> int:
        """Output positions per kernel."""
        return self.out_height * self.out_width

    @property
    def memory(self) -> int:
        """Bytes on chip; at most what all blocks take together, since more memory is of no use."""
        return min(self.capacity, self.all_bytes)

    @cached_property
    def taps_per_axis(self) -> tuple[BoolArray, BoolArray]:
        """Which input rows (columns) each output row (column) uses: (Ho, H) and (Wo, W) masks."""
        return _taps(self.layer, 0), _taps(self.layer, 1)

    @cached_property
    def used(self) -> BoolArray:
        """Mask (H, W) of the input positions that some output uses."""
        rows, columns = self.taps_per_axis
        return np.outer(rows.any(axis=0), columns.any(axis=0))

    @cached_property
    def shared_channels(self) -> IntArray:
        """Channels each kernel shares with a channel group, summed by kernel group: (N, Q)."""
        layer, decomposition = self.layer, self.decomposition
        kernels = _overlaps(decomposition.kernel_groups, layer.kernels, layer.group)
        channels = _overlaps(decomposition.channel_groups, layer.input[0], layer.group)
        return kernels @ channels.T

    @property
    def exists(self) -> BoolArray:
        """Mask (N, Q) of the pairs of groups that have operations."""
        return self.shared_channels > 0

    @cached_property
    def kernel_sizes(self) -> IntArray:
        """Kernels in each kernel group: (N,)."""
        return np.array([b - a for a, b in self.decomposition.kernel_groups], dtype=np.int64)

    @cached_property
    def channel_sizes(self) -> IntArray:
        """Channels in each channel group: (Q,)."""
        return np.array([b - a for a, b in self.decomposition.channel_groups], dtype=np.int64)

    @cached_property
    def pixel_bytes(self) -> IntArray:
        """Bytes of one pixel block of each channel group: (Q,)."""
        return self.channel_sizes * self.precision.input

    @cached_property
    def kernel_bytes(self) -> IntArray:
        """Bytes of each kernel block (N, Q), 0 where it does not exist.

        The first block of a kernel group includes its biases.
        """
        height, width = self.layer.kernel_shape
        size = self.shared_channels * height * width * self.precision.weight
        if self.layer.bias:
            first = self.exists.argmax(axis=1)
            size[np.arange(len(first)), first] += self.kernel_sizes * self.precision.partial_sum
        return size

    @cached_property
    def output_bytes(self) -> IntArray:
        """Bytes of one complete output block of each kernel group: (N,)."""
        return self.kernel_sizes * self.precision.output

    @cached_property
    def partial_bytes(self) -> IntArray:
        """Bytes of one output block of partial sums of each kernel group: (N,)."""
        return self.kernel_sizes * self.precision.partial_sum

    @cached_property
    def operation_macs(self) -> IntArray:
        """Multiply-accumulates of one operation at one position, padded taps included: (N, Q)."""
        height, width = self.layer.kernel_shape
        return self.shared_channels * height * width

    @property
    def total_windows(self) -> int:
        """Kernel windows of the whole layer: one channel of one kernel at one position each."""
        return int(self.shared_channels.sum()) * self.positions

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of the whole layer, padded taps included."""
        return self.layer.macs

    @property
    def input_total(self) -> int:
        """Bytes of all pixels that are used, each once."""
        return int(self.used.sum()) * int(self.pixel_bytes.sum())

    @property
    def kernel_total(self) -> int:
        """Bytes of all kernels and biases, each once."""
        return int(self.kernel_bytes.sum())

    @property
    def output_total(self) -> int:
        """Bytes of all complete outputs."""
        return int(self.output_bytes.sum()) * self.positions

    @property
    def all_bytes(self) -> int:
        """Bytes of every block at its largest: more memory than this is never used."""
        largest = np.maximum(self.output_bytes, self.partial_bytes).sum()
        return self.input_total + self.kernel_total + int(largest) * self.positions

    @property
    def tile_grid(self) -> tuple[int, int]:
        """Rows and columns of tiles; ragged ones at the lower and right border included."""
        height, width = self.decomposition.tile
        return -(-self.out_height // height), -(-self.out_width // width)

    def with_decomposition(self, decomposition: Resolved) -> "Problem":
        """Return the same layer on the same accelerator, decomposed otherwise."""
        return replace(self, decomposition=decomposition)

    def within(self, capacity: int) -> "Problem":
        """Return the same problem with so many bytes on chip."""
        return replace(self, capacity=capacity)

    def at(self, prices: Prices) -> "Problem":
        """Return the same problem with plans compared at other prices."""
        return replace(self, prices=prices)

    def resolved_instance(self) -> ResolvedInstance:
        """Return what a strategy file says of the instance."""
        return ResolvedInstance(
            **self.instance.described,
            decomposition=self.decomposition,
            search=self.instance.search,
        )


def _overlaps(spans: tuple[tuple[int, int], ...], total: int, groups: int) -> IntArray:
    """Count how many of each span's indices lie in each of equal groups: (spans, groups)."""
    limits, size = np.array(spans, dtype=np.int64), total // groups
    low = np.maximum(limits[:, :1], np.arange(groups) * size)
    high = np.minimum(limits[:, 1:], (np.arange(groups) + 1) * size)
    overlaps: IntArray = np.maximum(high - low, 0)
    return overlaps


def _taps(layer: Layer, axis: int) -> BoolArray:
    size, outputs = layer.input[1 + axis], layer.output_shape[1 + axis]
    reach = np.arange(layer.kernel_shape[axis]) * layer.dilations[axis] - layer.pads[axis]
    at = np.arange(outputs)[:, None] * layer.strides[axis] + reach
    mask = np.zeros((outputs, size), dtype=bool)
    output, tap = np.nonzero((at >= 0) & (at < size))
    mask[output, at[output, tap]] = True
    return mask


def problem_of(instance: Instance | ResolvedInstance, decomposition: Resolved) -> Problem:
    """Return the problem of an instance in a decomposition: its own memory, priced by duration.

    Raises
    ------
    InputError
        The layer's blocks add up to more than clingo's 32-bit integers hold.
    """
    _refuse_hopeless(instance.name, instance.layer)
    prices = prices_of(DURATION, instance)
    semantics = semantics_of(instance.accelerator.overlap)
    problem = Problem(instance, decomposition, instance.accelerator.memory, prices, semantics)
    if problem.all_bytes > CLINGO_LIMIT:
        raise InputError(
            f"{instance.name}: layer: input, weights, partial sums and outputs take "
            f"{problem.all_bytes} bytes; at most {CLINGO_LIMIT} are supported"
        )
    if problem.total_windows > CLINGO_LIMIT:
        raise InputError(
            f"{instance.name}: layer: {problem.total_macs} multiply-accumulates; at most "
            f"{CLINGO_LIMIT} per kernel tap are supported"
        )
    return problem


def _refuse_hopeless(name: str, layer: Layer) -> None:
    """Refuse layers that are too large in any case, before arrays of their size are made."""
    kernels, *outputs = layer.output_shape
    weights = kernels * (layer.input[0] // layer.group) * math.prod(layer.kernel_shape)
    for what, count in (("outputs", kernels * math.prod(outputs)), ("weights", weights)):
        if count > CLINGO_LIMIT:
            raise InputError(f"{name}: layer: {count} {what}; at most {CLINGO_LIMIT} are supported")
    if max(outputs) > _MOST_OUTPUTS:
        raise InputError(
            f"{name}: layer: {max(outputs)} outputs in a row; at most {_MOST_OUTPUTS} are supported"
        )


def undivided(layer: Layer) -> Resolved:
    """Return the decomposition of one kernel group and one channel group."""
    return Resolved(kernel_groups=((0, layer.kernels),), channel_groups=((0, layer.input[0]),))


def finest(layer: Layer) -> Resolved:
    """Return the decomposition that contains all others: one position, one kernel, one channel."""
    return Resolved(
        tile=(1, 1),
        kernel_groups=tuple((k, k + 1) for k in range(layer.kernels)),
        channel_groups=tuple((c, c + 1) for c in range(layer.input[0])),
    )


def granularity(problem: Problem) -> int:
    """Return the greatest number of bytes of which every block's size is a multiple."""
    sizes = [problem.pixel_bytes, problem.kernel_bytes, problem.output_bytes, problem.partial_bytes]
    return math.gcd(*(int(size) for table in sizes for size in table.ravel()))
