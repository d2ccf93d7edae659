"""Frames of constructive plans: everything but the traversal, with an estimate of the cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from offloadasp.facts import scale_of
from offloadasp.problem import Problem
from offloadasp.search.order import NESTS


@dataclass(frozen=True)
class Frame:
    """A decomposition, a nest of loops over it, and how much a step computes.

    Attributes
    ----------
    problem
        The layer, decomposed.
    nest, chunk
        See :func:`~offloadasp.search.order.order_of`.
    size
        Operations per step, at most.
    residents
        Kernel blocks that stay on chip from first to last use.
    """

    problem: Problem
    nest: str
    chunk: int
    size: int
    residents: int

    def at(self, memory: int) -> "Frame":
        """Return the same frame at another memory in bytes."""
        return replace(self, problem=self.problem.with_memory(memory))

    @property
    def text(self) -> str:
        """The loops in a reader's words."""
        words = {"n": "kernel groups", "q": "channel groups", "c": f"chunks of {self.chunk}"}
        loops = _loops(self.problem, self.nest, self.chunk).removesuffix("c")
        nested = f", loops over {', '.join(words[loop] for loop in loops)}" if loops else ""
        plural = "s" if self.size > 1 else ""
        return f"up to {self.size} operation{plural} a step{nested}"


def frames(problem: Problem) -> Iterator[Frame]:
    """Yield the frames of a decomposition, each kind of loop nest once, with its largest steps.

    None if one operation alone exceeds ``macs_per_step``.
    """
    rows, columns = problem.tile_grid
    tiles = rows * columns
    pairs = int(problem.exists.sum())
    tile_size = problem.decomposition.tile[0] * problem.decomposition.tile[1]
    if int(problem.operation_macs.max()) * tile_size > problem.accelerator.macs_per_step:
        return
    most, residents = sizes(problem)[0], _residents(problem, pairs)
    seen = set()
    for chunk in _chunks(tiles, columns):
        for nest in NESTS:
            loops = _loops(problem, nest, chunk)
            # Innermost, the loop over chunks is one with the loop over their tiles.
            base = loops.removesuffix("c")
            kind = f"{base}{chunk}" if "c" in base else base
            if kind not in seen:
                seen.add(kind)
                run = chunk if "c" in base else tiles
                steps = {most, min(most, run), min(most, run * problem.exists.shape[1])}
                for count in residents:
                    yield from (Frame(problem, nest, chunk, size, count) for size in steps)


def _loops(problem: Problem, nest: str, chunk: int) -> str:
    """Return a nest without the loops that go round once."""
    rows, columns = problem.tile_grid
    kernel_groups, channel_groups = problem.exists.shape
    more = {"n": kernel_groups > 1, "q": channel_groups > 1, "c": chunk < rows * columns}
    return "".join(loop for loop in nest if more[loop])


def _chunks(tiles: int, columns: int) -> list[int]:
    powers = [4**k for k in range(20) if 4**k < tiles]
    return sorted({*powers, min(columns, tiles), tiles}, reverse=True)


def sizes(problem: Problem) -> list[int]:
    """Return numbers of operations per step, most first: ever sparser above the small ones."""
    pairs = int(problem.exists.sum())
    height, width = problem.decomposition.tile
    work = int(problem.operation_macs[problem.exists].min()) * height * width
    most = max(1, min(problem.accelerator.macs_per_step // work, pairs * problem.positions))
    found = {most, most // pairs * pairs}
    while most > 1:
        most = most - 1 if most <= 8 else most * 2 // 3
        found |= {most, most // pairs * pairs}
    return sorted(found - {0}, reverse=True)


def _residents(problem: Problem, pairs: int) -> list[int]:
    """Numbers of kernel blocks that stay: all, none, and as many as fit beside a patch."""
    if pairs == 1:
        return [0]
    sizes = problem.kernel_bytes[problem.exists].cumsum()
    free = problem.memory - _patch_bytes(problem) - int(problem.kernel_bytes.max())
    fitting = int((sizes <= free).sum())
    return sorted({pairs, fitting, fitting // 2, 0}, reverse=True)


def _patch_bytes(problem: Problem) -> int:
    rows, columns = problem.taps_per_axis
    return int(rows.sum(axis=1).max() * columns.sum(axis=1).max() * problem.pixel_bytes.max())


def estimate(frame: Frame) -> float:
    """Estimate a frame's cost in units of the rules; infinite where it hardly fits the memory.

    It only sets the order in which frames are tried. Kernels that do not stay come again in every
    chunk inside whose loop they change; each turn of the loop over kernel groups reads again
    what it uses, less what memory can hold meanwhile.
    """
    problem, nest = frame.problem, frame.nest
    rows, columns = problem.tile_grid
    chunks = -(-rows * columns // frame.chunk)
    # How many kernel groups share a channel group, and the reverse: 1 in a depthwise layer whose
    # groups are aligned.
    kernel_groups = int(problem.exists.sum(axis=0).max())
    at = nest.index
    blocks = problem.kernel_bytes[problem.exists]
    resident = int(blocks[: frame.residents].sum())
    loops = _loops(problem, nest, frame.chunk)
    changing = "c" in loops.removesuffix("c")
    kernel_loads = resident + (problem.kernel_total - resident) * (chunks if changing else 1)
    # A step uses as many kernel blocks as runs over the tiles of a chunk begin in it.
    run = frame.chunk if changing else rows * columns
    streaming = min(len(blocks) - frame.residents, -(-frame.size // run)) * int(blocks.max())
    free = problem.memory - resident - streaming - _sums_bytes(frame, chunks)
    if free < _patch_bytes(problem):
        return math.inf
    pixel_loads = float(problem.input_total)
    # What one turn of the loop over kernel groups reads, and how often that loop is entered.
    turn, entries = float(problem.input_total), 1
    if chunks > 1 and changing:
        footprint = _footprint_bytes(frame) * problem.exists.shape[1]
        pixel_loads = max(pixel_loads, float(footprint * chunks))
        if at("c") < at("n"):
            turn = footprint / (1 if at("n") < at("q") else problem.exists.shape[1])
            entries = chunks * (1 if at("n") < at("q") else problem.exists.shape[1])
    elif at("q") < at("n"):
        turn, entries = turn / problem.exists.shape[1], problem.exists.shape[1]
    pixel_loads += max(0.0, turn - free) * (kernel_groups - 1) * entries
    scale = scale_of(problem)
    steps = -(-rows * columns * len(blocks) // frame.size)
    return (kernel_loads + pixel_loads) * scale.load + steps * scale.compute


def _sums_bytes(frame: Frame, chunks: int) -> int:
    """Bytes of partial sums that wait on chip while the loop over channel groups goes round."""
    problem, at = frame.problem, frame.nest.index
    channel_groups = int(problem.exists.sum(axis=1).max())
    if channel_groups == 1:
        return 0
    tiles = frame.chunk if at("c") < at("q") else frame.chunk * chunks
    kernels = problem.partial_bytes.max() if at("n") < at("q") else problem.partial_bytes.sum()
    height, width = problem.decomposition.tile
    alive = int(kernels) * tiles * height * width
    return 0 if frame.size >= tiles * channel_groups and at("n") < at("q") else alive


def _footprint_bytes(frame: Frame) -> int:
    """Bytes of one channel group's pixels under a square chunk."""
    problem = frame.problem
    side = math.ceil(math.sqrt(frame.chunk))
    spans = []
    for axis, mask in enumerate(problem.taps_per_axis):
        outputs = min(side * problem.decomposition.tile[axis], len(mask))
        used = np.flatnonzero(mask.any(axis=0))
        reach = problem.layer.strides[axis] * (outputs - 1) + int(mask.sum(axis=1).max())
        spans.append(min(reach, len(used)))
    return spans[0] * spans[1] * int(problem.pixel_bytes.max())
