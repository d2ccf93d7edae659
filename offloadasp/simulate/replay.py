"""Replay a strategy on tensors, and say whether it is valid and computes the convolution."""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from offloadasp.instance import Accelerator
from offloadasp.simulate.blocks import Blocks
from offloadasp.simulate.chip import Chip
from offloadasp.simulate.convolution import convolve
from offloadasp.simulate.ledger import Account, Actions, Ledger
from offloadasp.simulate.tensors import Array, Tensors, is_poison, prepare
from offloadasp.simulate.violations import Log, Violation
from offloadasp.strategy import Strategy


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
    # NumPy computes without Python's lock, so the reference gets a core of its own.
    with ThreadPoolExecutor(1) as second:
        reference = second.submit(convolve, layer, tensors)
        log, blocks = Log(), Blocks(strategy.instance)
        books = _bookkeep(strategy, blocks, log)
        out = _execute(books.actions, blocks, tensors)
        error = _error(out, reference.result(), tensors.integer)
    loads = Loads(books.pixels_loaded, books.kernels_loaded, books.partial_sums_loaded)
    writes = Writes(books.outputs_written, books.partial_sums_written)
    peak = max((row.on_chip for row in books.trace), default=0)
    measured = {
        "duration": books.duration,
        "traffic": Fraction(loads.total + writes.total),
        "peak_memory": Fraction(peak),
    }
    # Each once, though the duration may be stated twice.
    false = dict.fromkeys(_false_statements(strategy, measured))
    stated = [Violation(0, rule, name) for rule, name in false]
    return Replay(
        violations=(*stated, *log.violations),
        trace=tuple(books.trace),
        loads=loads,
        writes=writes,
        compute_steps=sum(row.macs > 0 for row in books.trace),
        peak_memory=peak,
        duration=books.duration,
        output=tensors.finish(out),
        max_abs_error=error,
        tolerance=tensors.tolerance,
    )


def _execute(steps: Sequence[Actions], blocks: Blocks, tensors: Tensors) -> Array:
    """Run the steps on every image; return what main memory holds then, shape (B, M, Ho, Wo)."""
    out = np.empty((len(tensors.x), *blocks.layer.output_shape), tensors.x.dtype)
    for image, result in zip(tensors.x, out, strict=True):
        chip = Chip(blocks, image, tensors.w, tensors.bias)
        # Poison is meant to spread; that it does so is no news.
        with np.errstate(invalid="ignore"):
            for actions in steps:
                chip.run(actions)
        result[...] = chip.result
    return out


class _Books:
    """Collects what each step did, and adds up what it cost.

    Of every step little is kept: with very many, Python's garbage collector would take longer to
    look through what is kept than the replay itself.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.actions: list[Actions] = []
        self.trace: list[TraceRow] = []
        self.pixels_loaded = self.kernels_loaded = self.partial_sums_loaded = 0
        self.outputs_written = self.partial_sums_written = 0
        # Integers with one denominator, since arithmetic of fractions takes long.
        rates = (accelerator.load_cycles, accelerator.write_cycles, accelerator.compute_cycles)
        self._denominator = math.lcm(*(rate.denominator for rate in rates))
        self._load, self._write, self._compute = (int(rate * self._denominator) for rate in rates)
        self._cycles = 0
        self._fraction = cache(lambda cycles: Fraction(cycles, self._denominator))

    @property
    def duration(self) -> Fraction:
        """Cycles of all steps."""
        return Fraction(self._cycles, self._denominator)

    def add(self, actions: Actions, account: Account) -> None:
        """Take in one step."""
        loaded = account.pixels_loaded + account.kernels_loaded + account.partial_sums_loaded
        written = account.outputs_written + account.partial_sums_written
        cycles = self._load * loaded + self._write * written
        cycles += self._compute if account.macs else 0
        self.actions.append(actions)
        self.trace.append(
            TraceRow(
                len(self.actions),
                account.freed,
                written,
                loaded,
                account.peak,
                account.macs,
                self._fraction(cycles),
            )
        )
        self._cycles += cycles
        self.pixels_loaded += account.pixels_loaded
        self.kernels_loaded += account.kernels_loaded
        self.partial_sums_loaded += account.partial_sums_loaded
        self.outputs_written += account.outputs_written
        self.partial_sums_written += account.partial_sums_written


def _bookkeep(strategy: Strategy, blocks: Blocks, log: Log) -> _Books:
    accelerator = strategy.instance.accelerator
    ledger = Ledger(blocks, accelerator.memory, accelerator.macs_per_step, log)
    books = _Books(accelerator)
    for step in strategy.steps:
        books.add(*ledger.replay(step))
    ledger.finish()
    return books


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
