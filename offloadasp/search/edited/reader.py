"""Plans read by the rules in force: which one breaks least so far, and what helps where it does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from clingo import SymbolType
from clingo.ast import ASTType

from offloadasp.asp.facts import in_range
from offloadasp.asp.grounding import SMALLER
from offloadasp.asp.overlay import Overlay, Reading, late
from offloadasp.asp.statements import nodes
from offloadasp.base.errors import NoStrategyError
from offloadasp.model.plan import Plan, without_reloads
from offloadasp.search.edited.reorder import reordered
from offloadasp.search.edited.stretch import Stretch, stretches
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Offer
from offloadasp.search.source import Source

# How often the steps of a plan are taken apart where it still breaks rules.
_ROUNDS = 4
# Atoms of a reading at most, of about 150 bytes each; plans of so few steps are read anyway.
_MOST_ATOMS, _FEW_STEPS = 25_000_000, 1_000


@dataclass(frozen=True)
class Obedient:
    """A plan and what the rules in force say of it.

    Attributes
    ----------
    change
        What was changed so that it obeys, in a reader's words.
    """

    plan: Plan
    source: Source
    reading: Reading
    change: str = ""


@dataclass
class Reader:
    """Reads plans by the rules in force.

    Attributes
    ----------
    named
        The rules in a reader's words.
    overlay
        The rules, for the objectives that it names.
    effort
        Its ``seconds`` note when the first plan was found that obeys.
    on_better
        Told when there is a better plan.
    best
        The plan that breaks least, and costs least of those.
    """

    named: str
    overlay: Overlay
    effort: Effort
    on_better: Callable[[], None]
    best: Obedient | None = field(default=None, init=False)

    @property
    def obeyed(self) -> bool:
        """Whether some plan obeys the rules."""
        return self.best is not None and self.best.reading.obeys

    @property
    def late(self) -> bool:
        """Whether to read no more plans now; without a plan that obeys, some time is added."""
        clock = self.effort.clock
        return clock.halted or (clock.expired() and (self.obeyed or late(clock)))

    def read(self, offer: Offer, change: str = "") -> Reading | None:
        """Read a plan and keep it if it is better.

        None if the rules have no stable model for it, or if it is too large where others are not.

        Parameters
        ----------
        change
            What was changed in the plan of the source, in a reader's words.

        Raises
        ------
        NoStrategyError
            What the plan costs leaves clingo's integers, or its atoms would not fit into 4 GB.
        InputError
            A rule is wrong.
        """
        offer = replace(offer, plan=without_reloads(offer.plan))
        if not in_range(offer.plan, self.overlay.names):
            raise NoStrategyError(
                f"{offer.plan.problem.instance.name}: too large to solve under the {self.named}: "
                "what a strategy costs leaves clingo's 32-bit integers"
            )
        atoms = self.overlay.size(offer.plan) if offer.plan.steps > _FEW_STEPS else 0
        if atoms > _MOST_ATOMS and self.best is not None:
            return None
        if atoms > _MOST_ATOMS:
            raise NoStrategyError(
                f"{offer.plan.problem.instance.name}: too large to solve under the {self.named}: "
                f"what they ask about holds {atoms:,} times in a plan of {offer.plan.steps} steps; "
                f"{SMALLER}"
            )
        reading = self.overlay.read(offer.plan, self.effort.clock, self.effort.seed)
        if reading is not None and self._better(offer.plan, reading):
            self.keep(Obedient(offer.plan, offer.source, reading, change))
            self.on_better()
        return reading

    def keep(self, found: Obedient) -> None:
        """Take a plan as the best one."""
        self.best = found
        if found.reading.obeys:
            self.effort.seconds.setdefault("obeyed", self.effort.clock.elapsed)

    def _better(self, plan: Plan, reading: Reading) -> bool:
        """Whether a plan breaks or costs less than the best one, or the same in fewer steps."""
        if self.best is None:
            return True
        known = self.best.reading.order()
        fewer = plan.steps < self.best.plan.steps
        return reading.order() < known or (reading.order() == known and fewer)

    # --- Changes that help ---

    def follow(self, offer: Offer, change: str = "") -> None:
        """Read a plan, and take it apart where it breaks something, but less than the best one."""
        known = None if self.best is None else self.best.reading.order()[0]
        reading = self.read(offer, change)
        if reading is not None and known and 0 < reading.order()[0] < known:
            self.take_apart(offer, reading)

    def take_apart(self, offer: Offer, reading: Reading) -> None:
        """Read what a plan becomes when its steps are taken apart, as long as that helps."""
        for _ in range(_ROUNDS):
            found = self._taken_apart(offer, reading)
            if found is None or found[1].obeys or self.effort.clock.expired():
                return
            offer, reading = replace(offer, plan=found[0]), found[1]

    def _taken_apart(self, offer: Offer, reading: Reading) -> tuple[Plan, Reading] | None:
        """Take the steps apart in which rules are broken; None where that does not help.

        Where that is not enough, those before and after them as well: a rule may speak of both.
        """
        ways = list(stretches(self._numbers, offer.plan))
        best: tuple[Plan, Reading] | None = None
        for where in dict.fromkeys((_where(reading, 0), _where(reading, 1))):
            # If nothing is gained where everything is apart, less of it gains nothing either.
            for way in (ways[-1], *ways[:-1]):
                if self.late:
                    return best
                found = self._apart(offer, way, where)
                known = reading if best is None else best[1]
                if found is not None and found[1].order()[0] < known.order()[0]:
                    best = found
                gentle = way != ways[-1]
                if best is None or (found is not None and found[1].obeys and gentle):
                    break
            if best is not None and best[1].obeys:
                return best
        return best

    def _apart(
        self, offer: Offer, way: Stretch, where: frozenset[int] | None
    ) -> tuple[Plan, Reading] | None:
        plan = way.of(offer.plan, where)
        reading = self.read(replace(offer, plan=plan), "steps taken apart")
        return None if reading is None else (plan, reading)

    @property
    def _numbers(self) -> set[int]:
        """The numbers that the user's rules name: perhaps they limit what a step may do."""
        found = set()
        for one in self.overlay.statements:
            for term in nodes(one.node, ASTType.SymbolicTerm):
                if term.symbol.type == SymbolType.Number:
                    found.add(abs(term.symbol.number))
        return found

    def reorder(self, offer: Offer, enough: Callable[[], bool]) -> None:
        """Read what a plan becomes when its operations are computed in other orders.

        Parameters
        ----------
        enough
            Whether to stop, since nothing is left to gain.
        """
        if self.overlay.overlaps:
            return
        for plan in reordered(offer.plan):
            if self.effort.clock.expired() or enough():
                return
            self.follow(replace(offer, plan=plan), "operations computed in another order")


def _where(reading: Reading, near: int) -> frozenset[int] | None:
    """Return the steps in which rules are broken, and so many around each.

    None if some rule names none.
    """
    if any(not one.steps for one in reading.broken):
        return None
    broken = {step for one in reading.broken for step in one.steps}
    return frozenset(step + k for step in broken for k in range(-near, near + 1))
