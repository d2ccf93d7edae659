"""What may be minimised: objectives by name, lists of them, and the rates that price a byte.

Duration and traffic are *linear*: sums over bytes loaded, bytes written and compute actions at
their rates. So one search minimises either; only the rates differ. The peak of memory is the most
bytes on chip in any step; it is minimised by lowering the capacity.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from offloadasp.base.errors import InputError
from offloadasp.base.wording import did_you_mean

# Read for types only: the command line knows the objectives before it loads NumPy and pydantic.
if TYPE_CHECKING:
    from offloadasp.model.instance import Accelerator
    from offloadasp.model.plan import Plan
    from offloadasp.model.problem import Problem

DURATION, TRAFFIC, PEAK = "duration", "traffic", "peak_memory"

EDITED = "edited"
"""Stands for an objective that edited rules define."""

UNITS = {DURATION: "cycles", TRAFFIC: "bytes", PEAK: "bytes"}
"""Every objective, and what it is counted in."""


@dataclass(frozen=True)
class Rates:
    """The price of a byte loaded, of a byte written, and of a compute action."""

    load: Fraction
    write: Fraction
    compute: Fraction

    @property
    def all(self) -> tuple[Fraction, Fraction, Fraction]:
        """The three rates in this order."""
        return self.load, self.write, self.compute

    def plus(self, weight: Fraction, other: "Rates") -> "Rates":
        """Return these rates and so many times others."""
        return Rates(*(b + weight * a for a, b in zip(other.all, self.all, strict=True)))

    def on(self, problem: "Problem") -> "Problem":
        """Return the same problem with these rates in place of the accelerator's."""
        return problem.with_rates(*self.all)


@dataclass(frozen=True)
class Goal:
    """One objective of a result.

    Attributes
    ----------
    name
        A key of :data:`UNITS`, or :data:`EDITED` where edited rules say what counts.
    value
        Of the strategy found, in the objective's unit. Edited rules may pay: then it is below 0.
    lower_bound
        No strategy whose earlier objectives are at most the values found has less. The first
        objective has no earlier ones: its bound holds for every strategy.
    """

    name: str
    value: Fraction
    lower_bound: Fraction

    @property
    def gap(self) -> Fraction:
        """See `gap`."""
        return gap(self.value, self.lower_bound)


def gap(value: Fraction, lower_bound: Fraction) -> Fraction:
    """Return (value − lower bound) / |value|; 0 for a value of 0."""
    return (value - lower_bound) / abs(value) if value else Fraction(0)


def objectives(text: str) -> tuple[str, ...]:
    """Read a list of objectives, the one that matters most first.

    Raises
    ------
    InputError
        A name is unknown or repeated; one line that lists what is allowed.
    """
    names = tuple(name.strip() for name in text.split(","))
    wrong = next((name for name in names if name not in UNITS), None)
    again = next((name for name in names if names.count(name) > 1), None)
    allowed = f"must be one of {', '.join(UNITS)}, or several of them with commas between"
    if wrong is not None:
        raise InputError(f"--objective: {allowed}, not '{wrong}'{did_you_mean(wrong, UNITS)}")
    if again is not None:
        raise InputError(f"--objective: {allowed}, each once; '{again}' is repeated")
    return names


def rates_of(name: str, accelerator: "Accelerator") -> Rates:
    """Return the rates at which a linear objective counts.

    Raises
    ------
    KeyError
        The objective is not linear.
    """
    own = (accelerator.load_cycles, accelerator.write_cycles, accelerator.compute_cycles)
    return {
        DURATION: Rates(*own),
        TRAFFIC: Rates(Fraction(1), Fraction(1), Fraction(0)),
    }[name]


def measure(name: str, problem: "Problem", plan: "Plan") -> Fraction:
    """Return the value of an objective for a valid plan, in the objective's unit."""
    if name == PEAK:
        return Fraction(plan.peak_bytes(problem))
    return plan.duration(rates_of(name, problem.accelerator).on(problem))
