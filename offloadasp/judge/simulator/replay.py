"""Replay a strategy on tensors, and say whether it is valid and computes the convolution."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from offloadasp.judge.simulator.account import Actions
from offloadasp.judge.simulator.blocks import Blocks
from offloadasp.judge.simulator.books import Books, keep_books
from offloadasp.judge.simulator.chip import Chip
from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import Array, Tensors, is_poison, prepare
from offloadasp.judge.simulator.violations import Violation
from offloadasp.model.strategy import Strategy


@dataclass(frozen=True, eq=False)
class Replay(Books):
    """What happened when a strategy was executed: its books, and the result on tensors.

    Among the violations are false statements of the file, with step 0.

    Attributes
    ----------
    output
        Main memory's output at the end, shape (M, Ho, Wo) or (B, M, Ho, Wo): int64 if all tensors
        are integers, else float64. Elements never written are NaN, and the array is then float64.
    max_abs_error
        Largest absolute difference to direct convolution; infinite if an element is missing.
    tolerance
        Largest error that rounding explains: 0 for integers, else 1e-9 of the largest possible
        sum of absolute products.
    """

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
        books = keep_books(strategy)
        overlaps = strategy.instance.accelerator.overlaps
        out = _execute(books.actions, Blocks(strategy.instance), tensors, overlaps=overlaps)
        error = _error(out, reference.result(), tensors.integer)
    # Each once, though the duration may be stated twice.
    false = dict.fromkeys(_false_statements(strategy, books.measured))
    stated = [Violation(0, rule, name) for rule, name in false]
    return Replay(
        instance=strategy.instance,
        violations=(*stated, *books.violations),
        actions=books.actions,
        accounts=books.accounts,
        trace=books.trace,
        output=tensors.finish(out),
        max_abs_error=error,
        tolerance=tensors.tolerance,
    )


def _execute(
    steps: Sequence[Actions], blocks: Blocks, tensors: Tensors, *, overlaps: bool
) -> Array:
    """Run the steps on every image; return what main memory holds then, shape (B, M, Ho, Wo)."""
    out = np.empty((len(tensors.x), *blocks.layer.output_shape), tensors.x.dtype)
    for image, result in zip(tensors.x, out, strict=True):
        chip = Chip(blocks, image, tensors.w, tensors.bias)
        # Poison is meant to spread; that it does so is no news.
        with np.errstate(invalid="ignore"):
            for actions in steps:
                chip.run(actions, overlaps=overlaps)
        result[...] = chip.result
    return out


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
