"""The search where transfers go on beside the compute action.

First come plans that are made for it: passes through a layer that the memory has room for, and
channels that stream, which feeds compute actions from the start. Then serial plans are made at
several capacities and prices: a plan for less memory leaves room to load early, and what is cheap
beside long compute actions is not what is cheap before them. All of these are pipelined, and their
overlapped durations decide. On small layers a complete search under the rules follows. Bounds are
those that are proved for the semantics; no serial bound is used.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, product

from offloadasp.asp.rules import Rules
from offloadasp.asp.verifying import Verification
from offloadasp.base.errors import NoStrategyError
from offloadasp.bounds import least_memory, lower_bound
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.objectives import DURATION, Prices, prices_of
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, problem_of, undivided
from offloadasp.model.semantics import DUPLEX, semantics_of
from offloadasp.search.answer import Answer
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.linear import Proven
from offloadasp.search.overlap.best_first import BestFirst
from offloadasp.search.overlap.best_first import in_reach as tiny
from offloadasp.search.overlap.complete import Complete, in_reach
from offloadasp.search.overlap.passes import (
    MOST_OPERATIONS,
    can_pass,
    has_room,
    passes,
    passing,
    size,
)
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.quickest import quickest
from offloadasp.search.overlap.refine import Cut, refined, with_small_ends
from offloadasp.search.overlap.split import serial_instance
from offloadasp.search.overlap.streaming import streamed
from offloadasp.search.overlap.streams import Stream, streams, variations
from offloadasp.search.pool import Listener, Pool, Status
from offloadasp.search.question import Question, question_of
from offloadasp.search.run import search
from offloadasp.search.size_limits import most_tried
from offloadasp.search.source import Passed, Pipelined, Refuted, Source, Streamed

PIPELINED = "pipelined"
"""The name of a baseline: the best serial plan, pipelined as it is."""

# Shares of the memory for which serial plans are made, and weights of transfers against compute
# actions; the first ones first, since time may run out.
_TRIED = (
    (Fraction(1, 4), Fraction(1)),
    (Fraction(1), Fraction(1)),
    (Fraction(1, 3), Fraction(1)),
    (Fraction(1, 2), Fraction(1)),
    (Fraction(1, 8), Fraction(1)),
    (Fraction(4, 5), Fraction(1)),
    (Fraction(1, 2), Fraction(1, 8)),
)
# Operations at positions of a plan that is pipelined in a moment.
_QUICK = 5000
# Parts of kernel groups, and of the first and the last compute action, that are tried.
_PARTS = (4, 16, 64)
_ENDS = (2, 3, 4, 6)
# Kernel groups that a plan has at least before its ends are cut, if that can be.
_FEW = 8
# Streams of different blocks that are tried, and all streams; passes that are looked at, and those
# of them that are pipelined.
_SHAPES, _STREAMS, _PASSES, _PIPELINED = 3, 40, 200, 8
# Equal compute actions that share a pass, and the share of one that the first of them does: as few
# as can be with a small first one, or more of them.
_FIRSTS = [Fraction(share, 20) for share in (20, 10, 5, 14, 3, 7, 2, 17, 4, 12)]
_EVENLY = [(1, first) for first in _FIRSTS] + [
    (actions, first) for actions in (8, 12, 16, 24, 32, 48) for first in _FIRSTS[:2]
]
# Until which shares of the time the first and the second kind of plans for overlap are made.
_MADE = (0.4, 0.65)
# Of the time, what serial searches may use, where a complete search follows and where none does; of
# what is left of that, each of them.
_SERIAL_FIRST, _SERIAL, _SHARE = 0.3, 0.85, 0.4
# States that the complete search of tiny layers goes through: in all, and for each unit of a
# budget; of the time that is left, what it may use.
_STATES, _STATES_EACH, _GOING_THROUGH = 200_000, 200, 0.6


@dataclass
class OverlapSearch:
    """A search for the shortest overlapped strategy.

    Attributes
    ----------
    names
        Objectives: the duration alone.
    best, start
        The best plan, and the serial one that it was made of.
    until
        The share of the time until which plans for overlap are made now.
    plain
        Serial plans that baselines are made of, by the name of the baseline.
    """

    instance: Instance
    rules: Rules
    effort: Effort
    names: tuple[str, ...] = (DURATION,)
    tell: Listener = lambda _: None
    best: tuple[Plan, Source] | None = field(default=None, init=False)
    start: tuple[Plan, Source] | None = field(default=None, init=False)
    until: float = field(default=1.0, init=False)
    plain: list[tuple[str, Plan]] = field(default_factory=list, init=False)

    def run(self) -> Answer:
        """Search within the limits.

        Raises
        ------
        InfeasibleError
            No strategy exists.
        NoStrategyError
            None was found within the limits.
        """
        assert self.names == (DURATION,)
        started = time.monotonic()
        question = self._question()
        whole = question.whole
        bound = lower_bound(whole)
        # Passes know nothing of a lane that loads and writes, nor of partial sums without room.
        made = (self._pass, self._stream)
        roomy = self._undivided.all_bytes <= self._undivided.capacity
        in_turn = made if roomy and whole.semantics == DUPLEX else made[::-1]
        for make, self.until in zip(in_turn, _MADE, strict=True):
            make(bound.value)
        for pool in self._serial(whole):
            self._take(pool)
            self._report(bound.value, "serial plans, pipelined")
            if self._cost <= bound.value or self.effort.clock.halted:
                break
        if self._cost > bound.value:
            self._shorten_ends()
        proved, certificate = bound.value, bound.certificate
        if self._cost > proved:
            proved, certificate = self._go_through(question, proved, certificate)
        if self._cost > proved:
            assert self.best is not None
            few = self.best[0].steps + 1
            complete = Complete(self.rules, whole, self.effort, self._cost, few, self.tell)
            found = complete.run()
            if found is not None:
                self.best = found
            if complete.exhausted and question.contains_all:
                proved, certificate = self._cost, {**certificate, **complete.certificate}
        self.effort.seconds["solve"] += time.monotonic() - started
        return self._answer(proved, certificate)

    def _go_through(
        self, question: Question, proved: Fraction, certificate: dict[str, object]
    ) -> tuple[Fraction, dict[str, object]]:
        """Go through all states of a tiny layer; return the bound, and what proves it."""
        whole, clock, budget = question.whole, self.effort.clock, self.effort.budget
        if not tiny(whole):
            return proved, certificate
        timed = clock.timed and clock.seconds != float("inf")
        most = _STATES if budget is None else min(_STATES, _STATES_EACH * budget)
        part = clock.part(_GOING_THROUGH) if timed else clock
        search_ = BestFirst(whole, self._cost, part, most)
        found = search_.run()
        if found is not None:
            self.best = found, Refuted()
            self._report(proved, "complete search")
        if search_.bound <= proved or not question.contains_all:
            return proved, certificate
        at_least = exact_number(search_.bound)
        return search_.bound, {**certificate, "complete_search": {"at_least": at_least}}

    @property
    def _free(self) -> bool:
        """Whether plans may have any groups, at single output positions."""
        instance = self.instance
        groups = instance.fixed_kernel_groups, instance.fixed_channel_groups
        return groups == (None, None) and instance.choice.tile in ("auto", (1, 1))

    def _question(self) -> Question:
        prices, memory = prices_of(DURATION, self.instance), self.instance.accelerator.memory
        question = question_of(self.instance, self.rules, prices, memory)
        return question.within(question.whole.memory)

    def _serial(self, whole: Problem) -> Iterator[Pool]:
        """Search for serial plans at several capacities and prices."""
        serial = serial_instance(self.instance)
        own = replace(prices_of(DURATION, serial), fixed=Fraction(0))
        least, clock = least_memory(whole).value, self.effort.clock
        most = _SERIAL_FIRST if in_reach(whole) else _SERIAL
        tried = set()
        for number, (share, weight) in enumerate(_TRIED):
            capacity = max(least, int(whole.memory * share))
            prices = Prices(own.load * weight, own.write * weight, own.compute)
            if (capacity, prices) in tried:
                continue
            tried.add((capacity, prices))
            part = self.effort
            if clock.timed and clock.seconds != float("inf"):
                # The first search finds most; what it leaves is for the others.
                left = max(0.0, clock.searching * most - clock.elapsed)
                part = part.under(clock.part(_SHARE * left / max(clock.remaining, left, 1e-9)))
            try:
                yield search(question_of(serial, self.rules, prices, capacity), part)
            except NoStrategyError:
                if self.best is None and number == len(_TRIED) - 1:
                    raise
            over = clock.expired() or clock.elapsed >= clock.searching * most
            if over and self.best is not None:
                return

    def _stream(self, bound: Fraction) -> None:
        """Stream the channels of the layer, in the ways that look best and then in similar ones."""
        problem = self._undivided
        if not self._free or problem.layer.group > 1:
            return
        best: tuple[Fraction, Stream] | None = None
        waiting = streams(problem_of(self.instance, problem.decomposition), _SHAPES)
        tried: set[Stream] = set()
        while waiting and len(tried) < self._at_most(_STREAMS):
            stream = waiting.pop(0)
            tried.add(stream)
            plan = streamed(problem, stream)
            if plan is not None and self._verifiable(plan):
                cost = self._pipeline(plan, plan, Streamed(stream))
                if best is None or cost < best[0]:
                    best = cost, stream
                    self._report(bound, "channels streamed")
            if not waiting and best is not None:
                waiting = [one for one in variations(problem, best[1]) if one not in tried]
            if self._late or (best is not None and best[0] <= bound):
                return

    def _pass(self, bound: Fraction) -> None:
        """Go through kernels or positions of a layer that the memory has room for."""
        problem = self._undivided
        if not self._free or not can_pass(problem.layer):
            return
        semantics = semantics_of(self.instance.accelerator.overlap)
        offers = quickest(problem, semantics, self._at_most(_PASSES), lambda: self._over)
        for offer in offers[: self._at_most(_PIPELINED)]:
            plan = offer.plan()
            if plan is not None and self._verifiable(plan):
                self._pipeline(plan, plan, Passed(offer.way))
                self._report(bound, "kernels or positions in turn")
            if self._late:
                return
        self._pass_evenly(bound)

    def _pass_evenly(self, bound: Fraction) -> None:
        """Go through kernels or positions in turn, in equal compute actions.

        They feed a lane that loads and writes evenly, which the estimates do not see.
        """
        problem = self._undivided
        ways = [
            way
            for way in passes(problem.layer)
            if way.head == 0 and has_room(problem, way) and size(problem, way) <= MOST_OPERATIONS
        ]
        for even, way in islice(product(_EVENLY, ways), self._at_most(_PASSES)):
            if self._late or (self.best is not None and self._cost <= bound):
                return
            order = passing(problem, way)
            plan = order.plan(order.evenly(*even)) if order.fits else None
            if plan is not None and self._verifiable(plan):
                self._pipeline(plan, plan, Passed(way))

    @property
    def _undivided(self) -> Problem:
        """The serial problem in one kernel group and one channel group."""
        serial = serial_instance(self.instance)
        return problem_of(serial, undivided(serial.layer))

    def _at_most(self, number: int) -> int:
        """Return how many plans of some number are tried within the budget."""
        budget = self.effort.budget
        return number if budget is None else min(budget, number)

    @property
    def _late(self) -> bool:
        """Whether the time for plans made for overlap is over; with none found it goes on."""
        return self.effort.clock.expired() or (self.best is not None and self._over)

    @property
    def _over(self) -> bool:
        clock = self.effort.clock
        return clock.elapsed >= clock.searching * self.until

    def _verifiable(self, plan: Plan) -> bool:
        """Whether the clock leaves time to verify a plan."""
        seconds = Verification.of(plan.problem).to_verify(*plan.compute.T[:4])
        return seconds <= self.effort.clock.most_kept

    def _take(self, pool: Pool) -> None:
        """Pipeline the best serial plan of a search, and the plain orders that it came across."""
        for count, serial in enumerate(self._variants(pool.found.plan)):
            better = self._offer(serial, serial, pool.found.source)
            if self.effort.clock.expired() or (count > 1 and not better):
                break
        whole = pool.question.whole
        if whole.capacity >= whole.memory:
            # What a serial search finds with all of the memory, or with less if time runs out.
            self.plain = [entry for entry in self.plain if entry[0] != PIPELINED]
        if all(name != PIPELINED for name, _ in self.plain):
            self.plain.insert(0, (PIPELINED, pool.found.plan))
        self.plain += pool.baselines.items()

    def _baselines(self) -> dict[str, Plan]:
        """Return the baselines, pipelined; those that take long only as far as time is left."""
        found: dict[str, Plan] = {}
        for name, plan in self.plain:
            late = self.effort.clock.expired() and len(plan.compute) > _QUICK
            if late and (name in found or name != PIPELINED):
                continue
            made = pipelined(plan, self._problem(plan))
            if name not in found or made.cost < found[name].cost:
                found[name] = made
        return found

    def _variants(self, plan: Plan) -> Iterator[Plan]:
        """Yield a serial plan, and finer ones that do the same, as far as these can be checked."""
        yield plan
        for parts in _PARTS:
            yield from self._finer(plan, parts)

    def _finer(self, plan: Plan, parts: int) -> Iterator[Plan]:
        """Yield a plan with its kernel groups in parts, if they are free and it stays small."""
        if self.instance.layer.group > 1 or self.instance.fixed_kernel_groups is not None:
            return
        kernels = int(plan.problem.kernel_sizes.max())
        small = len(plan.compute) * min(parts, kernels) <= most_tried(self.effort.clock.seconds)
        if small and parts <= 2 * kernels:
            yield refined(plan, parts)

    def _offer(self, plan: Plan, serial: Plan, source: Source) -> bool:
        """Pipeline a plan made of a serial one; keep it if it is better, and say so."""
        before = None if self.best is None else self.best[0].cost
        cost = self._pipeline(plan, serial, source)
        return before is None or cost < before

    def _pipeline(self, plan: Plan, serial: Plan, source: Source) -> Fraction:
        """Pipeline a plan made of a serial one; keep it if it is better. Return its cost."""
        made = pipelined(plan, self._problem(plan))
        if self.best is None or made.cost < self.best[0].cost:
            self.best, self.start = (made, Pipelined(source)), (serial, source)
            Verification.of(made.problem).keep(self.effort.clock, *made.compute.T[:4])
        return made.cost

    def _shorten_ends(self) -> None:
        """Cut the first and the last action of the best plan into as many parts as pay."""
        if self.start is None:
            return
        serial, source = self.start
        if len(serial.problem.kernel_sizes) < _FEW:
            # Ends are cut between kernel groups: there must be some.
            serial = next(self._finer(serial, _FEW), serial)
        cuts: tuple[Cut, ...] = ("kernels", "positions")
        for by in cuts:
            first = 1
            for parts in _ENDS:
                if not self.effort.clock.expired():
                    better = self._offer(with_small_ends(serial, parts, 1, by), serial, source)
                    first = parts if better else first
            for parts in _ENDS:
                if not self.effort.clock.expired():
                    self._offer(with_small_ends(serial, first, parts, by), serial, source)

    def _problem(self, plan: Plan) -> Problem:
        """Return the overlapped problem in the decomposition of a serial plan."""
        return problem_of(self.instance, plan.problem.decomposition)

    @property
    def _cost(self) -> Fraction:
        if self.best is None:
            raise NoStrategyError(f"{self.instance.name}: no strategy was found within the limits")
        return self.best[0].cost

    def _report(self, bound: Fraction, stage: str) -> None:
        self.tell(Status(self._cost, bound, stage))

    def _answer(self, bound: Fraction, certificate: dict[str, object]) -> Answer:
        assert self.best is not None
        plan, source = self.best
        claim = Claim(DURATION, plan.cost, bound, certificate)
        proofs = (Proven(bound, certificate),)
        return Answer(plan, source, (claim,), bound, self._baselines(), proofs=proofs)
