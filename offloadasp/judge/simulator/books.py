"""The books of a strategy: what every step does, moves and holds, without touching any data."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, partial

from offloadasp.judge.simulator.account import Account, Actions
from offloadasp.judge.simulator.blocks import Blocks
from offloadasp.judge.simulator.chip_state import Ledger
from offloadasp.judge.simulator.violations import Log, Violation
from offloadasp.model.instance import Accelerator, ResolvedInstance
from offloadasp.model.objectives import DURATION, Counts, measured
from offloadasp.model.strategy import Strategy


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One replayed step.

    Attributes
    ----------
    step
        Counted from 1.
    freed, written, loaded
        Bytes.
    on_chip
        The most bytes on chip before, during and after the compute action.
    macs
        Multiply-accumulates, padded taps included.
    cycles
        Duration of the step.
    """

    step: int
    freed: int
    written: int
    loaded: int
    on_chip: int
    macs: int
    cycles: Fraction


@dataclass(frozen=True)
class Loads:
    """Bytes loaded, by kind."""

    pixels: int
    kernels: int
    partial_sums: int

    @property
    def total(self) -> int:
        """Bytes loaded."""
        return self.pixels + self.kernels + self.partial_sums


@dataclass(frozen=True)
class Writes:
    """Bytes written, by kind."""

    outputs: int
    partial_sums: int

    @property
    def total(self) -> int:
        """Bytes written."""
        return self.outputs + self.partial_sums


@dataclass(frozen=True, eq=False)
class Books:
    """What the steps of a strategy do, for one image.

    Attributes
    ----------
    instance
        Of the strategy.
    violations
        Broken rules in order, each once; at most 1000 are listed.
    actions
        What was possible of each step; all of it in a valid strategy.
    accounts
        Bytes moved and held by kind, for each step.
    trace
        One row a step.
    """

    instance: ResolvedInstance
    violations: tuple[Violation, ...]
    actions: tuple[Actions, ...]
    accounts: tuple[Account, ...]
    trace: tuple[TraceRow, ...]

    @property
    def loads(self) -> Loads:
        """Bytes loaded, by kind."""
        return Loads(
            sum(account.pixels_loaded for account in self.accounts),
            sum(account.kernels_loaded for account in self.accounts),
            sum(account.partial_sums_loaded for account in self.accounts),
        )

    @property
    def writes(self) -> Writes:
        """Bytes written, by kind."""
        return Writes(
            sum(account.outputs_written for account in self.accounts),
            sum(account.partial_sums_written for account in self.accounts),
        )

    @property
    def measured(self) -> dict[str, Fraction]:
        """The value of every objective; the duration as the sum of the steps'."""
        return measured(self.instance, self.counts) | {DURATION: self.duration}

    @property
    def counts(self) -> Counts:
        """What the strategy uses."""
        return Counts(
            self.loads.total,
            self.writes.total,
            self.compute_steps,
            self.peak_memory,
            self._waiting,
        )

    @property
    def _waiting(self) -> Fraction:
        """Cycles of all steps beyond their compute actions, where transfers go on beside these."""
        accelerator = self.instance.accelerator
        if not accelerator.overlaps:
            return Fraction(0)
        macs = sum(row.macs for row in self.trace)
        compute = accelerator.compute_cycles * self.compute_steps + accelerator.mac_cycles * macs
        return self.duration - compute

    @property
    def compute_steps(self) -> int:
        """Steps with a compute action."""
        return sum(row.macs > 0 for row in self.trace)

    @property
    def peak_memory(self) -> int:
        """The most bytes ever on chip."""
        return max((row.on_chip for row in self.trace), default=0)

    @cached_property
    def duration(self) -> Fraction:
        """Cycles."""
        # There are few different durations of a step, and arithmetic of fractions takes long.
        counts = Counter(row.cycles for row in self.trace)
        return sum((cycles * count for cycles, count in counts.items()), Fraction(0))


def keep_books(strategy: Strategy) -> Books:
    """Replay the steps of a strategy by the rules of the model alone."""
    accelerator, log = strategy.instance.accelerator, Log()
    ledger = Ledger(
        Blocks(strategy.instance),
        accelerator.memory,
        accelerator.macs_per_step,
        log,
        overlaps=accelerator.overlaps,
    )
    cycles = cache(partial(_cycles, accelerator))
    actions, accounts, trace = [], [], []
    for number, step in enumerate(strategy.steps, start=1):
        done, account = ledger.replay(step)
        loaded, written, macs = account.loaded, account.written, account.macs
        duration = cycles(loaded, written, macs)
        actions.append(done)
        accounts.append(account)
        trace.append(TraceRow(number, account.freed, written, loaded, account.peak, macs, duration))
    ledger.finish()
    return Books(strategy.instance, log.violations, tuple(actions), tuple(accounts), tuple(trace))


def _cycles(accelerator: Accelerator, loaded: int, written: int, macs: int) -> Fraction:
    """Return the duration of a step that loads and writes so many bytes and computes so much."""
    load, write = accelerator.load_cycles * loaded, accelerator.write_cycles * written
    compute = accelerator.compute_cycles * (macs > 0) + accelerator.mac_cycles * macs
    if not accelerator.overlaps:
        return load + write + compute
    return max(compute, load + write if accelerator.overlap == "dma" else max(load, write))
