"""What the local search knows: named arrays and numbers that compiled functions read and change.

Operations, blocks, steps and places are numbered. Operations and pixel, kernel and output blocks
count from 0 (see :mod:`offloadasp.search.anneal.numbering`); a place is an index into the sequence
of operations; steps count from 1, and a step may be empty: then it does not count.

Arrays are one-dimensional, of 64-bit integers: with numba arrays, else lists. Dataclasses of
numbers become records that compiled functions can change (see :func:`.numba_or_python.record`).
"""

from dataclasses import dataclass
from typing import NamedTuple

from offloadasp.search.anneal.numba_or_python import Ints


class LayerData(NamedTuple):
    """The layer and the accelerator, in numbers that never change.

    Attributes
    ----------
    operations, pixels, kernels, blocks
        Counts: operations, pixel blocks, kernel blocks, and all blocks. Blocks are numbered in
        this order, outputs last.
    taps
        Blocks that an operation uses, at most.
    rows, columns
        The grid of tiles. Operations are numbered row by row, pair of groups by pair of groups.
    memory
        Bytes on chip beside what stays for good.
    macs_per_step
        Multiply-accumulates that a step can do.
    load_cost, spill_cost, step_cost
        Units of the rules for a byte loaded, a byte written and loaded again, and a step.
    smallest, sizes_differ
        Bytes of the smallest block; whether there are larger ones.
    needs
        Operation ``o`` uses the blocks ``needs[o * taps : (o + 1) * taps]``, kernel and output
        first, filled up with −1. A kernel block that is the only one is not among them, since it
        stays for good; nor are outputs, if none sums over channel groups.
    macs
        Multiply-accumulates of each operation.
    output_bytes
        Of each operation the bytes of its output, if that is not among its blocks.
    size, complete_size
        Bytes of each block; of outputs as partial sums, and when complete.
    users
        Of each kernel and output block the number of operations that use it.
    """

    operations: int
    pixels: int
    kernels: int
    blocks: int
    taps: int
    rows: int
    columns: int
    memory: int
    macs_per_step: int
    load_cost: int
    spill_cost: int
    step_cost: int
    smallest: int
    sizes_differ: int
    needs: Ints
    macs: Ints
    output_bytes: Ints
    size: Ints
    complete_size: Ints
    users: Ints


class Arrangement(NamedTuple):
    """Operations in order, their division into steps, and which blocks are never dropped.

    Attributes
    ----------
    sequence
        The operations in order.
    start
        Step ``t`` computes the operations at the places ``start[t]`` to ``start[t + 1] - 1``.
        ``start[0]`` is 0 and ``start[steps + 1]`` is the number of operations.
    resident
        Of each block 1 if it stays from its first to its last use, else 0; pixel blocks do not.
    """

    sequence: Ints
    start: Ints
    resident: Ints


class Positions(NamedTuple):
    """Where operations are in an arrangement, so that none is searched for.

    Attributes
    ----------
    place
        Of each operation its place in the sequence.
    step
        Of each place its step.
    """

    place: Ints
    step: Ints


@dataclass
class Change:
    """Which steps the last move concerns.

    Attributes
    ----------
    first_step, last_step
        The first and the last step in which anything may differ.
    flipped
        The block that became resident, or no longer is; −1 if the move rearranged operations.
    """

    first_step: int = 0
    last_step: int = 0
    flipped: int = -1


class Undo(NamedTuple):
    """What the steps of the last change were before it: entries from the first of them on.

    Attributes
    ----------
    sequence, start
        Parts of those of :class:`Arrangement`.
    """

    sequence: Ints
    start: Ints


@dataclass
class Totals:
    """Numbers of an evaluation under way.

    Attributes
    ----------
    base
        What is added to steps in ``Memory.last_use``. It grows with each evaluation, so that uses
        in earlier ones are before all steps of this one.
    full_step
        The last step that leaves no room for any block.
    held
        Bytes of resident blocks that are on chip.
    leaving
        Bytes of these that leave the chip after this step.
    """

    base: int = 0
    full_step: int = 0
    held: int = 0
    leaving: int = 0


class Memory(NamedTuple):
    """What an evaluation under way knows about the memory on chip.

    Attributes
    ----------
    totals
        Its numbers.
    last_use
        Of each block the last step that used it, plus ``totals.base``.
    free
        Of each step the bytes left.
    done, begun
        Of each kernel and output block the operations done, and the step of the first one.
    origin
        Of each entry of ``needs``, but in the order of the sequence, how the block came there (an
        :class:`Origin`). Only filled where asked for.
    """

    totals: Totals
    last_use: Ints
    free: Ints
    done: Ints
    begun: Ints
    origin: Ints


class Checkpoints(NamedTuple):
    """What an evaluation knew before steps 1, 1 + every, 1 + 2 · every, …: checkpoint 0, 1, 2, ….

    Attributes
    ----------
    every
        Steps from one checkpoint to the next.
    cost
        The cost of all steps before each checkpoint and, last, of all steps.
    full_step, held
        As in :class:`Totals`, of each checkpoint.
    free, done, begun
        As in :class:`Memory`, one checkpoint behind the other.
    """

    every: int
    cost: Ints
    full_step: Ints
    held: Ints
    free: Ints
    done: Ints
    begun: Ints


@dataclass
class Random:
    """The random numbers: the state of a generator, which is never 0."""

    state: int = 1


@dataclass
class Costs:
    """Costs in units of the rules, of the present arrangement and of the best one."""

    present: int = 0
    best: int = 0


class State(NamedTuple):
    """All that the local search knows.

    Attributes
    ----------
    layer
        What never changes.
    steps
        Steps of the arrangement, empty ones included.
    arrangement, positions
        The present arrangement.
    change, undo
        The last move.
    memory, checkpoints
        Of the evaluation, see :mod:`offloadasp.search.anneal.evaluation`.
    random
        The random numbers.
    costs, best, first
        The costs; the best arrangement so far, and the first one.
    """

    layer: LayerData
    steps: int
    arrangement: Arrangement
    positions: Positions
    change: Change
    undo: Undo
    memory: Memory
    checkpoints: Checkpoints
    random: Random
    costs: Costs
    best: Arrangement
    first: Arrangement
