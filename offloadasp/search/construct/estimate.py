"""An estimate of what blocked plans cost, for a whole grid of blockings at once.

The estimate sets the order in which blockings are tried; what counts is the plan that follows
from one. It walks the loops from the innermost to the outermost, as cache models do: data that
does not depend on a loop is used again each time round, and loaded again as far as memory does
not hold all that the loop's body touches.
"""

from dataclasses import dataclass

import numpy as np

from offloadasp.asp.facts import scale_of
from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import most_operations
from offloadasp.search.construct.grid import FloatArray, Grid

# Shares of the free memory that pixels may take; kernels take the rest.
_SHARES = (1.0, 0.5, 0.0)


@dataclass(frozen=True)
class _Loop:
    """A loop of the nest: how often it goes round, and which data changes with it."""

    name: str
    rounds: IntArray

    def changes(self, data: str) -> bool:
        """Whether pixels, kernels or outputs are others in every round."""
        return self.name in {"pixels": "cq", "kernels": "snq", "outputs": "csn"}[data]


@dataclass(frozen=True)
class Estimator:
    """Estimates the blockings of one problem, nest, number of sets and direction of strips."""

    problem: Problem
    nest: str
    sets: int
    transposed: bool
    grid: Grid

    @property
    def most(self) -> int:
        """Operations that the processing unit does in a step, if all are of the largest kind."""
        return most_operations(self.problem)

    def _loops(self, data: str) -> list[_Loop]:
        """Return the loops, innermost first, with as many rounds as reach such data."""
        exists, one = self.problem.exists, np.ones_like(self.grid.regions)
        kernel_groups = int(exists.breadth.max()) if data == "pixels" else exists.shape[0]
        channel_groups = exists.shape[1] if data == "pixels" else int(exists.depth.max())
        rounds = {
            "c": self.grid.regions,
            "n": -(-kernel_groups // self.sets) * one,
            "q": channel_groups * one,
            "s": min(self.sets, kernel_groups) * one,
        }
        return [_Loop(name, rounds[name]) for name in reversed(f"s{self.nest}")]

    def costs(self) -> FloatArray:
        """Return costs in units of the rules, infinite where a step does not fit the memory."""
        problem, grid, scale = self.problem, self.grid, scale_of(self.problem)
        pixels, kernels, outputs = self._step_bytes()
        free = problem.memory - pixels - kernels - outputs
        loads = np.full(free.shape, np.inf)
        for share in _SHARES:
            room = np.maximum(0, free) * share
            total = self._pixel_loads(pixels + room) + self._kernel_loads(
                kernels + np.maximum(0, free) - room
            )
            loads = np.minimum(loads, total)
        operations = np.prod(problem.tile_grid) * problem.exists.count
        steps = np.where(grid.aligned, self._aligned_steps(), -(-operations // grid.size))
        # As floats: exact prices may have more than 64 bits, and only an order is asked for.
        load, write, compute = map(float, (scale.load, scale.write, scale.compute))
        cost = loads * load + float(problem.output_total) * write + steps * compute
        return np.where(free >= 0, cost, np.inf)

    def _aligned_steps(self) -> IntArray:
        """Count steps that end with regions, or with turns of the innermost loop over these."""
        grid, inner = self.grid, self._loops("kernels")[0].rounds
        runs = grid.regions * self.problem.exists.count
        each = np.maximum(1, grid.size // grid.cells)
        apart = runs * -(-grid.cells // grid.size)
        within = -(-runs // inner) * -(-inner // each)
        joined = -(-runs // (inner * np.maximum(1, each // inner)))
        return np.where(grid.size < grid.cells, apart, np.where(each < inner, within, joined))

    def _step_bytes(self) -> tuple[IntArray, IntArray, IntArray]:
        """Bytes of pixels, kernels and outputs that one step needs on chip."""
        problem, grid = self.problem, self.grid
        inside = grid.size <= grid.cells
        # A step that ends within a region leaves a piece of the next one to be begun with it.
        rest = np.where(inside, grid.cells % grid.size, grid.size % grid.cells)
        ragged = ~grid.aligned & ((rest > 0) | ~grid.uniform)
        left = -(-grid.size // grid.cells) + ragged
        taken: dict[str, IntArray] = {}
        for loop in self._loops("kernels"):
            taken[loop.name] = np.minimum(left, loop.rounds)
            left = -(-left // loop.rounds)
        regions = taken["c"] * taken["q"]
        pixels = np.where(inside, grid.window, grid.footprint * regions)
        pixels = pixels + np.where(inside & (regions > 1), grid.patch, 0)
        kernels = np.minimum(taken["n"] * taken["s"] * taken["q"], problem.exists.count)
        touched = np.where(inside, grid.size, grid.cells * taken["c"] * taken["n"] * taken["s"])
        return (
            pixels * int(problem.pixel_bytes.max()),
            kernels * problem.kernel_bytes.max(),
            self._output_bytes(np.minimum(touched, grid.size), taken["q"]),
        )

    def _output_bytes(self, touched: IntArray, channel_groups: IntArray) -> IntArray:
        """Bytes of outputs: complete ones of the step, or all partial sums under way."""
        problem, grid = self.problem, self.grid
        tile = problem.decomposition.tile[0] * problem.decomposition.tile[1]
        complete = touched * int(problem.output_bytes.max()) * tile
        depth = int(problem.exists.depth.max())
        if depth == 1:
            return complete
        alive = grid.cells
        for loop in self._loops("outputs"):
            if loop.name == "q":
                break
            alive = alive * loop.rounds
        # Steps of several regions that end within a turn of the loop over channel groups begin
        # outputs while others are completed.
        each = grid.size // grid.cells
        overlap = ~grid.aligned & (each > 0) & (grid.size % (grid.cells * depth) > 0)
        alive = np.where(overlap & (self.nest[-1] == "q"), 2 * alive, alive)
        alive = np.maximum(alive, touched) * int(problem.partial_bytes.max()) * tile
        whole = (self.nest[-1] == "q") & (channel_groups >= depth)
        return np.where(whole & (grid.size % (grid.cells * depth) == 0), complete, alive)

    def _pixel_loads(self, quota: FloatArray) -> FloatArray:
        problem, grid = self.problem, self.grid
        size = int(problem.pixel_bytes.max())
        slides = quota >= (grid.window + grid.sliding) * size
        loads = np.where(slides, 1.0, grid.again) * grid.apart / grid.regions * size
        touched = np.multiply(grid.footprint, size, dtype=np.float64)
        halo = np.multiply(grid.shared, size, dtype=np.float64)
        held = slides
        # Where no pixel is used, all of these are 0.
        joined, footprint = grid.joined / np.maximum(1, grid.apart), np.maximum(1, grid.footprint)
        for loop in self._loops("pixels"):
            if loop.name == "c":
                together = held & (quota >= touched + halo)
                loads = loads * grid.regions * np.where(together, joined, 1.0)
                touched = touched // footprint * problem.pixels
            elif loop.changes("pixels"):
                loads, touched, halo = (
                    loads * loop.rounds,
                    touched * loop.rounds,
                    halo * loop.rounds,
                )
            else:
                held = held & ((quota >= touched) | (loop.rounds == 1))
                loads = _repeated(loads, loop.rounds, np.minimum(quota, touched))
        return loads

    def _kernel_loads(self, quota: FloatArray) -> FloatArray:
        problem = self.problem
        touched = np.full_like(quota, problem.kernel_bytes.max())
        loads = touched
        for loop in self._loops("kernels"):
            if loop.changes("kernels"):
                loads, touched = loads * loop.rounds, touched * loop.rounds
            else:
                loads = _repeated(loads, loop.rounds, np.minimum(quota, touched))
        # The last groups may be smaller, and not all pairs of groups share channels.
        return loads * (problem.kernel_total / touched)


def _repeated(loads: FloatArray, rounds: IntArray, kept: FloatArray) -> FloatArray:
    """Load again in every round but the first what is not kept from the one before."""
    total: FloatArray = loads + (rounds - 1) * np.maximum(0, loads - kept)
    return total
