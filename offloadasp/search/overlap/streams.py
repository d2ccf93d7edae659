"""Which ways to stream a layer are worth trying, by estimates of what they load and compute."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, product

from offloadasp.base.messages import plural
from offloadasp.model.problem import Problem

# Operations at positions of a plan, at most.
_MOST_OPERATIONS = 120_000
# Parts of kernels and of output rows that are tried.
_PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# A chunk is loaded while the one before it is used.
_CHUNKS = 2
# Of the time that it takes to write the outputs of a block, what it computes its last chunks for:
# the others wait on chip.
_EASE = Fraction(1, 2)
# Of the memory, what the last block and its last channels may take.
_ENDING = 0.7


@dataclass(frozen=True)
class Stream:
    """How a layer is streamed; see ``streaming.py``.

    Attributes
    ----------
    kernels, rows, columns
        Of a block: kernels, and rows and columns of output positions.
    group, chunk
        Kernels and channels of an operation.
    first
        Channels of the first chunk; they double until they are as many as in the others.
    tail
        Channels of the last chunks, over which outputs are completed one after the other.
    ending
        The same in the last block: the more, the fewer outputs does the last action complete.
    kernels_first
        Whether the next block has other kernels for the same positions.
    lacking
        The share of what the last action would lack of being full that the first one lacks instead.
    memory
        The share of the memory for what is kept; the rest is for loads ahead of their use.
    """

    kernels: int
    rows: int
    columns: int
    group: int
    chunk: int
    first: int
    tail: int
    ending: int
    kernels_first: bool
    lacking: float = 1.0
    memory: float = 0.9


def words(stream: Stream) -> str:
    """Return how a layer is streamed, in a reader's words."""
    block = f"{stream.rows}x{stream.columns} outputs of {plural(stream.kernels, 'kernel')}"
    return (
        f"partial sums of {block} stay, channels stream in chunks of up to {stream.chunk}, and "
        f"outputs are completed over the last {plural(stream.tail, 'channel')}"
    )


@dataclass(frozen=True)
class _Cost:
    """Estimates of a stream.

    Attributes
    ----------
    cycles
        Of the longest lane.
    loaded
        Bytes loaded.
    """

    cycles: float
    loaded: float


def streams(problem: Problem, most: int) -> list[Stream]:
    """Return at most ``most`` streams, each of other blocks, in the order of their estimates.

    Parameters
    ----------
    problem
        With or without overlap; of a layer of one convolution group.
    """
    found: dict[Stream, _Cost] = {}
    for stream in _every(problem):
        cost = _estimate(problem, stream)
        if cost is not None:
            found[stream] = cost
    ordered = sorted(found, key=lambda one: (found[one].cycles, found[one].loaded))
    return list(islice(ordered, most))


def variations(problem: Problem, stream: Stream) -> Iterator[Stream]:
    """Yield streams of the same blocks that differ in one respect."""
    channels = problem.layer.input[0]
    yield replace(stream, first=1)
    yield replace(stream, ending=max(1, stream.ending // 4))
    for lacking in (0.5, 0.0, 0.8, 1.0):
        yield replace(stream, lacking=lacking)
    yield replace(stream, first=min(4, stream.chunk))
    for ending in (2 * stream.ending, stream.ending // 2):
        yield replace(stream, ending=min(max(1, ending), channels))
    for group, chunk in _operations(problem, stream.kernels)[1:4]:
        yield replace(stream, group=group, chunk=chunk, first=min(stream.first, chunk))
    for tail in (2 * stream.tail, stream.tail // 2, channels):
        yield replace(stream, tail=min(max(1, tail), channels))
    for memory in (0.75, 1.0):
        yield replace(stream, memory=memory)


def _every(problem: Problem) -> Iterator[Stream]:
    layer, height, width = problem.layer, problem.out_height, problem.out_width
    kernels = sorted({-(-layer.kernels // part) for part in _PARTS}, reverse=True)
    rows = sorted({-(-height // part) for part in (*_PARTS, height)}, reverse=True)
    boxes = [(r, width) for r in rows]
    boxes += [(1, c) for c in sorted({-(-width // part) for part in _PARTS[1:]}, reverse=True)]
    for m in kernels:
        found = _operations(problem, m)
        if not found:
            continue
        group, chunk = found[0]
        first = min(2, chunk)
        for (r, c), kernels_first in product(boxes, (True, False)):
            if not kernels_first and (m == layer.kernels or (r, c) == boxes[0]):
                continue  # one of the loops goes round once
            tail = min(max(_least_tail(problem), chunk), layer.input[0])
            stream = Stream(m, r, c, group, chunk, first, tail, tail, kernels_first)
            yield replace(stream, ending=max(tail, _longest_tail(problem, stream)))


def _least_tail(problem: Problem) -> int:
    """Return over how many channels an output is computed in a part of the time of its write."""
    rates, taps = problem.accelerator, math.prod(problem.layer.kernel_shape)
    each = rates.mac_cycles + rates.compute_cycles / rates.macs_per_step
    write = rates.write_cycles * problem.precision.output
    return math.ceil(_EASE * write / (taps * each)) if each else 1


def _longest_tail(problem: Problem, stream: Stream) -> int:
    """Return how many channels of the last block fit beside its partial sums, with ease."""
    layer = problem.layer
    room = problem.memory * _ENDING - _sums(problem, stream)
    most = int(room / _bytes_a_channel(problem, stream))
    whole = stream.kernels == layer.kernels and stream.rows * stream.columns == problem.positions
    # A block that is first and last begins with chunk after chunk. Where transfers take longer than
    # compute actions, all that the last channels need would come too early.
    rates, once = problem.accelerator, problem.input_total + problem.kernel_total
    busy = rates.mac_cycles * problem.total_macs < rates.load_cycles * once
    return max(
        1, min(most // 4 if busy else most, layer.input[0] // 4 if whole else layer.input[0])
    )


def _sums(problem: Problem, stream: Stream) -> int:
    """Return the bytes of the outputs of a block."""
    sizes, streaming = problem.precision, problem.layer.input[0] > stream.chunk
    each = max(sizes.output, sizes.partial_sum if streaming else 0)
    return stream.rows * stream.columns * stream.kernels * each


def _read(problem: Problem, stream: Stream) -> int:
    """Return how many input positions a block reads, at most."""
    rows, columns = problem.reads
    read = rows.distinct(stream.rows).max() * columns.distinct(stream.columns).max()
    return int(read)


def _bytes_a_channel(problem: Problem, stream: Stream) -> int:
    """Return the bytes of pixels and weights that a block needs of one channel."""
    sizes, taps = problem.precision, math.prod(problem.layer.kernel_shape)
    return _read(problem, stream) * sizes.input + stream.kernels * taps * sizes.weight


def _operations(problem: Problem, kernels: int) -> list[tuple[int, int]]:
    """Return pairs of kernels and channels for an operation, the best pair first.

    ``kernels`` is the number of kernels in a block. Actions consist of whole operations and should
    be full; operations should be small, so that what is loaded for one hides beside an action; and
    there must not be too many.
    """
    layer, rates = problem.layer, problem.accelerator
    taps, channels = math.prod(layer.kernel_shape), layer.input[0]
    limit = rates.macs_per_step
    action = float(rates.compute_time(limit)) or 1.0
    ranges = -(-layer.kernels // kernels)
    found = []
    for group in range(1, min(kernels, 64) + 1):
        rows = problem.positions * ranges * -(-kernels // group)
        for chunk in range(1, min(channels, 32) + 1):
            macs = taps * group * chunk
            count = rows * (-(-channels // chunk) + max(0, chunk.bit_length() - 2))
            if macs > limit or count > _MOST_OPERATIONS:
                continue
            fill = limit // macs * macs / limit
            lost = float(rates.compute_cycles) * (1 / fill - 1) / action
            ragged = (-kernels % group) / kernels + (-channels % chunk) / channels
            block = float(rates.load_cycles) * macs * problem.precision.weight / action
            work = 0.002 * count / _MOST_OPERATIONS + 0.01 * chunk / channels
            found.append((lost + 0.001 * ragged + 0.01 * block + work, group, chunk))
    return [(group, chunk) for _, group, chunk in sorted(found)]


def _estimate(problem: Problem, stream: Stream) -> _Cost | None:
    """Estimate the lanes of a stream; None where it does not fit."""
    layer, rates, sizes = problem.layer, problem.accelerator, problem.precision
    taps, channels = math.prod(layer.kernel_shape), layer.input[0]
    read = _read(problem, stream)
    ranges = -(-layer.kernels // stream.kernels)
    boxes = -(-problem.out_height // stream.rows) * -(-problem.out_width // stream.columns)
    on_chip = _sums(problem, stream)
    on_chip += _bytes_a_channel(problem, stream) * max(stream.tail, _CHUNKS * stream.chunk)
    room = problem.memory * stream.memory - on_chip
    if room < 0:
        return None
    inputs = boxes * read * channels * sizes.input
    weights = layer.kernels * channels * taps * sizes.weight
    if boxes == 1:
        inputs = problem.input_total
    # What a block shares with the next one stays as far as there is room.
    if stream.kernels_first:
        kept = min(1.0, room / max(1, read * channels * sizes.input))
        loaded = inputs * (1 + (ranges - 1) * (1 - kept))
        kept = min(1.0, (room if ranges == 1 else room / 2) / weights)
        loaded += weights * (1 + (boxes - 1) * (1 - kept))
    else:
        kept = min(1.0, room / max(1, weights / ranges))
        loaded = weights * (1 + (boxes - 1) * (1 - kept))
        kept = min(1.0, (room if boxes == 1 else room / 2) / max(1, problem.input_total))
        loaded += inputs * (1 + (ranges - 1) * (1 - kept))
    load, write = rates.load_cycles * int(loaded), rates.write_cycles * problem.output_total
    transfer = float(max(load, write) if rates.overlap == "duplex" else load + write)
    macs = taps * stream.group * stream.chunk
    full = rates.macs_per_step // macs * macs
    actions = -(-problem.total_macs // full)
    compute = float(rates.compute_cycles * actions + rates.mac_cycles * problem.total_macs)
    # At first each block needs kernels or positions that none before it did.
    block = compute / (boxes * ranges)
    one = read * channels * sizes.input, weights / ranges
    row = (one[0], weights) if stream.kernels_first else (inputs, one[1])
    count = ranges if stream.kernels_first else boxes
    start = max(
        float(rates.load_cycles) * sum(each) - n * block for each, n in ((one, 1), (row, count))
    )
    return _Cost(max(transfer, compute + max(0.0, start)), loaded)
