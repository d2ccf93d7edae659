"""What steps wait for, where transfers go on beside the compute action."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.judge.simulator import Books


@dataclass(frozen=True)
class Stall:
    """The duration of a step in parts.

    Attributes
    ----------
    compute
        Cycles of its compute action.
    loads, writes
        Cycles that the step goes on after it: for loads or for writes, whichever take longer.
    """

    compute: Fraction
    loads: Fraction
    writes: Fraction

    @property
    def waits(self) -> Fraction:
        """Cycles after the compute action."""
        return self.loads + self.writes


@dataclass(frozen=True)
class Overlap:
    """How much of the transfers is hidden, and what is waited for; in cycles but for ``hidden``.

    Attributes
    ----------
    hidden
        The share of the cycles of transfers that go on beside compute actions (or each other);
        None: nothing is transferred.
    serial
        What the same plan takes if nothing overlaps.
    perfect
        The longest of the lanes' totals.
    prologue, epilogue
        Stalls before the first compute action and after the last one.
    loads, writes
        Stalls between, by what takes longer.
    """

    hidden: Fraction | None
    serial: Fraction
    perfect: Fraction
    prologue: Fraction
    loads: Fraction
    writes: Fraction
    epilogue: Fraction


def stalls_of(books: Books) -> list[Stall]:
    """Return the parts of each step's duration."""
    rates, found = books.instance.accelerator, []
    for row in books.trace:
        compute = rates.compute_time(row.macs)
        waits = row.cycles - compute
        longer = rates.load_cycles * row.loaded >= rates.write_cycles * row.written
        found.append(Stall(compute, waits if longer else waits * 0, waits * (not longer)))
    return found


def overlap_of(books: Books) -> Overlap:
    """Add up what overlaps and what does not, for a valid strategy with overlap."""
    rates, stalls = books.instance.accelerator, stalls_of(books)
    load, write = rates.load_cycles * books.loads.total, rates.write_cycles * books.writes.total
    compute = sum((stall.compute for stall in stalls), Fraction(0))
    serial, computing = load + write + compute, [k for k, row in enumerate(books.trace) if row.macs]
    first, last = computing[0], computing[-1]
    between = stalls[first : last + 1]
    return Overlap(
        hidden=(serial - books.duration) / (load + write) if load + write else None,
        serial=serial,
        perfect=max(compute, load + write if rates.overlap == "dma" else max(load, write)),
        prologue=_sum([stall.waits for stall in stalls[:first]]),
        loads=_sum([stall.loads for stall in between]),
        writes=_sum([stall.writes for stall in between]),
        epilogue=_sum([stall.waits for stall in stalls[last + 1 :]]),
    )


def _sum(parts: Sequence[Fraction]) -> Fraction:
    return sum(parts, Fraction(0))
