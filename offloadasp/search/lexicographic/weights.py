"""Two linear objectives as one weighted sum, whose least strategies are the lexicographic ones.

Let A be the objective that matters first, B the other one; both are sums over x = (bytes loaded,
bytes written, compute actions) at rates a and b. What is minimised is w·A + B.

*Thrifty* strategies load a block only in a step that uses it, and spill a partial sum only to
load it again. Every strategy turns into a thrifty one by dropping the other transfers, and by
loading later what is loaded early; neither A nor B grows. For thrifty strategies each x_i lies
between known limits, least_i and most_i.

*The weight.* All values of A are multiples of some d > 0. For any number k let B' = B + k·A, at
rates b + k·a, and let spread be the sum of |b_i + k·a_i|·(most_i − least_i). If (w − k)·d > spread,
then thrifty strategies are ordered by w·A + B as by (A, B): if A(y) > A(x), so by d at least, then

    w·A(y) + B(y) − w·A(x) − B(x) = (w − k)·(A(y) − A(x)) + B'(y) − B'(x) ≥ (w − k)·d − spread > 0,

and if A(y) = A(x), the sums differ as B does. No strategy has less than its thrifty one. So the
least sum is that of the lexicographic optimum. The k that needs the smallest weight is used: with
equal rates for loading and writing, say, only the compute actions count in B'.

*Bounds.* If no strategy has a sum below c, then B ≥ c − w·a wherever A ≤ a; and A of any strategy
is at least that of its thrifty one, which is (sum − B') / (w − k) ≥ (c − most B') / (w − k).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.model.objectives import Prices
from offloadasp.model.problem import Problem
from offloadasp.search.size_limits import operations

Range = tuple[int, int]
Ranges = tuple[Range, Range, Range]


@dataclass(frozen=True)
class Combined:
    """A weighted sum of two linear objectives.

    Attributes
    ----------
    prices
        Of the sum.
    weight
        w, of the first objective.
    grain
        d, of which all values of the first objective are multiples.
    shift
        k.
    most_rest
        The most that B' is for thrifty strategies.
    """

    prices: Prices
    weight: Fraction
    grain: Fraction
    shift: Fraction
    most_rest: Fraction

    def first(self, least: Fraction) -> Fraction:
        """Bound the first objective, if no strategy has less than ``least`` of the sum.

        Given the sum of a thrifty strategy it is the value of its first objective.
        """
        steps = (least - self.most_rest) / ((self.weight - self.shift) * self.grain)
        return max(Fraction(0), math.ceil(steps) * self.grain)

    def second(self, least: Fraction, first: Fraction) -> Fraction:
        """Bound the second objective of strategies whose first one is at most a value."""
        return max(Fraction(0), least - self.weight * first)


def combine(first: Prices, second: Prices, ranges: Ranges) -> Combined:
    """Weigh two linear objectives so that the first one decides.

    Parameters
    ----------
    ranges
        Limits of bytes loaded, bytes written and compute actions, for thrifty strategies.
    """
    grain, quantum = _unit(first), _unit(second) / _unit(first)
    pairs = list(zip(first.each, second.each, strict=True))
    shifts = {Fraction(0)} | {-b / a for a, b in pairs if a}
    needed = {k: k + _spread(pairs, ranges, k) / grain for k in shifts}
    shift = min(shifts, key=lambda k: (needed[k], k))
    # The next multiple of the quantum: then the sum's prices have no finer fractions than B's.
    weight = max(Fraction(1), Fraction(needed[shift] // quantum + 1)) * quantum
    rest = [
        rate * (most if rate > 0 else least)
        for rate, (least, most) in zip(_rest(pairs, shift), ranges, strict=True)
    ]
    return Combined(second.plus(weight, first), weight, grain, shift, sum(rest, Fraction(0)))


def thrifty_ranges(problems: Sequence[Problem]) -> Ranges:
    """Return the limits of bytes loaded, written and compute actions of thrifty strategies.

    They do not depend on the memory. An operation loads each block that it needs once at most, and
    its partial sums unless it is the first one on its outputs; what is loaded so was spilled.

    Parameters
    ----------
    problems
        Decompositions of one layer; the limits hold for the strategies of all.
    """
    found = [_ranges(problem) for problem in problems]
    loads, writes, steps = (
        (min(least for least, _ in part), max(most for _, most in part))
        for part in zip(*found, strict=True)
    )
    return loads, writes, steps


def _ranges(problem: Problem) -> Ranges:
    once, outputs = problem.input_total + problem.kernel_total, problem.output_total
    rows, columns = problem.reads
    patches = int(rows.counts.sum()) * int(columns.counts.sum())
    pixels = patches * int((problem.exists.breadth * problem.pixel_bytes).sum())
    kernels = problem.positions * problem.kernel_total
    again = problem.exists.depth - 1
    spilled = problem.positions * int((again * problem.partial_bytes).sum())
    actions = -(-problem.total_macs // problem.accelerator.macs_per_step)
    return (
        (once, pixels + kernels + spilled),
        (outputs, outputs + spilled),
        (actions, operations(problem)),
    )


def _rest(pairs: list[tuple[Fraction, Fraction]], shift: Fraction) -> list[Fraction]:
    return [b + shift * a for a, b in pairs]


def _spread(pairs: list[tuple[Fraction, Fraction]], ranges: Ranges, shift: Fraction) -> Fraction:
    widths = [most - least for least, most in ranges]
    return sum(
        (abs(r) * width for r, width in zip(_rest(pairs, shift), widths, strict=True)), Fraction(0)
    )


def _unit(prices: Prices) -> Fraction:
    """Return the greatest number of which all prices are multiples; 1 if all are 0."""
    denominator = math.lcm(*(price.denominator for price in prices.each))
    factor = math.gcd(*(int(price * denominator) for price in prices.each)) or denominator
    return Fraction(factor, denominator)
