"""The search under rules that differ: the shipped search's plans, read by the rules in force.

Where the edit is no redefinition, what is proved under the shipped rules stays proved. So the
shipped search runs first. If the rules accept its plan, they cost nothing. Otherwise its plans of
other memories, orders and step sizes are read, and taken apart where they break a rule; then clingo
changes a few steps at a time. Layers that are small enough are searched completely.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from clingo import SymbolType
from clingo.ast import ASTType

from offloadasp.asp.kinds import Kind
from offloadasp.asp.overlay import Overlay, Reading, in_range
from offloadasp.asp.rules import Rules, require_sound
from offloadasp.asp.solving import Outcome, plan_of_model
from offloadasp.asp.statements import nodes
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.base.messages import plural
from offloadasp.limits.clock import Clock
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.claims import Levels
from offloadasp.search.edited.complete import CompleteSearch, named
from offloadasp.search.edited.impossible import impossible
from offloadasp.search.edited.repair import Repair
from offloadasp.search.edited.starts import starts
from offloadasp.search.edited.stretch import Stretch, stretches
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.lexicographic import Lexicographic
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.search import OverlapSearch
from offloadasp.search.overlap.split import serial_instance, serial_of
from offloadasp.search.pool import Listener, Offer, Status
from offloadasp.search.question import question_of
from offloadasp.search.size_limits import require_feasible
from offloadasp.search.source import Baseline, Obeying, Pipelined, Source, UnderRules

# Shares of the time for the shipped search: until the rules first see a plan, and, where they have
# nothing against it, of the rest.
_FIRST, _MORE = 0.12, 0.92
# The same where the rules minimise something else; and for plans of other orders, of the rest.
_FIRST_REPRICED, _OTHERS, _OTHERS_SMALL = 0.3, 0.5, 0.15
# Steps that a message names.
_NAMED = 4


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
class EditedSearch:
    """One search under rules that are not the shipped ones.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    best
        The plan that breaks least, and costs least of those.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...] = (DURATION,)
    tell: Listener = lambda _: None
    best: Obedient | None = field(default=None, init=False)
    shipped: Answer | None = field(default=None, init=False)
    excluded: str = field(default="", init=False)

    def run(self) -> Answer:
        """Search for the best strategy under the rules in force.

        Raises
        ------
        InfeasibleError
            No strategy obeys the rules, whatever its number of steps.
        NoStrategyError
            None was found within the limits; the message says what came closest.
        InputError
            A rule is wrong.
        """
        require_sound(self.rules, self.names)
        complete = CompleteSearch(self.instance, self.rules, self.effort, self.names, self.tell)
        if self.rules.kind == Kind.REDEFINITION:
            return complete.run()
        self._require_possible()
        self.overlay = Overlay(self.rules.edit, self.names, self._overlaps)
        self._begin()
        small = complete.in_reach
        if self._open and not self._loose:
            self._try_others(_OTHERS_SMALL if small else _OTHERS)
        if self._open and small:
            self._search_completely(complete)
        # Windows of steps are made for steps whose actions follow each other.
        if self._open and not self._loose and not complete.exhausted and not self._overlaps:
            self._repair()
        return self._answer(complete)

    @property
    def _overlaps(self) -> bool:
        return self.instance.accelerator.overlap != "none"

    def _require_possible(self) -> None:
        """Refuse what no strategy can do, by arguments that hold for any number of steps."""
        require_feasible(problem_of(self.instance, scope(self.instance)))
        culprit = impossible(self.instance, self.rules.edit)
        if culprit is not None:
            without = "under the shipped rules" if self.rules.edited_in_folder else "without them"
            raise InfeasibleError(
                f"infeasible under your {named(self.rules)}; feasible {without}: "
                f"{culprit.place} forbids what every strategy does"
            )

    # --- The shipped search ---

    def _begin(self) -> None:
        """Search under the shipped rules, for as long as the user's have nothing against it."""
        effort, clock = self.effort, self.effort.clock
        if effort.budget is not None:
            self._take(self._search(effort))
            return
        first = _FIRST_REPRICED if self.rules.kind.reprices else _FIRST
        try:
            self._take(self._search(effort.under(clock.part(first))))
        except NoStrategyError:
            self._take(self._search(effort))
        if self._open and self._loose and not clock.expired():
            self._take(self._search(effort.under(clock.part(_MORE))))

    def _search(self, effort: Effort) -> Answer:
        def tell(status: Status) -> None:
            self.tell(replace(status, stage=f"shipped rules: {status.stage}"))

        search = OverlapSearch if self._overlaps else Lexicographic
        return search(self.instance, self.rules.shipped, effort, self.names, tell).run()

    def _take(self, answer: Answer) -> None:
        """Read the plans of a shipped search; take them apart where they break rules."""
        if self.shipped is None or _values(answer) <= _values(self.shipped):
            self.shipped = answer
        offer = Offer(answer.plan, answer.source)
        reading = self._read(offer)
        if reading is None or reading.obeys:
            return
        self._take_apart(offer, reading)
        if not self._obeyed:
            for name, plan in answer.baselines.items():
                if self._read(Offer(plan, Baseline(name))) is None or self._late:
                    return

    @property
    def _loose(self) -> bool:
        """Whether the rules leave the shipped search's plan as good as it is."""
        if self.best is None or not self.best.reading.obeys or self.rules.kind.reprices:
            return False
        assert self.shipped is not None
        values = {claim.objective: claim.value for claim in self._claims(self.best)}
        return all(values.get(c.objective) == c.value for c in self.shipped.claims)

    @property
    def _open(self) -> bool:
        """Whether there may be something better."""
        if self.best is None or not self.best.reading.obeys:
            return True
        return not all(claim.proved for claim in self._claims(self.best))

    # --- Plans read by the rules ---

    def _take_apart(self, offer: Offer, reading: Reading) -> None:
        """Read what a plan becomes when its steps are taken apart, as long as that helps."""
        if self._overlaps:
            return  # what a step loads is of use only to later ones
        where = self._where(reading)
        ways = list(stretches(self._numbers, offer.plan))
        # If nothing is gained where everything is apart, less of it gains nothing either.
        apart = self._read(replace(offer, plan=ways[-1].of(offer.plan, where)), ways[-1])
        if apart is None or apart.order()[0] >= reading.order()[0]:
            return
        for way in ways:
            if self._late:
                return
            found = self._read(replace(offer, plan=way.of(offer.plan, where)), way)
            if found is not None and found.obeys:
                return

    @property
    def _late(self) -> bool:
        """Whether to read no more plans now."""
        clock = self.effort.clock
        return clock.halted or (clock.expired() and self._obeyed)

    @property
    def _obeyed(self) -> bool:
        return self.best is not None and self.best.reading.obeys

    def _read(self, offer: Offer, change: Stretch | str = "") -> Reading | None:
        if not in_range(offer.plan, self.names):
            raise NoStrategyError(
                f"{self.instance.name}: too large to solve under the {named(self.rules)}: what a "
                "strategy costs leaves clingo's 32-bit integers"
            )
        reading = self.overlay.read(offer.plan, self.effort.clock, self.effort.seed)
        if reading is None:
            return None
        if self.best is None or reading.order() < self.best.reading.order():
            said = change if isinstance(change, str) else "steps taken apart"
            self.best = Obedient(offer.plan, offer.source, reading, said)
            self._report()
        return reading

    def _report(self) -> None:
        assert self.best is not None
        broken = sum(one.count for one in self.best.reading.broken)
        if broken:
            self.tell(Status(None, Fraction(0), f"your rules are broken {plural(broken, 'time')}"))
            return
        first = self._claims(self.best)[0]
        self.tell(Status(first.value, first.lower_bound, "under your rules"))

    @staticmethod
    def _where(reading: Reading) -> frozenset[int] | None:
        """Return the steps in which rules are broken; None if some rule names none."""
        if any(not one.steps for one in reading.broken):
            return None
        return frozenset(step for one in reading.broken for step in one.steps)

    @property
    def _numbers(self) -> set[int]:
        """The numbers that the user's rules name: perhaps they limit what a step may do."""
        found = set()
        for one in self.overlay.statements:
            for term in nodes(one.node, ASTType.SymbolicTerm):
                if term.symbol.type == SymbolType.Number:
                    found.add(abs(term.symbol.number))
        return found

    # --- Beyond the shipped search's best plan ---

    def _try_others(self, share: float) -> None:
        """Read plans of other memories, orders and step sizes, for a share of the time."""
        part = self.effort.clock.part(share)
        for offer in self._starts():
            if part.expired() or not self._open:
                return
            known = None if self.best is None else self.best.reading.order()[0]
            reading = self._read(offer)
            if reading is not None and known and 0 < reading.order()[0] < known:
                self._take_apart(offer, reading)

    def _repair(self) -> None:
        """Let clingo change windows of steps of the best plan."""
        best, budget = self.best, self.effort.budget
        if best is None:
            return
        self._report()
        repair = Repair(
            self.overlay,
            best.plan,
            best.reading,
            self._read_changed,
            self.effort.clock,
            self.effort.seed,
        )
        repair.run(None if budget is None else 2 * budget, lambda: not self._open)

    def _read_changed(self, plan: Plan) -> Reading | None:
        assert self.best is not None
        return self._read(Offer(plan, self.best.source), "windows of steps changed by clingo")

    def _starts(self) -> Iterator[Offer]:
        assert self.shipped is not None
        clock, name = self.effort.clock, self.names[0]
        if self.effort.budget is not None:
            clock = Clock(clock.seconds, self.effort.budget, clock.stop, clock.full)
        serial = serial_instance(self.instance)
        prices = prices_of(name if name in ("duration", "traffic", "energy") else DURATION, serial)
        memory = self.instance.accelerator.memory
        question = question_of(serial, self.rules.shipped, prices, memory)
        room = self.rules.edit.more_room
        found = starts(question, serial_of(self.shipped.plan.problem), clock, less_memory=room)
        return map(self._beside, found) if self._overlaps else found

    def _beside(self, offer: Offer) -> Offer:
        """Return a serial plan with its transfers beside its compute actions."""
        problem = problem_of(self.instance, offer.plan.problem.decomposition)
        return Offer(pipelined(offer.plan, problem), Pipelined(offer.source))

    def _search_completely(self, complete: CompleteSearch) -> None:
        """Search a small layer up to ever more steps."""

        def enough(outcome: Outcome) -> bool:
            costs = dict(zip(outcome.priorities, outcome.costs or (), strict=True))
            assert complete.problem is not None
            return all(claim.proved for claim in self._levels().claims(complete.problem, costs))

        def needed(outcome: Outcome) -> int | None:
            costs = dict(zip(outcome.priorities, outcome.costs or (), strict=True))
            assert complete.problem is not None
            return self._levels().horizon(complete.problem, costs)

        outcome = complete.search(enough=enough, needed=needed)
        if outcome is None or outcome.symbols is None or outcome.costs is None:
            self.excluded = complete.excluded if complete.excluded_steps else ""
            return
        assert complete.problem is not None
        # Where nothing is minimised, clingo still reports one cost, at no priority of ours.
        reading = Reading((), dict(zip(outcome.priorities, outcome.costs, strict=True)))
        if complete.proved or self.best is None or reading.order() < self.best.reading.order():
            plan = plan_of_model(complete.problem, outcome.symbols)
            source = UnderRules(named(self.rules), complete.exhausted)
            self.best = Obedient(plan, source, reading)

    # --- The answer ---

    def _levels(self) -> Levels:
        assert self.shipped is not None
        return Levels(self.instance, self.rules, self.names, self.shipped.proofs)

    def _claims(self, found: Obedient) -> tuple[Claim, ...]:
        return self._levels().claims(found.plan.problem, found.reading.costs)

    def _answer(self, complete: CompleteSearch) -> Answer:
        best, shipped = self.best, self.shipped
        if best is None or shipped is None or not best.reading.obeys:
            raise NoStrategyError(f"{self.instance.name}: {self._closest(best)}")
        levels = self._levels()
        claims = levels.claims(best.plan.problem, best.reading.costs, complete.least)
        if complete.proved:
            claims = levels.proved(claims, complete.excluded_steps)
        source = best.source
        if not isinstance(source, UnderRules):
            source = Obeying(source, named(self.rules), best.change)
        horizon = ""
        if complete.least and levels.paid(best.reading.costs):
            horizon = f"strategies of at most {plural(complete.steps, 'step')} under the "
            horizon += named(self.rules)
        elif complete.proved:
            horizon = f"this decomposition, under the {named(self.rules)}"
        return Answer(
            plan=best.plan,
            source=source,
            claims=claims,
            duration_bound=levels.shortest(best.plan, claims[0]),
            baselines={"shipped": shipped.plan},
            scope=horizon,
            proofs=shipped.proofs,
        )

    def _closest(self, best: Obedient | None) -> str:
        """Say what was excluded, and what the plan that came closest breaks."""
        said = self.excluded
        said = said or f"no strategy was found under the {named(self.rules)} within the limits"
        if best is None:
            return said
        parts = []
        for one in best.reading.broken:
            named_steps = [str(step) for step in one.steps[:_NAMED]]
            if len(one.steps) > _NAMED:
                named_steps.append(f"{len(one.steps) - _NAMED} more")
            words = " and ".join(filter(None, [", ".join(named_steps[:-1]), *named_steps[-1:]]))
            steps = "step" if len(named_steps) == 1 else "steps"
            parts.append(f"{one.place} in {steps} {words}" if words else f"{one.place}")
        return f"{said}; the one that came closest breaks {', and '.join(parts)}"


def _values(answer: Answer) -> list[Fraction]:
    return [claim.value for claim in answer.claims]
