"""A replayed strategy as arrays, for the step player and the charts of the page."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.arrays import IntArray
from offloadasp.judge.simulator import Books
from offloadasp.judge.simulator.blocks import Blocks, Box
from offloadasp.model.instance import Accelerator, ResolvedInstance, exact_number
from offloadasp.report.page.pack import pack
from offloadasp.report.stalls import stalls_of

# Lists of actions by name, and how many numbers a box has.
_LISTS = {
    "free_pixels": 5,
    "free_kernels": 2,
    "write_outputs": 5,
    "write_partial_sums": 5,
    "load_pixels": 5,
    "load_kernels": 2,
    "load_partial_sums": 5,
    "create": 5,
    "compute": 6,
}
_KINDS = ("pixels", "kernels", "partial_sums", "outputs")
# Integers up to here are exact in a double.
_EXACT = 2**53


def history(instance: ResolvedInstance, books: Books) -> dict[str, Any]:
    """Return a replay for the page, as JSON.

    Returns
    -------
    dict
        Sizes of the grids and the blocks, and ``packed``: arrays with, for every list of
        actions, its number of boxes in each step (``NAME.count``) and their coordinates
        (``NAME.boxes``); bytes moved and held by kind in each step; its cycles by cause; and
        the index of its exact duration among the texts under ``cycles``.
    """
    blocks, accelerator = Blocks(instance), instance.accelerator
    pairs = np.zeros((len(blocks.kernel_groups), len(blocks.channel_groups)), dtype=bool)
    pairs[tuple(zip(*blocks.pairs, strict=True))] = True
    arrays: dict[str, NDArray[Any]] = {"used": blocks.pixels.positions, "pairs": pairs}
    arrays |= _lists(books) | _figures(books) | _cycles(books, accelerator)
    texts = [str(exact_number(row.cycles)) for row in books.trace]
    different = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    arrays["cycles_text"] = np.array([different[text] for text in texts], dtype=np.int64)
    overlap = {"overlap": accelerator.overlap} if accelerator.overlaps else {}
    return {
        **overlap,
        "channelGroups": len(blocks.channel_groups),
        "kernelGroups": len(blocks.kernel_groups),
        "channelSpans": blocks.channel_groups,
        "kernelSpans": blocks.kernel_groups,
        "input": [blocks.height, blocks.width],
        "output": [blocks.out_height, blocks.out_width],
        "strides": blocks.layer.strides,
        "pads": blocks.layer.pads,
        "dilations": blocks.layer.dilations,
        "kernel": blocks.layer.kernel_shape,
        "memory": accelerator.memory,
        "steps": len(books.trace),
        "needed": blocks.needed,
        "pixelBytes": [blocks.pixel_bytes(q) for q in range(len(blocks.channel_groups))],
        "kernelBytes": [
            [blocks.kernel_bytes(n, q) if pairs[n, q] else 0 for q in range(row.size)]
            for n, row in enumerate(pairs)
        ],
        "cycles": list(different),
        "packed": pack(arrays),
    }


def loads_by_position(instance: ResolvedInstance, books: Books) -> IntArray:
    """Return the bytes loaded for each input position, all channels together: (H, W)."""
    blocks = Blocks(instance)
    # Corners of boxes in a table of differences, whose sums along both axes are the loads.
    corners = np.zeros((blocks.height + 1, blocks.width + 1), dtype=np.int64)
    rows = np.array(
        [box for actions in books.actions for box in actions.load_pixels], dtype=np.int64
    ).reshape(-1, 5)
    size = np.array([blocks.pixel_bytes(q) for q in range(len(blocks.channel_groups))])[rows[:, 0]]
    for row, column, sign in ((1, 3, 1), (1, 4, -1), (2, 3, -1), (2, 4, 1)):
        np.add.at(corners, (rows[:, row], rows[:, column]), sign * size)
    loads: IntArray = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return loads


def _lists(books: Books) -> dict[str, IntArray]:
    found = {}
    for name, width in _LISTS.items():
        lists: list[Sequence[Box]] = [getattr(actions, name) for actions in books.actions]
        found[f"{name}.count"] = np.array([len(boxes) for boxes in lists], dtype=np.int64)
        boxes = [box for part in lists for box in part]
        found[f"{name}.boxes"] = np.array(boxes, dtype=np.int64).reshape(-1, width)
    return found


def _figures(books: Books) -> dict[str, IntArray]:
    accounts = books.accounts
    moved = ("freed", "pixels_loaded", "kernels_loaded", "partial_sums_loaded")
    columns = (*moved, "outputs_written", "partial_sums_written", "macs")
    figures = {name: [getattr(account, name) for account in accounts] for name in columns}
    for kind in _KINDS:
        figures[f"held_{kind}"] = [getattr(account.held, kind) for account in accounts]
    return {name: np.array(values, dtype=np.int64) for name, values in figures.items()}


def _cycles(books: Books, accelerator: Accelerator) -> dict[str, NDArray[Any]]:
    """Return the cycles of each step by cause; with overlap by lane as well, named ``lane_``."""
    load, write = accelerator.load_cycles, accelerator.write_cycles
    compute = accelerator.compute_time
    busy = {
        "load_cycles": _numbers([load * account.loaded for account in books.accounts]),
        "write_cycles": _numbers([write * account.written for account in books.accounts]),
        "compute_cycles": _numbers([compute(account.macs) for account in books.accounts]),
    }
    if not accelerator.overlaps:
        return busy
    return {f"lane_{name}": values for name, values in busy.items()} | _stalls(books)


def _stalls(books: Books) -> dict[str, NDArray[Any]]:
    """Return the cycles of compute actions, and those that each step waits for loads or writes."""
    stalls = stalls_of(books)
    return {
        "load_cycles": _numbers([stall.loads for stall in stalls]),
        "write_cycles": _numbers([stall.writes for stall in stalls]),
        "compute_cycles": _numbers([stall.compute for stall in stalls]),
    }


def _numbers(values: list[Fraction]) -> NDArray[Any]:
    """Return cycles as integers if all are, for a chart as doubles otherwise."""
    whole = all(value.denominator == 1 and value < _EXACT for value in values)
    return np.array([int(v) for v in values]) if whole else np.array([float(v) for v in values])
