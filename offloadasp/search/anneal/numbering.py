"""Numbers for the operations and blocks of a problem, as the compiled local search knows them.

Operations are numbered tile by tile, row by row, pair of groups by pair of groups; blocks: pixels,
then kernels, then outputs. A kernel block that is the only one stays on chip for good, and outputs
that one operation completes leave in the next step: neither has a number.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offloadasp.asp.facts import scale_of
from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.numba_or_python import ints
from offloadasp.search.anneal.state import LayerData
from offloadasp.search.construct.order import Order, order_at
from offloadasp.search.construct.residency import patches


@dataclass(frozen=True)
class Numbering:
    """The numbers of one problem. A schedule counts blocks otherwise: what it calls them is here.

    Attributes
    ----------
    problem
        Whose operations and blocks are numbered.
    """

    problem: Problem

    @cached_property
    def pairs(self) -> IntArray:
        """The pairs of groups that have operations: rows ``(n, q)``."""
        return np.column_stack(self.problem.exists.every())

    @cached_property
    def pixel(self) -> IntArray:
        """Of each pixel block what a schedule calls it: ``q·H·W + r·W + c``."""
        plane, groups = self.problem.used, len(self.problem.channel_sizes)
        return (np.arange(groups)[:, None] * plane.size + np.flatnonzero(plane)).ravel()

    @cached_property
    def kernel(self) -> IntArray:
        """Of each kernel block what a schedule calls it: ``n·Q + q``."""
        n, q = self.problem.exists.every()
        found: IntArray = n * len(self.problem.channel_sizes) + q
        return found if len(found) > 1 else found[:0]

    @cached_property
    def output(self) -> IntArray:
        """Of each output block what a schedule calls it: ``tile·N + n``."""
        summed = int(self.problem.exists.depth.max()) > 1
        rows, columns = self.problem.tile_grid
        return np.arange(rows * columns * len(self.problem.kernel_sizes) if summed else 0)

    @property
    def firsts(self) -> tuple[int, int, int]:
        """The numbers of the first kernel block and the first output block, and of blocks."""
        kernel, output = len(self.pixel), len(self.pixel) + len(self.kernel)
        return kernel, output, output + len(self.output)

    @cached_property
    def needs(self) -> IntArray:
        """Blocks of each operation, filled up with −1, shape (operations, taps)."""
        reads, groups = _tile_patches(self.problem), len(self.problem.kernel_sizes)
        used, tiles = self.problem.used.ravel(), np.arange(len(reads))
        pixel = np.append(np.cumsum(used) - 1, -1)[reads]  # −1 stays −1
        kernel, output, _ = self.firsts
        rows = []
        for k, (n, q) in enumerate(self.pairs.tolist()):
            blocks = [np.where(pixel < 0, -1, pixel + q * used.sum())]
            if len(self.output):
                blocks.insert(0, output + tiles * groups + n)
            if len(self.kernel):
                blocks.insert(0, kernel + k + 0 * tiles)
            rows.append(np.column_stack(blocks))
        return np.concatenate(rows)

    @cached_property
    def layer(self) -> LayerData:
        """The problem as compiled functions read it."""
        problem, scale = self.problem, scale_of(self.problem)
        (rows, columns), size = problem.tile_grid, np.concatenate(self._sizes)
        least, most = (int(size.min()), int(size.max())) if len(size) else (0, 0)
        positions = _tile_positions(problem)
        tiles = len(positions)
        n, tile = np.repeat(self.pairs[:, 0], tiles), np.tile(np.arange(tiles), len(self.pairs))
        of_tile, of_n = np.divmod(self.output, len(problem.kernel_sizes))
        macs = problem.operation_macs[problem.exists.every()].repeat(tiles) * positions[tile]
        own = 0 * n if len(self.output) else problem.output_bytes[n] * positions[tile]
        complete = problem.output_bytes[of_n] * positions[of_tile]
        users = [0 * self.kernel + tiles, problem.exists.depth[of_n]]
        return LayerData(
            operations=len(self.needs),
            pixels=len(self.pixel),
            kernels=len(self.kernel),
            blocks=len(size),
            taps=self.needs.shape[1],
            rows=rows,
            columns=columns,
            memory=problem.memory - self._staying,
            macs_per_step=min(problem.accelerator.macs_per_step, problem.total_macs),
            load_cost=scale.load,
            spill_cost=scale.load + scale.write,
            step_cost=scale.compute,
            smallest=least,
            sizes_differ=int(least < most),
            needs=ints(self.needs.ravel()),
            macs=ints(macs),
            output_bytes=ints(own),
            size=ints(size),
            complete_size=ints(np.concatenate([*self._sizes[:2], complete])),
            users=ints(np.concatenate(users)),
        )

    @property
    def _sizes(self) -> list[IntArray]:
        """Bytes of the pixel blocks, the kernel blocks, and the outputs as partial sums."""
        problem = self.problem
        tile, n = np.divmod(self.output, len(problem.kernel_sizes))
        return [
            np.repeat(problem.pixel_bytes, problem.pixels),
            problem.kernel_bytes[np.divmod(self.kernel, len(problem.channel_sizes))],
            problem.partial_bytes[n] * _tile_positions(problem)[tile],
        ]

    @property
    def fixed(self) -> int:
        """What is not counted: complete outputs, and the load of a kernel block that stays."""
        scale = scale_of(self.problem)
        return scale.write * self.problem.output_total + scale.load * self._staying

    @property
    def _staying(self) -> int:
        return 0 if len(self.kernel) else self.problem.kernel_total

    def numbers(self, order: Order) -> IntArray:
        """Return the operations of an order by their numbers."""
        problem, (height, width) = self.problem, self.problem.decomposition.tile
        rows, columns = problem.tile_grid
        first = np.unique(order.unit, return_index=True)[1]
        pair = problem.exists.number(order.n[first], order.q[first])
        tile = order.i[first] // height * columns + order.j[first] // width
        numbers: IntArray = pair * rows * columns + tile
        return numbers

    def order(self, numbers: IntArray) -> Order:
        """Return operations, given by their numbers, as an order."""
        rows, columns = self.problem.tile_grid
        pair, tile = np.divmod(numbers, rows * columns)
        n, q = self.pairs[pair].T
        return order_at(self.problem, n, q, tile // columns, tile % columns)


def _tile_patches(problem: Problem) -> IntArray:
    """Return the input positions ``r·W + c`` that each tile reads, shape (tiles, most), or −1."""
    patch, (rows, columns) = patches(problem), problem.tile_grid
    height, width = problem.decomposition.tile
    i, j = np.divmod(np.arange(problem.positions), problem.out_width)
    tile = np.broadcast_to((i // height * columns + j // width)[:, None], patch.shape)
    found = np.unique(np.column_stack([tile[patch >= 0], patch[patch >= 0]]), axis=0)
    nth = np.arange(len(found)) - np.searchsorted(found[:, 0], found[:, 0])
    reads = np.full((rows * columns, int(nth.max(initial=0)) + 1), -1)
    reads[found[:, 0], nth] = found[:, 1]
    return reads


def _tile_positions(problem: Problem) -> IntArray:
    """Return how many output positions each tile has, shape (tiles,)."""
    outputs = (problem.out_height, problem.out_width)
    sizes = [
        np.bincount(np.arange(count) // side)
        for count, side in zip(outputs, problem.decomposition.tile, strict=True)
    ]
    return np.outer(*sizes).ravel()
