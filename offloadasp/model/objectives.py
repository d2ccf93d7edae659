"""Costs: the counts of a plan (bytes, actions), their prices, and the objectives.

Duration, traffic and the like are *linear*: a price for every byte loaded, every byte written and
every compute action, and a part that every plan pays. So one search minimises any of them; only the
prices differ. The peak of memory is the most bytes on chip in any step; it is minimised by lowering
the capacity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from offloadasp.base.errors import InputError
from offloadasp.base.messages import did_you_mean

# For types only: the command line knows the objectives before it loads NumPy and pydantic.
if TYPE_CHECKING:
    from offloadasp.model.instance import Described

DURATION, TRAFFIC, PEAK, ENERGY = "duration", "traffic", "peak_memory", "energy"

EDITED = "edited"
"""Stands for an objective that edited rules define."""


@dataclass(frozen=True)
class Counts:
    """What a plan uses.

    Attributes
    ----------
    loaded, written
        Bytes.
    actions
        Compute actions.
    peak
        Most bytes on chip in any step.
    waiting
        Cycles of all steps beyond their compute actions, where transfers go on beside these; 0 in
        the serial semantics.
    """

    loaded: int
    written: int
    actions: int
    peak: int
    waiting: Fraction = Fraction(0)


@dataclass(frozen=True)
class Prices:
    """The price of a byte loaded, of a byte written, of a compute action, and of any plan at all.

    Attributes
    ----------
    load, write, compute
        Not negative.
    fixed
        What every plan of the layer pays, whatever it does: no search and no bound looks at it.
    wait
        Of a cycle of ``Counts.waiting``.
    """

    load: Fraction
    write: Fraction
    compute: Fraction
    fixed: Fraction = Fraction(0)
    wait: Fraction = Fraction(0)

    @property
    def each(self) -> tuple[Fraction, Fraction, Fraction]:
        """The prices of a byte loaded, of a byte written, and of a compute action."""
        return self.load, self.write, self.compute

    def of(self, counts: Counts) -> Fraction:
        """Return what a plan costs."""
        return (
            self.load * counts.loaded
            + self.write * counts.written
            + self.compute * counts.actions
            + self.wait * counts.waiting
            + self.fixed
        )

    def only(self, kept: frozenset[str]) -> "Prices":
        """Return the prices with ``load``, ``write`` and ``compute`` at 0 unless they are kept.

        How long a step waits depends on all three, so without one of them waits are free as well.
        """
        gone = {part for part in ("load", "write", "compute") if part not in kept}
        return replace(self, **dict.fromkeys(gone | ({"wait"} if gone else set()), Fraction(0)))

    def plus(self, weight: Fraction, other: "Prices") -> "Prices":
        """Return these prices and ``weight`` times others."""
        return Prices(
            self.load + weight * other.load,
            self.write + weight * other.write,
            self.compute + weight * other.compute,
            self.fixed + weight * other.fixed,
            self.wait + weight * other.wait,
        )


FREE = Prices(Fraction(0), Fraction(0), Fraction(0))
"""Nothing costs anything."""


@dataclass(frozen=True)
class Objective:
    """Something to minimise.

    Attributes
    ----------
    name
        As in ``--objective``, in files, and of its file of rules.
    meaning
        A few words for lists of objectives.
    unit
        What it is counted in, for an instance.
    prices
        Of a linear objective, for an instance; None: the objective is the peak of memory.
    table
        The table that an instance must have for this objective; empty if it needs none.
    """

    name: str
    meaning: str
    unit: "Callable[[Described], str]"
    prices: "Callable[[Described], Prices] | None"
    table: str = ""

    def defined(self, described: "Described") -> bool:
        """Whether an instance says all that this objective counts by."""
        return not self.table or getattr(described, self.table) is not None

    def value(self, described: "Described", counts: Counts) -> Fraction:
        """Return the value of a valid plan, in the objective's unit."""
        return Fraction(counts.peak) if self.prices is None else self.prices(described).of(counts)


def _duration(described: "Described") -> Prices:
    """Return the rates. The multiply-accumulates take the same time in every plan.

    Where transfers overlap the compute action, only those that it waits for take time.
    """
    rates = described.accelerator
    macs = rates.mac_cycles * described.layer.macs
    if rates.overlaps:
        return Prices(Fraction(0), Fraction(0), rates.compute_cycles, macs, wait=Fraction(1))
    return Prices(rates.load_cycles, rates.write_cycles, rates.compute_cycles, macs)


def _traffic(_: "Described") -> Prices:
    return Prices(Fraction(1), Fraction(1), Fraction(0))


def _energy(described: "Described") -> Prices:
    """Return what bytes and actions take, the static energy of their cycles included."""
    table = described.energy
    assert table is not None
    own = Prices(table.load, table.write, table.compute, table.mac * described.layer.macs)
    return own.plus(table.static, _duration(described))


def _energy_unit(described: "Described") -> str:
    assert described.energy is not None
    return described.energy.unit


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective(DURATION, "cycles", lambda _: "cycles", _duration),
        Objective(TRAFFIC, "bytes moved", lambda _: "bytes", _traffic),
        Objective(PEAK, "most bytes on chip", lambda _: "bytes", None),
        Objective(ENERGY, "by the table [energy]", _energy_unit, _energy, table="energy"),
    )
}
"""Every objective by its name."""


def is_linear(name: str) -> bool:
    """Whether a name is that of a linear objective."""
    return name in OBJECTIVES and OBJECTIVES[name].prices is not None


def prices_of(name: str, described: "Described") -> Prices:
    """Return the prices at which a linear objective counts for an instance.

    Raises
    ------
    KeyError
        The objective is not linear.
    """
    prices = OBJECTIVES[name].prices
    if prices is None:
        raise KeyError(name)
    return prices(described)


def measured(described: "Described", counts: Counts) -> dict[str, Fraction]:
    """Return the value of every objective that is defined for an instance, for a valid plan."""
    return {
        name: objective.value(described, counts)
        for name, objective in OBJECTIVES.items()
        if objective.defined(described)
    }


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
    if not isinstance(text, str):
        raise InputError(f"--objective: must be a string, not {text!r}")
    names = tuple(name.strip() for name in text.split(","))
    wrong = next((name for name in names if name not in OBJECTIVES), None)
    again = next((name for name in names if names.count(name) > 1), None)
    allowed = f"must be one of {', '.join(OBJECTIVES)}, or several of them with commas between"
    if wrong is not None:
        raise InputError(f"--objective: {allowed}, not '{wrong}'{did_you_mean(wrong, OBJECTIVES)}")
    if again is not None:
        raise InputError(f"--objective: {allowed}, each once; '{again}' is repeated")
    return names


def require_defined(names: Sequence[str], described: "Described") -> None:
    """Refuse objectives for which an instance does not say all that they count by.

    Raises
    ------
    InputError
        Names the table that is missing.
    """
    for name in names:
        objective = OBJECTIVES[name]
        if not objective.defined(described):
            raise InputError(
                f"--objective: {name} needs the table [{objective.table}], which {described.name} "
                "does not have"
            )
