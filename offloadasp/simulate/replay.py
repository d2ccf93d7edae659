"""Replay a strategy on tensors, and say whether it is valid and computes the convolution."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from offloadasp.instance import Accelerator
from offloadasp.simulate.blocks import Blocks
from offloadasp.simulate.chip import Chip
from offloadasp.simulate.convolution import convolve
from offloadasp.simulate.ledger import Account, Actions, Ledger
from offloadasp.simulate.tensors import Array, is_poison, prepare
from offloadasp.simulate.violations import Log, Violation
from offloadasp.strategy import Strategy


@dataclass(frozen=True)
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
class Replay:
    """What happened when a strategy was executed.

    Attributes
    ----------
    violations
        Broken rules in order, each once; at most 1000 are listed.
    trace
        One row a step.
    loads, writes
        Bytes moved, by kind, for one image.
    compute_steps
        Steps with a compute action.
    peak_memory
        The most bytes ever on chip.
    duration
        Cycles, for one image.
    output
        Main memory's output at the end, shape (M, Ho, Wo) or (B, M, Ho, Wo): int64 if all tensors
        are integers, else float64. Elements never written are NaN, and the array is then float64.
    max_abs_error
        Largest absolute difference to direct convolution; infinite if an element is missing.
    tolerance
        Largest error that rounding explains: 0 for integers, else 1e-9 of the largest possible
        sum of absolute products.
    """

    violations: tuple[Violation, ...]
    trace: tuple[TraceRow, ...]
    loads: Loads
    writes: Writes
    compute_steps: int
    peak_memory: int
    duration: Fraction
    output: Array
    max_abs_error: int | float
    tolerance: int | float

    @property
    def verified(self) -> bool:
        """Whether every rule holds and the output is the convolution's."""
        return not self.violations and self.max_abs_error <= self.tolerance


def simulate(
    strategy: Strategy,
    x: ArrayLike | None = None,
    w: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    seed: int = 0,
) -> Replay:
    """Execute a strategy on tensors and compare with direct convolution.

    Parameters
    ----------
    strategy
        What to execute, with the instance that it is for.
    x
        Input, shape (C, H, W), or (B, C, H, W) for a batch, which runs image by image.
    w
        Weights, shape (M, C/G, Kh, Kw).
    bias
        Bias, shape (M,), if the layer has one.
    seed
        Of the integers from -128 to 127 that are drawn for tensors that are None.

    Returns
    -------
    Replay
        Integer tensors are computed exactly. All others, float32 included, are accumulated in
        float64 on chip and in the reference.

    Raises
    ------
    InputError
        A tensor has a wrong shape or type, is not finite, or its sums overflow.
    """
    layer = strategy.instance.layer
    tensors = prepare(layer, x, w, bias, seed)
    log, blocks = Log(), Blocks(strategy.instance)
    steps, trace = _bookkeep(strategy, blocks, log)
    duration = sum((row.cycles for row in trace), Fraction(0))
    accounts = [account for _, account in steps]
    loads, writes = _loads(accounts), _writes(accounts)
    peak = max((row.on_chip for row in trace), default=0)
    measured = {
        "duration": duration,
        "traffic": Fraction(loads.total + writes.total),
        "peak_memory": Fraction(peak),
    }
    # Each once, though the duration may be stated twice.
    false = dict.fromkeys(_false_statements(strategy, measured))
    stated = [Violation(0, rule, name) for rule, name in false]

    out = np.empty((len(tensors.x), *layer.output_shape), tensors.x.dtype)
    for image, result in zip(tensors.x, out, strict=True):
        chip = Chip(blocks, image, tensors.w, tensors.bias)
        # Poison is meant to spread; that it does so is no news.
        with np.errstate(invalid="ignore"):
            for actions, _ in steps:
                chip.run(actions)
        result[...] = chip.result
    return Replay(
        violations=(*stated, *log.violations),
        trace=trace,
        loads=loads,
        writes=writes,
        compute_steps=sum(row.macs > 0 for row in trace),
        peak_memory=peak,
        duration=duration,
        output=tensors.finish(out),
        max_abs_error=_error(out, convolve(layer, tensors), tensors.integer),
        tolerance=tensors.tolerance,
    )


def _loads(accounts: list[Account]) -> Loads:
    return Loads(
        sum(account.pixels_loaded for account in accounts),
        sum(account.kernels_loaded for account in accounts),
        sum(account.partial_sums_loaded for account in accounts),
    )


def _writes(accounts: list[Account]) -> Writes:
    return Writes(
        sum(account.outputs_written for account in accounts),
        sum(account.partial_sums_written for account in accounts),
    )


def _bookkeep(
    strategy: Strategy, blocks: Blocks, log: Log
) -> tuple[list[tuple[Actions, Account]], tuple[TraceRow, ...]]:
    accelerator = strategy.instance.accelerator
    ledger = Ledger(blocks, accelerator.memory, accelerator.macs_per_step, log)
    steps = [ledger.replay(step) for step in strategy.steps]
    ledger.finish()
    trace = tuple(_row(t, account, accelerator) for t, (_, account) in enumerate(steps, start=1))
    return steps, trace


def _row(step: int, account: Account, accelerator: Accelerator) -> TraceRow:
    loaded = account.pixels_loaded + account.kernels_loaded + account.partial_sums_loaded
    written = account.outputs_written + account.partial_sums_written
    cycles = accelerator.load_cycles * loaded + accelerator.write_cycles * written
    if account.macs:
        cycles += accelerator.compute_cycles
    return TraceRow(step, account.freed, written, loaded, account.peak, account.macs, cycles)


def _false_statements(
    strategy: Strategy, measured: dict[str, Fraction]
) -> Iterable[tuple[str, str]]:
    """Rules broken by what the file states of the whole strategy, with the objective's name."""
    duration = measured["duration"]
    stated = [("duration", strategy.duration)]
    stated += [(part.name, part.value) for part in strategy.ranking]
    for name, value in stated:
        if name in measured and measured[name] != value:
            yield ("duration", "") if name == "duration" else ("objective", name)
    proved = all(part.value == part.lower_bound for part in strategy.ranking)
    exceeded = any(part.lower_bound > part.value for part in strategy.ranking)
    unproven = strategy.status == "optimal" and not proved
    if strategy.lower_bound > duration or exceeded or unproven:
        yield "bound", ""


def _error(out: Array, reference: Array, integer: bool) -> int | float:
    if is_poison(out).any():
        return float("inf")
    if integer:
        # As Python integers, because a difference of int64 may wrap.
        wrong = out != reference
        pairs = zip(out[wrong].tolist(), reference[wrong].tolist(), strict=True)
        return max((abs(int(a) - int(b)) for a, b in pairs), default=0)
    return float(np.abs(out - reference).max())
