"""Blocked plans: regions of the output inside loops over groups, and an estimate of their cost.

The estimate sets the order in which blockings are tried; what counts is the plan that follows
from one. It walks the loops from the innermost to the outermost, as cache models do: data that
does not depend on a loop is used again each time round, and loaded again as far as memory does
not hold all that the loop's body touches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offloadasp.facts import scale_of
from offloadasp.problem import BoolArray, IntArray, Problem
from offloadasp.search.order import NESTS
from offloadasp.search.strips import even
from offloadasp.search.traversal import Traversal

FloatArray = NDArray[np.float64]

# Operations per step that are tried, as divisors of the most that the processing unit does.
_DIVISORS = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 8.0, 32.0, 256.0)
# Shares of the free memory that pixels may take; kernels take the rest.
_SHARES = (1.0, 0.5, 0.0)
# Positions in a region that is a part of one line.
_PIECES = (1, 2, 4, 8, 16, 32)
# Kernel groups are gathered in sets if there are so many.
_FINE = 8
# Blockings of one decomposition, nest and direction that are kept.
_EACH = 3


@dataclass(frozen=True)
class Blocking:
    """A decomposition, loops over it, regions of the output, and how much a step computes.

    Attributes
    ----------
    problem
        The layer, decomposed.
    nest, sets
        See :func:`~offloadasp.search.order.order_of`.
    strips
        The output is cut into so many strips of about equal width.
    transposed
        Whether the strips lie along the rows.
    lines
        Lines of a strip that form a region.
    cells
        Tiles of a region, at most; it matters where a region is a part of one line.
    size
        Operations per step, at most.
    aligned
        Whether no step begins within a region and ends beyond it.
    residents
        Kernel blocks that stay on chip from first to last use.
    """

    problem: Problem
    nest: str
    sets: int
    strips: int
    transposed: bool
    lines: int
    cells: int
    size: int
    aligned: bool = False
    residents: int = 0

    @property
    def traversal(self) -> Traversal:
        """The path that the estimate is made for."""
        return even(self.problem.tile_grid, self.strips, transposed=self.transposed)

    @property
    def straight(self) -> bool:
        """Whether the regions lie on lines that cross the whole output from left to right."""
        return self.strips == 1 and not self.transposed

    @property
    def whole(self) -> bool:
        """Whether every strip is one region."""
        rows, columns = self.problem.tile_grid
        length, across = (columns, rows) if self.transposed else (rows, columns)
        return self.lines >= length and self.cells >= length * -(-across // self.strips)

    @property
    def patience(self) -> int:
        """Steps from a use of a kernel block to the next one in the next region, within a set."""
        if self.sets == 1:
            return 1
        each = -(-len(self.problem.kernel_sizes) // self.sets)
        return -(-each * self.cells // self.size) + 1

    @property
    def text(self) -> str:
        """The loops in a reader's words."""
        problem = self.problem
        kernel_groups, channel_groups = problem.exists.shape
        rows, columns = problem.tile_grid
        words = {
            "s": (self.sets, f"{self.sets} sets of kernel groups"),
            "n": (kernel_groups, "kernel groups"),
            "q": (channel_groups, "channel groups"),
            "c": (-(-rows * columns // self.cells), f"regions of {self.cells}"),
        }
        loops = [words[loop][1] for loop in f"s{self.nest}" if words[loop][0] > 1]
        if loops and loops[-1] == words["c"][1]:
            loops.pop()  # innermost, the loop over regions is one with the loop over their tiles
        nested = f", loops over {', '.join(loops)}" if loops else ""
        return f"up to {self.size} operation{'s' if self.size > 1 else ''} a step{nested}"

    def straightened(self) -> "Blocking":
        """Return the same loops and steps, with regions of whole rows of about as many tiles."""
        columns = self.problem.tile_grid[1]
        lines = max(1, self.cells // columns)
        cells = min(self.cells, lines * columns)
        return replace(self, strips=1, transposed=False, lines=lines, cells=cells)

    def at(self, memory: int) -> "Blocking":
        """Return the same blocking at another memory in bytes."""
        return replace(self, problem=self.problem.with_memory(memory))

    def along(self, traversal: Traversal) -> "Blocking":
        """Return the same loops and steps for other strips; whole lines and strips stay whole."""
        grid, widths = self.problem.tile_grid, traversal.widths(self.problem.tile_grid)
        length = grid[1] if traversal.transposed else grid[0]
        if self.whole:
            lines, cells = max(grid), grid[0] * grid[1]
        else:
            lines, cells = min(self.lines, length), self.cells
            if self.lines > 1 or self.cells >= max(self.traversal.widths(grid)):
                cells = lines * max(widths)
        changed = replace(self, strips=len(widths), transposed=traversal.transposed)
        return replace(changed, lines=lines, cells=cells)

    def regions(self, widths: Sequence[int]) -> IntArray:
        """Return where regions begin on a path through strips of these widths, line by line."""
        grid = self.problem.tile_grid
        length = grid[1] if self.transposed else grid[0]
        count = -(-length // self.lines)
        bands = np.arange(count) * length // count
        starts: list[IntArray] = []
        begin = 0
        for width in widths:
            pieces = np.arange(0, width, self.cells) if self.cells < width else np.zeros(1, int)
            starts.append((begin + bands[:, None] * width + pieces).ravel())
            begin += length * width
        return np.concatenate(starts)


@dataclass(frozen=True)
class _Axis:
    """One axis of the output in tiles.

    Attributes
    ----------
    reach
        Most input lines that l consecutive lines of tiles use, for l from 0.
    used
        Input lines that all of them use.
    """

    reach: IntArray
    used: int

    @property
    def lines(self) -> int:
        """Number of lines of tiles."""
        return len(self.reach) - 1

    @property
    def bands(self) -> IntArray:
        """Lines of a band, each once that cutting into equal bands gives."""
        counts = np.arange(1, self.lines + 1)
        return np.unique(-(-self.lines // counts))

    def inputs(self, lines: IntArray) -> IntArray:
        """Bound the input lines of all bands of so many lines, each band counted apart."""
        count = -(-self.lines // lines)
        last = self.lines - (count - 1) * lines
        total: IntArray = (count - 1) * self.reach[lines] + self.reach[last]
        return total


def _axis(problem: Problem, axis: int) -> _Axis:
    taps, tile = problem.taps_per_axis[axis], problem.decomposition.tile[axis]
    mask = np.logical_or.reduceat(taps, np.arange(0, len(taps), tile), axis=0)
    used = mask.any(axis=0)
    low = np.cumsum(used)[mask.argmax(axis=1)]
    high = np.cumsum(used)[mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)] + 1
    reach = [(high[k:] - low[: len(low) - k]).max() for k in range(len(mask))]
    return _Axis(np.array([0, *reach], dtype=np.int64), int(used.sum()))


@dataclass(frozen=True)
class _Grid:
    """Blockings that differ in regions, strips and step size; arrays broadcast to one shape.

    Axes: lines of a region, or positions of a part of a line; strips; step sizes.

    Attributes
    ----------
    lines, width, cells
        Of a region; ``cells`` in all.
    regions
        Their number.
    size, aligned
        Operations per step, and whether steps end with regions.
    uniform
        Whether all regions are alike.
    footprint
        Pixels of a region.
    apart, joined
        Pixels of all regions, each region counted apart, and with what neighbours in a strip
        share counted once.
    shared
        Pixels that have to stay for that.
    window, sliding
        Pixels of a step within a region, and those that have to stay beside it so that the
        region's pixels are read once.
    again
        How often pixels of a region are read if they do not stay.
    patch
        Pixels of one tile.
    """

    lines: IntArray
    width: IntArray
    cells: IntArray
    regions: IntArray
    size: IntArray
    aligned: BoolArray
    uniform: BoolArray
    footprint: IntArray
    apart: IntArray
    joined: IntArray
    shared: IntArray
    window: IntArray
    sliding: IntArray
    again: FloatArray
    patch: int


def _grid(along: _Axis, across: _Axis, most: int) -> _Grid:
    pieces = np.array([piece for piece in _PIECES if piece < across.lines], dtype=np.int64)
    lines = np.r_[along.bands, np.ones_like(pieces)][:, None, None]
    limit = np.r_[np.full(len(along.bands), 2**40), pieces][:, None, None]
    width = across.bands[None, :, None]
    piece = np.minimum(limit, width)
    cells = np.minimum(lines * width, limit)
    regions = -(-along.lines // lines) * -(-across.lines // width) * -(-width // piece)
    size, aligned = _sizes(most, cells, width)
    even = across.lines % width == 0
    uniform = even & (along.lines % lines == 0) & (width % piece == 0)
    tall, wide = along.reach[lines], across.reach[width]
    footprint = tall * across.reach[piece]
    apart = along.inputs(lines) * np.where(
        piece < width, -(-across.lines // piece) * across.reach[piece], across.inputs(width)
    )
    joined = np.broadcast_to(along.used * across.inputs(width), apart.shape)
    rows = np.minimum(lines, -(-size // width) + (size % width > 0) * (size > width))
    inside = np.minimum(size, cells)
    straight = along.reach[1] * across.reach[np.minimum(inside, piece)]
    # Where steps do not end with lines, some lie around the end of one.
    turn = (
        along.reach[np.minimum(2, lines)]
        * across.reach[np.minimum(np.maximum(1, inside - 1), width)]
    )
    turns = (lines > 1) & ((width % inside > 0) | ~even)
    window = np.where(
        inside <= width,
        np.where(turns, np.maximum(straight, turn), straight),
        along.reach[rows] * wide,
    )
    window = np.minimum(window, footprint)
    step = max(1, along.reach[min(2, along.lines)] - along.reach[1])
    halo = np.maximum(0, along.reach[1] - step) * wide
    beside = np.maximum(0, along.reach[1] - step) * (wide - across.reach[np.minimum(inside, width)])
    sliding = np.minimum(footprint - window, np.where(inside < width, beside, 0))
    again = lines * along.reach[1] / tall
    patch = int(along.reach[1] * across.reach[1])
    return _Grid(
        lines,
        width,
        cells,
        regions,
        size,
        aligned,
        uniform,
        footprint,
        apart,
        joined,
        halo,
        window,
        sliding,
        again,
        patch,
    )


def _sizes(most: int, cells: IntArray, width: IntArray) -> tuple[IntArray, BoolArray]:
    """Return step sizes to try, and which of them end with regions.

    Divisors of the most, whole lines of them, and regions or equal parts of these.
    """
    plain = np.unique([max(1, int(most / divisor)) for divisor in _DIVISORS])[None, None, :]
    parts = -(-cells // plain)
    whole = np.where(plain >= cells, plain // cells * cells, -(-cells // parts))
    lines = np.where((plain < cells) & (plain >= width), plain // width * width, plain)
    shape = np.broadcast_shapes(whole.shape, lines.shape)
    sizes = [np.broadcast_to(x, shape) for x in (plain, lines, whole)]
    aligned = np.repeat([False, False, True], plain.size)
    return np.concatenate(sizes, axis=2), aligned[None, None, :]


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
    grid: _Grid

    @property
    def most(self) -> int:
        """Operations that the processing unit does in a step, if all are of the largest kind."""
        return most_operations(self.problem)

    def _loops(self, data: str) -> list[_Loop]:
        """Return the loops, innermost first, with as many rounds as reach such data."""
        exists, one = self.problem.exists, np.ones_like(self.grid.regions)
        kernel_groups = int(exists.sum(axis=0).max()) if data == "pixels" else exists.shape[0]
        channel_groups = exists.shape[1] if data == "pixels" else int(exists.sum(axis=1).max())
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
        operations = np.prod(problem.tile_grid) * int(problem.exists.sum())
        steps = np.where(grid.aligned, self._aligned_steps(), -(-operations // grid.size))
        cost = loads * scale.load + problem.output_total * scale.write + steps * scale.compute
        return np.where(free >= 0, cost, np.inf)

    def _aligned_steps(self) -> IntArray:
        """Count steps that end with regions, or with turns of the innermost loop over these."""
        grid, inner = self.grid, self._loops("kernels")[0].rounds
        runs = grid.regions * int(self.problem.exists.sum())
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
        kernels = np.minimum(taken["n"] * taken["s"] * taken["q"], int(problem.exists.sum()))
        touched = np.where(inside, grid.size, grid.cells * taken["c"] * taken["n"] * taken["s"])
        return (
            pixels * int(problem.pixel_bytes.max()),
            kernels * int(problem.kernel_bytes.max()),
            self._output_bytes(np.minimum(touched, grid.size), taken["q"]),
        )

    def _output_bytes(self, touched: IntArray, channel_groups: IntArray) -> IntArray:
        """Bytes of outputs: complete ones of the step, or all partial sums under way."""
        problem, grid = self.problem, self.grid
        tile = problem.decomposition.tile[0] * problem.decomposition.tile[1]
        complete = touched * int(problem.output_bytes.max()) * tile
        depth = int(problem.exists.sum(axis=1).max())
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
        for loop in self._loops("pixels"):
            if loop.name == "c":
                together = held & (quota >= touched + halo)
                loads = loads * grid.regions * np.where(together, grid.joined / grid.apart, 1.0)
                touched = touched // grid.footprint * int(problem.used.sum())
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


def set_counts(problem: Problem) -> Sequence[int]:
    """Return numbers of sets of kernel groups worth trying.

    With one channel group, a set of small kernel groups stays on chip as one large group would,
    but steps can be filled to the last operation.
    """
    kernel_groups, channel_groups = problem.exists.shape
    if channel_groups > 1 or kernel_groups < _FINE:
        return (1,)
    each = {-(-kernel_groups // count) for count in range(1, kernel_groups)}
    return sorted({-(-kernel_groups // size) for size in each})


def most_operations(problem: Problem) -> int:
    """Return how many operations of the largest kind the processing unit does in a step."""
    height, width = problem.decomposition.tile
    work = int(problem.operation_macs.max()) * height * width
    everything = int(np.prod(problem.tile_grid)) * int(problem.exists.sum())
    return min(problem.accelerator.macs_per_step // work, everything)


def blockings(
    problem: Problem, sets: Sequence[int] = (1,), sizes: int = 0
) -> Iterator[tuple[float, Blocking]]:
    """Yield the most promising blockings of one decomposition with their estimates.

    Parameters
    ----------
    sets
        Numbers of sets of kernel groups.
    sizes
        Of so many step sizes the best ones are among them, for each nest and direction.
    """
    most = most_operations(problem)
    if most < 1 or int(problem.kernel_bytes.max()) > problem.memory:
        return
    axes = _axis(problem, 0), _axis(problem, 1)
    grids = {
        transposed: _grid(axes[transposed], axes[1 - transposed], most)
        for transposed in ((False, True) if not _square(problem) else (False,))
    }
    for nest in _nests(problem):
        if _least_sums(problem, nest) > problem.memory:
            continue
        for transposed, grid in grids.items():
            # Other nests than this one say the same with and without sets.
            for count in sets if nest == "cnq" else (1,):
                estimator = Estimator(problem, nest, count, transposed, grid)
                yield from _best(estimator, estimator.costs(), sizes)


def _least_sums(problem: Problem, nest: str) -> int:
    """Bytes of partial sums that a nest keeps on chip at least."""
    if problem.exists.sum(axis=1).max() == 1:
        return 0
    outer = nest[: nest.index("q")]
    kernels = problem.partial_bytes.max() if "n" in outer else problem.partial_bytes.sum()
    return int(kernels) * (1 if "c" in outer else problem.positions)


def _square(problem: Problem) -> bool:
    rows, columns = problem.taps_per_axis
    tile = problem.decomposition.tile
    return rows.shape == columns.shape and bool((rows == columns).all()) and tile[0] == tile[1]


def _nests(problem: Problem) -> Iterator[str]:
    """Yield the nests that differ for a problem: loops that go round once say nothing."""
    kernel_groups, channel_groups = problem.exists.shape
    seen = set()
    for nest in NESTS:
        kind = "".join(
            loop
            for loop in nest
            if loop == "c" or {"n": kernel_groups, "q": channel_groups}[loop] > 1
        )
        if kind not in seen:
            seen.add(kind)
            yield nest


def _best(estimator: Estimator, costs: FloatArray, sizes: int) -> Iterator[tuple[float, Blocking]]:
    """Yield the best of a grid, of some step sizes, and the best that baselines can follow."""
    grid = estimator.grid
    flat = costs.ravel()
    few = min(_EACH, len(flat))
    chosen = np.argpartition(flat, few - 1)[:few].tolist()
    by_size = costs.reshape(-1, costs.shape[2])
    best = np.argsort(by_size.min(axis=0), kind="stable")[:sizes]
    chosen += (by_size[:, best].argmin(axis=0) * costs.shape[2] + best).tolist()
    if not estimator.transposed:
        straight = np.where(
            np.arange(costs.shape[1])[None, :, None] == costs.shape[1] - 1, costs, np.inf
        )
        chosen.append(int(straight.argmin()))
    for k in dict.fromkeys(chosen):
        if np.isfinite(flat[k]):
            lines, width, cells, size, aligned = (
                int(np.broadcast_to(x, costs.shape).flat[k])
                for x in (grid.lines, grid.width, grid.cells, grid.size, grid.aligned)
            )
            across = estimator.problem.tile_grid[0 if estimator.transposed else 1]
            yield (
                float(flat[k]),
                Blocking(
                    estimator.problem,
                    estimator.nest,
                    estimator.sets,
                    -(-across // width),
                    estimator.transposed,
                    lines,
                    cells,
                    size,
                    bool(aligned),
                ),
            )
