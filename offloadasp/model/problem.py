"""A layer in one decomposition: the sizes of its blocks and operations, as NumPy arrays.

The same quantities are defined by ``layer.lp``, ``groups.lp`` and ``decomposition.lp`` in
``encodings/model``; tests hold the two together. Python needs them for bounds and proposals; clingo
decides.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

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
from offloadasp.model.pairs import Pairs, PairTable
from offloadasp.model.reads import Reads, reads_of
from offloadasp.model.semantics import SERIAL, Semantics, semantics_of

# clingo's integers have 32 bits and wrap silently.
CLINGO_LIMIT = 2**31 - 1
# Outputs in a row or column: bounds and estimates take time quadratic in them.
_MOST_OUTPUTS = 2**14
# What depends on layer, precision and decomposition alone, and takes long for many groups.
_COMMON = ("exists", "kernel_bytes", "operation_macs")


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

    @property
    def reads(self) -> tuple[Reads, Reads]:
        """Which input rows each output row reads, and which columns each column."""
        return reads_of(self.layer, 0), reads_of(self.layer, 1)

    @cached_property
    def used(self) -> BoolArray:
        """Mask (H, W) of the input positions that some output uses."""
        rows, columns = self.reads
        return np.outer(rows.used, columns.used)

    @property
    def plane(self) -> int:
        """Input positions, the unused ones included."""
        _, height, width = self.layer.input
        return height * width

    @property
    def pixels(self) -> int:
        """Input positions that some output uses."""
        rows, columns = self.reads
        return int(rows.used.sum()) * int(columns.used.sum())

    @cached_property
    def exists(self) -> Pairs:
        """The pairs of groups that have operations."""
        return Pairs(self.layer, self.decomposition)

    @property
    def kernel_sizes(self) -> IntArray:
        """Kernels in each kernel group: (N,)."""
        return self.exists.kernels.sizes

    @property
    def channel_sizes(self) -> IntArray:
        """Channels in each channel group: (Q,)."""
        return self.exists.channels.sizes

    @cached_property
    def pixel_bytes(self) -> IntArray:
        """Bytes of one pixel block of each channel group: (Q,)."""
        return self.channel_sizes * self.precision.input

    @cached_property
    def kernel_bytes(self) -> PairTable:
        """Bytes of each kernel block. The first one of a kernel group includes its biases."""
        height, width = self.layer.kernel_shape
        bias = self.kernel_sizes * self.precision.partial_sum if self.layer.bias else None
        return PairTable(self.exists, height * width * self.precision.weight, bias)

    @cached_property
    def output_bytes(self) -> IntArray:
        """Bytes of one complete output block of each kernel group: (N,)."""
        return self.kernel_sizes * self.precision.output

    @cached_property
    def partial_bytes(self) -> IntArray:
        """Bytes of one output block of partial sums of each kernel group: (N,)."""
        return self.kernel_sizes * self.precision.partial_sum

    @cached_property
    def operation_macs(self) -> PairTable:
        """Multiply-accumulates of one operation at one position, padded taps included."""
        height, width = self.layer.kernel_shape
        return PairTable(self.exists, height * width)

    @property
    def total_windows(self) -> int:
        """Kernel windows of the whole layer: one channel of one kernel at one position each."""
        layer = self.layer
        return layer.kernels * (layer.input[0] // layer.group) * self.positions

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of the whole layer, padded taps included."""
        return self.layer.macs

    @property
    def input_total(self) -> int:
        """Bytes of all pixels that are used, each once."""
        return self.pixels * int(self.pixel_bytes.sum())

    @property
    def kernel_total(self) -> int:
        """Bytes of all kernels and biases, each once."""
        return self.kernel_bytes.sum()

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
        return self._with(capacity=capacity)

    def at(self, prices: Prices) -> "Problem":
        """Return the same problem with plans compared at other prices."""
        return self._with(prices=prices)

    def _with(self, **changes: Any) -> "Problem":
        made = replace(self, **changes)
        vars(made).update({name: getattr(self, name) for name in _COMMON})
        return made

    def resolved_instance(self) -> ResolvedInstance:
        """Return what a strategy file says of the instance."""
        return ResolvedInstance(
            **self.instance.described,
            decomposition=self.decomposition,
            search=self.instance.search,
        )


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


@lru_cache(maxsize=16)
def finest(layer: Layer) -> Resolved:
    """Return the decomposition that contains all others: one position, one kernel, one channel."""
    return Resolved(
        tile=(1, 1),
        kernel_groups=tuple((k, k + 1) for k in range(layer.kernels)),
        channel_groups=tuple((c, c + 1) for c in range(layer.input[0])),
    )


def coarsest(layer: Layer) -> Resolved:
    """Return the decomposition that all others divide: one tile, and one group of either kind."""
    return undivided(layer).model_copy(update={"tile": layer.output_shape[1:]})


def granularity(problem: Problem) -> int:
    """Return the greatest number of bytes of which every block's size is a multiple."""
    sizes = (problem.pixel_bytes, problem.output_bytes, problem.partial_bytes)
    return int(np.gcd.reduce(np.concatenate([*sizes, problem.kernel_bytes.distinct[0]])))
