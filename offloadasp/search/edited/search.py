"""The search under rules that differ: the shipped search's plans, read by the rules in force.

Where the edit is no redefinition, what is proved under the shipped rules stays proved. So the
shipped search runs first. If the rules accept its plan, they cost nothing. Otherwise its plans of
other memories, orders and step sizes are read, and taken apart where they break a rule; then clingo
changes a few steps at a time. Layers that are small enough are searched completely.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from offloadasp.asp.edit_kinds import Kind
from offloadasp.asp.grounding import require_sound
from offloadasp.asp.overlay import Broken, Overlay, Reading
from offloadasp.asp.rules import Rules
from offloadasp.asp.solving import Outcome, plan_of_model
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.base.messages import in_steps, plural
from offloadasp.limits.clock import Clock
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import problem_of
from offloadasp.search.answer import Answer
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.at_once import at_once
from offloadasp.search.edited.claims import Levels
from offloadasp.search.edited.coarser import READABLE, coarser, in_tiles
from offloadasp.search.edited.complete import CompleteSearch, named
from offloadasp.search.edited.impossible import impossible
from offloadasp.search.edited.reader import Obedient, Reader
from offloadasp.search.edited.redefined import RedefinedSearch
from offloadasp.search.edited.repair import Repair
from offloadasp.search.edited.starts import starts
from offloadasp.search.edited.unaffordable import unaffordable
from offloadasp.search.effort import Effort
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.split import serial_instance, serial_of
from offloadasp.search.pool import Listener, Offer, Status
from offloadasp.search.question import question_of
from offloadasp.search.shipped import before_the_users, shipped_answer
from offloadasp.search.size_limits import require_feasible
from offloadasp.search.source import Baseline, Obeying, Pipelined, UnderRules

# Shares of the time for the shipped search: until the rules first see a plan, and, where they have
# nothing against it, of the rest.
_FIRST, _MORE = 0.12, 0.92
# For a plan with a coarser tile; for the first where the rules minimise something else; and for
# plans of other orders, of the rest.
_COARSE, _FIRST_REPRICED, _OTHERS, _OTHERS_SMALL = 0.15, 0.3, 0.5, 0.15


@dataclass
class EditedSearch:
    """One search under rules that are not the shipped ones.

    Attributes
    ----------
    names
        Objectives, distinct, the one that matters most first.
    reader
        Knows the plan that breaks least.
    shipped, shipped_breaks
        The answer of the shipped search, and what its plan breaks.
    coarse
        The instance with a coarser tile, where the rules could not be read at single positions.
    excluded
        What a complete search showed that there is not.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...] = (DURATION,)
    tell: Listener = lambda _: None
    shipped: Answer | None = field(default=None, init=False)
    shipped_breaks: tuple[Broken, ...] = field(default=(), init=False)
    coarse: Instance | None = field(default=None, init=False)
    levels: Levels | None = field(default=None, init=False)
    excluded: str = field(default="", init=False)
    reader: Reader = field(init=False)

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
            return RedefinedSearch(complete).run()
        self._require_possible()
        overlay = Overlay(self.rules.edit, self.names, self._overlaps)
        self.reader = Reader(named(self.rules), overlay, self.effort, self._report)
        self._begin()
        self._require_affordable()
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
        return self.instance.accelerator.overlaps

    def _require_possible(self) -> None:
        """Refuse what no strategy can do, by arguments that hold for any number of steps."""
        require_feasible(problem_of(self.instance, scope(self.instance)))
        culprits = impossible(self.instance, self.rules.edit)
        if len(culprits) == 1:
            raise self._infeasible(f"{culprits[0].place} forbids what every strategy does")
        if culprits:
            together = " and ".join(one.place for one in culprits)
            raise self._infeasible(f"{together} forbid together what every strategy does")
        # With overlap, what a compute action needs was loaded in an earlier step.
        crowd = None if self._overlaps else at_once(self.instance, self.rules.edit)
        if crowd is not None:
            places = [one.place for one in crowd.statements]
            raise self._infeasible(
                f"{' and '.join(places)} {'asks' if len(places) == 1 else 'ask'} for more bytes on "
                f"chip in the {crowd.which} compute action than the memory holds"
            )

    def _require_affordable(self) -> None:
        """Refuse limits below what is proved of every strategy, where no plan obeys them."""
        if self.best is not None and self.best.reading.obeys:
            return
        levels = self._levels()
        found = unaffordable(self.instance, self.rules.edit, lambda: levels.shipped_certificate)
        if found is not None:
            raise self._infeasible(
                f"{found.statement.place} allows {found.most} at most, and no strategy takes less "
                f"than {math.ceil(found.least)}"
            )

    def _infeasible(self, why: str) -> InfeasibleError:
        without = "under the shipped rules" if self.rules.edited_in_folder else "without them"
        return InfeasibleError(
            f"infeasible under your {named(self.rules)}; feasible {without}: {why}"
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

    def _search(self, effort: Effort, instance: Instance | None = None) -> Answer:
        tell = before_the_users(self.tell)
        return shipped_answer(instance or self.instance, self.rules, effort, self.names, tell)

    def _readable(self, answer: Answer) -> Answer:
        """Return an answer whose plan the rules can read, with a coarser tile if need be."""
        size = self.reader.overlay.size
        atoms = size(answer.plan)
        if atoms <= READABLE:
            return answer
        effort = self.effort
        known = coarser(self.instance, answer.plan, atoms)
        for instance in known if self.coarse is None else (self.coarse,):
            part = effort if effort.budget is not None else effort.under(effort.clock.part(_COARSE))
            try:
                found = self._search(part, instance)
            except (InfeasibleError, NoStrategyError):
                continue
            if size(found.plan) <= READABLE:
                self.coarse = instance
                return found
        return answer

    def _take(self, answer: Answer) -> None:
        """Read the plans of a shipped search; take them apart where they break rules."""
        best = self.shipped is None or _values(answer) <= _values(self.shipped)
        if best:
            self.shipped = answer
        answer = self._readable(answer)
        offer = Offer(answer.plan, answer.source)
        reader = self.reader
        reading = reader.read(offer)
        if best:
            self.shipped_breaks = () if reading is None else reading.broken
        if reading is None or reading.obeys:
            return
        if not reader.obeyed:
            for name, plan in answer.baselines.items():
                if reader.read(Offer(plan, Baseline(name))) is None or reader.late:
                    break
        reader.take_apart(offer, reading)
        reader.reorder(offer, lambda: self._loose or not self._open)

    @property
    def best(self) -> Obedient | None:
        """The plan that breaks least, and costs least of those."""
        return self.reader.best

    @property
    def _loose(self) -> bool:
        """Whether the rules leave the shipped search's plan as good as it is."""
        if self.best is None or not self.best.reading.obeys or self.rules.kind.reprices:
            return False
        assert self.shipped is not None
        values = {claim.objective: claim.value for claim in self._claims(self.best)}
        return all(
            c.objective in values and values[c.objective] <= c.value for c in self.shipped.claims
        )

    @property
    def _open(self) -> bool:
        """Whether there may be something better."""
        if self.best is None or not self.best.reading.obeys:
            return True
        return not all(claim.proved for claim in self._claims(self.best))

    def _report(self) -> None:
        assert self.best is not None
        broken = sum(one.count for one in self.best.reading.broken)
        if broken:
            self.tell(Status(None, Fraction(0), f"your rules are broken {plural(broken, 'time')}"))
            return
        first = self._claims(self.best)[0]
        self.tell(Status(first.value, first.lower_bound, "under your rules"))

    # --- Beyond the shipped search's best plan ---

    def _try_others(self, share: float) -> None:
        """Read plans of other memories, orders and step sizes, for a share of the time."""
        part = self.effort.clock.part(share)
        for offer in self._starts():
            if part.expired() or not self._open:
                return
            self.reader.follow(offer)

    def _repair(self) -> None:
        """Let clingo change windows of steps of the best plan."""
        best, budget = self.best, self.effort.budget
        if best is None:
            return
        self._report()
        repair = Repair(
            self.reader.overlay,
            best.plan,
            best.reading,
            self._read_changed,
            self.effort.clock,
            self.effort.seed,
        )
        repair.run(None if budget is None else 2 * budget, lambda: not self._open)

    def _read_changed(self, plan: Plan) -> Reading | None:
        assert self.best is not None
        return self.reader.read(Offer(plan, self.best.source), "windows of steps changed by clingo")

    def _starts(self) -> Iterator[Offer]:
        assert self.shipped is not None
        clock, name = self.effort.clock, self.names[0]
        if self.effort.budget is not None:
            clock = Clock(clock.seconds, self.effort.budget, clock.stop, clock.full)
        serial = serial_instance(self.coarse or self.instance)
        prices = prices_of(name if name in ("duration", "traffic", "energy") else DURATION, serial)
        memory = self.instance.accelerator.memory
        question = question_of(serial, self.rules.shipped, prices, memory)
        room = self.rules.edit.more_room
        best = self.best.plan.problem if self.best else self.shipped.plan.problem
        found = starts(question, serial_of(best), clock, less_memory=room)
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
            self.reader.keep(Obedient(plan, source, reading))

    # --- The answer ---

    def _levels(self) -> Levels:
        assert self.shipped is not None
        if self.levels is None or self.levels.proofs is not self.shipped.proofs:
            self.levels = Levels(self.instance, self.rules, self.names, self.shipped.proofs)
        return self.levels

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
            changed = best.change + in_tiles(self.coarse)
            source = Obeying(source, named(self.rules), changed.removeprefix(", "))
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
            shipped_breaks=self.shipped_breaks,
        )

    def _closest(self, best: Obedient | None) -> str:
        """Say what was excluded, and what the plan that came closest breaks."""
        said = self.excluded
        said = said or f"no strategy was found under the {named(self.rules)} within the limits"
        if best is None:
            return said
        parts = [in_steps(one.place, one.steps) for one in best.reading.broken]
        return f"{said}; the one that came closest breaks {', and '.join(parts)}"


def _values(answer: Answer) -> list[Fraction]:
    return [claim.value for claim in answer.claims]
