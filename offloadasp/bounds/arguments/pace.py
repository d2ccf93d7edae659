"""The pace bound: steps that compute much at once have to hold what they compute with.

Phases are cut between steps, and each contains the step before its first one. Loads and steps are
bounded together: a strategy may take more steps to load less. Derivation: docs/bounds.md, section
9, "Pace".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.base.messages import plural
from offloadasp.bounds.argument import Floor, JointArgument
from offloadasp.bounds.parameters import Count, Params
from offloadasp.bounds.view import View
from offloadasp.model.semantics import SERIAL

# Numbers of steps that are looked at; a bound that needs more is not offered.
_MOST_STEPS = 2**20
# Numbers of steps of a phase that are tried.
_LENGTHS = 24


class Phase(Params):
    """Where the steps are cut.

    Attributes
    ----------
    length
        Steps of a phase, the one before it not counted.
    """

    length: Count


def _propose(view: View, floor: Floor) -> Iterator[Phase]:
    if view.problem.prices.compute == 0:
        return
    longest = max(2, floor.steps - 1)
    for length in np.unique(np.geomspace(1, longest, _LENGTHS).astype(np.int64)).tolist():
        yield Phase(length=length)


def _value(view: View, phase: Phase, floor: Floor) -> Fraction:
    prices, steps = view.problem.prices, floor.steps
    if prices.compute == 0 or prices.load == 0 or steps < 2:
        return Fraction(0)
    loads = _Loads(view, phase.length)
    first = loads.at(np.array([steps]))[0]
    # Beyond these steps their own cost alone is more than the bound can be.
    reach = prices.load * max(0, int(first) - floor.loads) / prices.compute
    count = int(reach) + 1
    if first <= floor.loads or count > _MOST_STEPS:
        return Fraction(0)
    number = np.arange(steps, steps + count + 1)
    least = np.maximum(floor.loads, loads.at(number))
    return min(
        prices.load * int(least[k]) + prices.compute * int(number[k]) for k in _pareto(least)
    )


def _pareto(loads: IntArray) -> Iterator[int]:
    """Yield the numbers of steps that load less than every smaller one: others are not least."""
    lowest = np.minimum.accumulate(loads)
    yield 0
    yield from (np.flatnonzero(lowest[1:] < lowest[:-1]) + 1).tolist()


@dataclass(frozen=True)
class _Loads:
    """The loads that phases of so many steps prove for a view.

    Attributes
    ----------
    view
        The operations that are looked at.
    length
        Steps of a phase, the one before it not counted.
    """

    view: View
    length: int

    @property
    def _partial_bytes(self) -> int:
        """What an output counts when it is begun; see docs/bounds.md, section 4."""
        return self.view.sizes.partial_bytes if self.view.sizes.depth > 1 else 0

    def _bytes_per_operation(self, most: int) -> Fraction:
        """Bound the bytes that up to ``most`` operations need, divided by their number."""
        first, least = self.view.footprint.table(self._partial_bytes)
        inside = int(np.searchsorted(first, most, side="right"))
        up_to = np.r_[first[1:inside] - 1, most]
        k = int((least[:inside] / up_to).argmin())
        return Fraction(int(least[k]), int(up_to[k]))

    def _capacity(self) -> int:
        """Bytes on chip during a step, if outputs count as in the footprints."""
        sizes, memory = self.view.sizes, self.view.problem.capacity
        if sizes.depth == 1:
            return memory - sizes.computing_bytes
        within = self.view.group // sizes.least_depth
        return memory + within * max(0, sizes.partial_bytes - sizes.output_bytes)

    def at(self, steps: IntArray) -> IntArray:
        """Bound the bytes loaded by a strategy of so many steps, elementwise, rounded down."""
        sizes, most = self.view.sizes, self.view.group
        operations = sizes.operations
        phase = min((self.length + 1) * most, operations)
        rate, capacity = self._bytes_per_operation(phase), self._capacity()
        # Cut after every so many-th step; what these steps lack of being full is lost.
        cuts = -(-(steps - 1) // self.length) - 1
        full = np.maximum(0, cuts * most - np.maximum(0, steps * most - operations))
        value = self._scaled(rate, operations + full) - cuts * capacity
        # Or choose the first cut so that the steps before the cuts compute the most.
        cuts = -(-(steps - 2) // self.length)
        share = max(0, operations - 2 * most) // self.length
        value = np.maximum(value, self._scaled(rate, operations + share) - cuts * capacity)
        begun = self._partial_bytes * sizes.output_blocks
        found: IntArray = value - begun + sizes.apart_bytes
        return found

    @staticmethod
    def _scaled(rate: Fraction, operations: IntArray | int) -> IntArray:
        value: IntArray = np.asarray(operations) * rate.numerator // rate.denominator
        return value


def _sentence(phase: Phase) -> str:
    return (
        "the fewer compute actions there are, the more each of them must hold at once, which "
        "leaves less memory to keep data from one to the next (in phases of "
        f"{plural(phase.length, 'step')})"
    )


ARGUMENT = JointArgument(
    name="pace",
    params=Phase,
    propose=_propose,
    value=_value,
    sentence=_sentence,
    holds_for=frozenset({SERIAL}),
)
