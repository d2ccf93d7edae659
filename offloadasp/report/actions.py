"""A replayed strategy as a list of actions in time: when each box moves, and what is computed."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.judge.simulator import Books
from offloadasp.judge.simulator.account import Actions
from offloadasp.judge.simulator.blocks import Blocks, Box
from offloadasp.model.instance import ResolvedInstance

FREE, WRITE, LOAD, COMPUTE = "free", "write", "load", "compute"
# The lane in which each kind of action goes on, by the accelerator's overlap.
_LANES = {
    "none": dict.fromkeys((FREE, WRITE, LOAD, COMPUTE), 0),
    "dma": {FREE: 0, WRITE: 0, LOAD: 0, COMPUTE: 1},
    "duplex": {FREE: 0, WRITE: 0, LOAD: 1, COMPUTE: 2},
}


@dataclass(frozen=True)
class Action:
    """One box of blocks that is freed, written or loaded, or of operations that are computed.

    Attributes
    ----------
    step
        Counted from 1.
    action
        ``free``, ``write``, ``load`` or ``compute``.
    kind
        ``pixels``, ``kernels``, ``outputs``, ``partial_sums`` or ``operations``.
    n, q
        Kernel group and channel group; None where the kind has none.
    place
        Rows and columns as half-open ranges (r0, r1, c0, c1); None for kernels.
    size
        Bytes; of operations their multiply-accumulates, padded taps included.
    start, end
        In cycles from the start of the strategy. All boxes of one compute action share its time.
    """

    step: int
    action: str
    kind: str
    n: int | None
    q: int | None
    place: Box | None
    size: int
    start: Fraction
    end: Fraction


def actions_of(instance: ResolvedInstance, books: Books) -> Iterator[Action]:
    """Yield all actions step by step: free, write, load, compute.

    Transfers of a lane follow each other box by box. Without overlap all actions do.
    """
    blocks, accelerator = Blocks(instance), instance.accelerator
    rates = {FREE: Fraction(0), WRITE: accelerator.write_cycles, LOAD: accelerator.load_cycles}
    start = Fraction(0)
    for step, (actions, row) in enumerate(zip(books.actions, books.trace, strict=True), start=1):
        lanes = dict.fromkeys(_LANES[accelerator.overlap].values(), start)
        lane_of = _LANES[accelerator.overlap]
        for action, kind, n, q, place, size in _moves(blocks, actions):
            now = lanes[lane_of[action]]
            end = now + rates[action] * size
            yield Action(step, action, kind, n, q, place, size, now, end)
            lanes[lane_of[action]] = end
        if actions.compute:
            now = lanes[lane_of[COMPUTE]]
            sizes = [_cells(box) * blocks.macs(n, q) for n, q, *box in actions.compute]
            end = now + accelerator.compute_time(sum(sizes))
            for (n, q, *box), size in zip(actions.compute, sizes, strict=True):
                yield Action(step, COMPUTE, "operations", n, q, tuple(box), size, now, end)
        start += row.cycles


_Move = tuple[str, str, int | None, int | None, Box | None, int]


def _moves(blocks: Blocks, actions: Actions) -> Iterator[_Move]:
    for q, *place in actions.free_pixels:
        yield FREE, "pixels", None, q, tuple(place), _cells(place) * blocks.pixel_bytes(q)
    for n, q in actions.free_kernels:
        yield FREE, "kernels", n, q, None, blocks.kernel_bytes(n, q)
    for n, *place in actions.write_outputs:
        yield WRITE, "outputs", n, None, tuple(place), _cells(place) * blocks.output_bytes(n)
    for n, *place in actions.write_partial_sums:
        yield WRITE, "partial_sums", n, None, tuple(place), _cells(place) * blocks.partial_bytes(n)
    for q, *place in actions.load_pixels:
        yield LOAD, "pixels", None, q, tuple(place), _cells(place) * blocks.pixel_bytes(q)
    for n, q in actions.load_kernels:
        yield LOAD, "kernels", n, q, None, blocks.kernel_bytes(n, q)
    for n, *place in actions.load_partial_sums:
        yield LOAD, "partial_sums", n, None, tuple(place), _cells(place) * blocks.partial_bytes(n)


def _cells(place: Box | list[int]) -> int:
    r0, r1, c0, c1 = place
    return (r1 - r0) * (c1 - c0)
