"""A small layer with overlap as a game on sets: blocks and operations as bits of integers.

Inputs are pixel blocks and kernel blocks. Times are integers, in units of ``unit`` cycles.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from offloadasp.model.problem import Problem
from offloadasp.model.reads import Reads

Row = tuple[int, ...]
Counts = tuple[int, ...]
"""Numbers of blocks by size."""


@dataclass(frozen=True)
class Rates:
    """Times of a byte loaded, of one written, of a compute action and of a MAC, in units."""

    load: int
    write: int
    call: int
    mac: int


class Game:
    """Operations, input blocks and output blocks, each kind numbered from 0.

    Attributes
    ----------
    pixels, kernels
        Rows ``(q, r, c)`` and ``(n, q)`` of the input blocks; pixels are numbered first.
    outputs
        Rows ``(n, i, j)``.
    operations
        Rows ``(n, q, i, j)`` of each operation: one for each position of its tile.
    needs, produces
        Sets of inputs and of outputs of each operation.
    users, sharers
        Sets of operations that use each input, and that contribute to each output.
    partial, complete
        Bytes of each output as partial sums, and once it is complete.
    input_sizes, output_sizes
        The sizes of inputs, and of complete outputs, that occur.
    unit
        Cycles of a unit of time.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.memory, self.limit = problem.capacity, problem.accelerator.macs_per_step
        self.one_lane = problem.semantics.name == "dma"
        chip = problem.accelerator
        rates = (chip.load_cycles, chip.write_cycles, chip.compute_cycles, chip.mac_cycles)
        parts = math.lcm(*(rate.denominator for rate in rates))
        self.unit = Fraction(1, parts)
        self.rates = Rates(*(int(rate * parts) for rate in rates))
        self._number()
        every = range(len(self.operations))
        self.all = (1 << len(every)) - 1
        inputs, outputs = len(self.sizes), len(self.outputs)
        self.users = [_set(o for o in every if self.needs[o] >> b & 1) for b in range(inputs)]
        self.sharers = [_set(o for o in every if self.produces[o] >> b & 1) for b in range(outputs)]
        self.input_sizes = sorted(set(self.sizes))
        self.output_sizes = sorted(set(self.complete))
        self.inputs_by_size = _counted(self.sizes, self.input_sizes)
        self.outputs_by_size = _counted(self.complete, self.output_sizes)
        self.bytes_of = _summed(self.sizes)
        self.partial_of = _summed(self.partial)
        self.macs_of = _summed(self.macs)
        self.needed = _united(self.needs)
        self.touched = _united(self.produces)

    def _number(self) -> None:
        problem = self.problem
        rows, columns = problem.reads
        self.operations: list[list[Row]] = []
        self.needs, self.produces, self.macs = [], [], list[int]()
        found: list[tuple[list[Row], set[Row]]] = []
        for n, q in zip(*(group.tolist() for group in problem.exists.every()), strict=True):
            for tile in _tiles(problem):
                used: set[Row] = {
                    (q, r, c) for i, j in tile for r in _lines(rows, i) for c in _lines(columns, j)
                }
                found.append(([(n, q, i, j) for i, j in tile], used))
                self.macs.append(len(tile) * int(problem.operation_macs[n, q]))
        self.pixels = sorted(set[Row]().union(*(used for _, used in found)))
        self.kernels = sorted({operation[0][:2] for operation, _ in found})
        self.outputs = sorted({(n, i, j) for rows_, _ in found for n, _, i, j in rows_})
        numbers = {row: b for b, row in enumerate([*self.pixels, *self.kernels])}
        places = {row: b for b, row in enumerate(self.outputs)}
        for operation, pixels in found:
            self.operations.append(operation)
            self.needs.append(_set(numbers[row] for row in [*pixels, operation[0][:2]]))
            self.produces.append(_set(places[n, i, j] for n, _, i, j in operation))
        self.sizes = [int(problem.pixel_bytes[q]) for q, _, _ in self.pixels]
        self.sizes += [int(problem.kernel_bytes[n, q]) for n, q in self.kernels]
        self.partial = [int(problem.partial_bytes[n]) for n, _, _ in self.outputs]
        self.complete = [int(problem.output_bytes[n]) for n, _, _ in self.outputs]

    def whole(self, done: int) -> int:
        """Return the outputs that are complete."""
        return self.touched(self.all) & ~self.touched(self.all & ~done)

    def compute_time(self, group: int) -> int:
        """Return how long a compute action takes."""
        return self.rates.call + self.rates.mac * self.macs_of(group) if group else 0


def bits(mask: int) -> Iterator[int]:
    """Yield the members of a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def subsets(mask: int) -> Iterator[int]:
    """Yield all subsets of a set, the empty one last."""
    part = mask
    while part:
        yield part
        part = (part - 1) & mask
    yield 0


def plus(counts: Counts, others: Counts) -> Counts:
    """Return sums by size."""
    return tuple([x + y for x, y in zip(counts, others, strict=True)])


def minus(counts: Counts, others: Counts) -> Counts:
    """Return differences by size."""
    return tuple([x - y for x, y in zip(counts, others, strict=True)])


def total(counts: Counts, sizes: Sequence[int]) -> int:
    """Return the bytes of so many blocks of each size."""
    return sum([n * size for n, size in zip(counts, sizes, strict=True)])


def products(most: Counts) -> Iterator[Counts]:
    """Yield all numbers of blocks up to some, by size."""
    return itertools.product(*(range(count + 1) for count in most))


def _set(members: Iterable[int]) -> int:
    return sum(1 << member for member in members)


def _summed(sizes: Sequence[int]) -> Callable[[int], int]:
    return cache(lambda mask: sum(sizes[b] for b in bits(mask)))


def _counted(sizes: Sequence[int], occurring: Sequence[int]) -> Callable[[int], Counts]:
    equal = [_set(b for b, one in enumerate(sizes) if one == size) for size in occurring]
    return lambda mask: tuple([(mask & members).bit_count() for members in equal])


def _united(sets: Sequence[int]) -> Callable[[int], int]:
    def united(mask: int) -> int:
        found = 0
        for b in bits(mask):
            found |= sets[b]
        return found

    return cache(united)


def _tiles(problem: Problem) -> Iterator[list[tuple[int, int]]]:
    """Yield the output positions of each tile."""
    (height, width), (rows, columns) = problem.decomposition.tile, problem.tile_grid
    for i, j in itertools.product(range(rows), range(columns)):
        lines = range(i * height, min((i + 1) * height, problem.out_height))
        across = range(j * width, min((j + 1) * width, problem.out_width))
        yield list(itertools.product(lines, across))


def _lines(reads: Reads, output: int) -> range:
    """Return the input lines that an output line reads."""
    first, residue = reads.dilation, int(reads.residue[output])
    return range(
        residue + int(reads.low[output]) * first, residue + int(reads.high[output]) * first, first
    )
