"""A question: the least that a layer costs, within a capacity, at some prices."""

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction

from offloadasp.asp.facts import Scale, scale_of
from offloadasp.asp.rules import Rules
from offloadasp.model.instance import Instance, Resolved
from offloadasp.model.objectives import Prices
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.decompose import decompositions, finer, scope
from offloadasp.search.size_limits import (
    CHECKED,
    GROUND_LIMIT,
    fits,
    operations,
    quickly_checked,
    require_feasible,
    rules_estimate,
)

# Decompositions beyond the usual ones that are tried where none of those fits.
_BETWEEN = 32


@dataclass(frozen=True)
class Question:
    """What is asked of a layer. A smaller capacity or other prices make another question.

    Attributes
    ----------
    rules
        The rules in force.
    whole
        The layer in the decomposition that contains all others in question: its bounds hold for
        everything that the instance leaves open.
    problems
        The decompositions that are tried, coarse ones first.
    target
        A cost that is enough: the search ends with a plan of at most this, or with a lower bound
        above it. None: the search ends at the optimum.
    """

    rules: Rules
    whole: Problem
    problems: tuple[Problem, ...]
    target: Fraction | None = None

    @property
    def scale(self) -> Scale:
        """The prices as integers."""
        return scale_of(self.whole)

    @property
    def unit(self) -> Fraction:
        """What one unit of an integer cost is worth; see :class:`~offloadasp.asp.facts.Scale`."""
        return self.scale.unit

    @property
    def in_reach(self) -> bool:
        """Whether a complete search may follow, so that most of the time is its own."""
        return rules_estimate(self.whole, operations(self.whole) + 1) <= GROUND_LIMIT

    @property
    def contains_all(self) -> bool:
        """Whether every plan in question is one of the whole.

        In a grouped convolution it need not be: a bias rides with the first block of its kernel
        group, not of its kernel, and a kernel group may hold partial sums, which can be smaller
        than outputs, where single kernels are complete.
        """
        layer, precision = self.whole.layer, self.whole.precision
        same = not layer.bias and precision.output <= precision.partial_sum
        return layer.group == 1 or same or len(self.problems) == 1

    def within(self, capacity: int) -> "Question":
        """Return the same question with so many bytes on chip."""
        problems = tuple(problem.within(capacity) for problem in self.problems)
        return replace(self, whole=self.whole.within(capacity), problems=problems)


def question_of(
    instance: Instance,
    rules: Rules,
    prices: Prices,
    capacity: int,
    target: Fraction | None = None,
) -> Question:
    """Ask for the least cost of everything that an instance leaves open.

    Parameters
    ----------
    capacity
        Bytes on chip.

    Raises
    ------
    InputError
        The layer is larger than clingo's integers.
    InfeasibleError
        No strategy exists within the capacity.
    """
    whole = whole_of(instance, prices, capacity)
    require_feasible(whole)
    return Question(rules, whole, tuple(problems_of(instance, prices, capacity)), target)


def problems_of(instance: Instance, prices: Prices, capacity: int) -> list[Problem]:
    """Return the decompositions that are tried within a capacity, coarse ones first.

    They are those whose plans the rules check quickly. If a strategy exists for none of them, the
    one with the fewest operations of the others is tried as well.
    """

    def problem(decomposition: Resolved) -> Problem:
        return problem_of(instance, decomposition).at(prices).within(capacity)

    tried = [problem(decomposition) for decomposition in decompositions(instance)]
    small = [one for one in tried if quickly_checked(one)]
    # Where a kernel block fits, there is one at least for each memory full of weights.
    least, most = -(-tried[0].kernel_total // capacity), CHECKED // tried[0].positions
    if any(one.exists.count >= least and fits(one) for one in small):
        return small
    between = filter(fits, map(problem, finer(instance, least, most)))
    if found := [*itertools.islice(between, _BETWEEN)]:
        return found
    large = sorted((one for one in tried if not quickly_checked(one)), key=operations)
    return [*small, *itertools.islice(filter(fits, large), 1)]


def whole_of(instance: Instance, prices: Prices, capacity: int) -> Problem:
    """Return the problem to which bounds refer, with a capacity in bytes."""
    return problem_of(instance, scope(instance)).at(prices).within(capacity)
