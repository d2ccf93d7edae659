"""Users' rules on top of a plan: which of them it breaks, where, and what it costs under them.

The atoms of the shipped rules form a splitting set of every program whose edit is no redefinition:
its stable models are those of the shipped rules, each extended by what the user's rules derive from
it. So a valid plan is a stable model of the program in force if, with the plan's atoms as facts,
the user's rules have one. That program is small, whatever the layer.

Constraints of the user derive `BROKEN` instead of forbidding, and as few of its atoms as possible
are wanted; so a plan that breaks rules says which, and in which steps.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import clingo
import clingo.ast
from clingo.ast import AST, ASTType, Sign

from offloadasp.asp.atoms import Atoms
from offloadasp.asp.edit_kinds import COST, Edit, Statement, shipped_statements
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import Sums
from offloadasp.asp.levels import priority_options
from offloadasp.asp.shipped import records, shipped_source
from offloadasp.asp.statements import (
    Signature,
    canonical,
    children,
    heads,
    is_constraint,
    nodes,
    predicates,
    signature,
)
from offloadasp.asp.vetting.overflow import Watch
from offloadasp.asp.vetting.rule_files import one_line
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.base.errors import InputError
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan

BROKEN = f"_broken{RESERVED}"
"""``BROKEN(K, (X, …))``: the K-th constraint is broken for values of its variables."""

BROKEN_PRIORITY = 2**20
"""Before all objectives: as few broken constraints as possible."""

# Where a predicate of the shipped rules has its step.
STEP_AT = {
    "step": 0,
    "computing": 0,
    "active": 0,
    "moved": 2,
    "compute": 1,
    "on_chip": 1,
    "load": 1,
    "free": 1,
    "write": 1,
    "done": 1,
    "started": 1,
    "complete": 1,
    "form": 1,
    "occupies": 1,
    "cost": 1,
    "energy": 1,
    "waits": 0,
    "busy": 1,
}
STATIC = ("model/layer.lp", "model/groups.lp", "model/decomposition.lp")
"""The files of rules that know no steps."""
UNMET = "unmet"
"""``UNMET(T)``: step T waits for longer than the powers of two that there are add up to."""
# What rules need to say how long a step waits for transfers beside its compute action.
_WAITING = {"busy", "wait_power", "unmet", "met"}
_ELEMENTS = (ASTType.ConditionalLiteral, ASTType.BodyAggregateElement)
_ERROR = clingo.MessageCode.RuntimeError
# Choices of the user's own rules are searched for the best ones; so many conflicts are enough.
_CONFLICTS = 20_000
# How long after the time limit a reading that has begun may go on.
_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Broken:
    """A constraint that a plan breaks.

    Attributes
    ----------
    place
        File and line.
    steps
        In which steps, ascending; empty if the constraint names none.
    count
        For how many values of its variables.
    """

    place: str
    steps: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class Reading:
    """What the rules in force say of a plan.

    Attributes
    ----------
    broken
        The constraints that it breaks.
    costs
        By priority, in units of the rules.
    """

    broken: tuple[Broken, ...]
    costs: dict[int, int]

    @property
    def obeys(self) -> bool:
        """Whether the plan breaks nothing."""
        return not self.broken

    def order(self) -> tuple[int, ...]:
        """Return what to compare plans by: what is broken, then costs, highest priority first."""
        count = sum(one.count for one in self.broken)
        return (count, *(self.costs[priority] for priority in sorted(self.costs, reverse=True)))


@dataclass(frozen=True)
class Overlay:
    """The part of the rules in force that is not of the definition, prepared to read plans.

    Attributes
    ----------
    edit
        What differs from the shipped rules; no redefinition.
    names
        The objectives, the one that matters most first.
    overlaps
        Whether transfers go on beside the compute action.
    """

    edit: Edit
    names: tuple[str, ...]
    overlaps: bool = False
    constraints: list[Statement] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Gather the user's constraints."""
        self.constraints.extend(one for one in self.statements if is_constraint(one.node))

    @property
    def statements(self) -> list[Statement]:
        """The statements that are added, those of objectives that are not minimised left out."""
        others = {f"model/objective/{name}.lp" for name in self.names}
        return [
            one
            for one in self.edit.added
            if not one.file.startswith("model/objective/") or one.file in others
        ]

    def shipped_objectives(self) -> Iterator[str]:
        """Yield the statements of the objectives that are still in force."""
        for name in self.names:
            file = f"model/objective/{name}.lp"
            gone = [canonical(one.node) for one in self.edit.missing if one.file == file]
            shipped = zip(records()[file]["statements"], shipped_statements(file), strict=True)
            for (_, text), node in shipped:
                if text in gone:
                    gone.remove(text)
                elif self.derives_waits or not {one[0] for one in predicates(node)} & _WAITING:
                    yield text

    @cached_property
    def derives_waits(self) -> bool:
        """Whether rules must say how long steps wait; else it is read off the plan."""
        changed = [*self.edit.added, *self.edit.missing]
        touched = {one for statement in changed for one in predicates(statement.node)}
        return self.overlaps and (COST in touched or bool({name for name, _ in touched} & _WAITING))

    @cached_property
    def referenced(self) -> frozenset[str]:
        """The names of the predicates that the program asks about."""
        found: set[Signature] = set()
        for one in self.statements:
            found |= predicates(one.node)
        parsed: list[AST] = []
        clingo.ast.parse_string("\n".join(self.shipped_objectives()), parsed.append)
        for node in parsed:
            found |= predicates(node)
        return frozenset(name for name, _ in found)

    def softened(self) -> Iterator[AST]:
        """Yield the statements that are added, with constraints that derive `BROKEN`."""
        for one in self.statements:
            if is_constraint(one.node):
                yield soften(one.node, self.constraints.index(one))
            else:
                yield one.node

    @cached_property
    def _prepared(self) -> tuple[Watch, list[AST]]:
        """The statements that are added, softened, and those that watch their arithmetic."""
        watch, softened = Watch(), list(self.softened())
        for node in softened:
            watch.add(node)
        return watch, [*softened, *watch.rules]

    def read(self, plan: Plan, clock: Clock, seed: int = 0) -> Reading | None:
        """Read a plan by the rules in force; None if they have no stable model for it at all.

        Raises
        ------
        InputError
            A rule is wrong.
        """
        messages: list[str] = []
        control = clingo.Control(
            [*priority_options(self.names), f"--seed={seed}"],
            logger=lambda code, text: messages.append(text) if code == _ERROR else None,
        )
        sums = Sums()
        control.register_observer(sums)
        watch, nodes_ = self._prepared
        texts = [facts(plan.problem, plan.steps, exact=True), Atoms(plan).text(self._facts)]
        if self.referenced & _static_names():
            texts += [shipped_source(name).text for name in STATIC]
        texts += [*self.shipped_objectives(), self.memory]
        texts.append(f"#minimize {{ 1@{BROKEN_PRIORITY}, K, X : {BROKEN}(K, X) }}.")
        texts.append(f"#defined {BROKEN}/2. #show. #show {BROKEN}/2. #show {UNMET}/1.")
        texts.append(f"#defined {UNMET}/1. #defined beside/1. #defined waits/2.")
        texts += [f"#defined {name}/{arity}." for name, arity in self.asked()]
        try:
            control.add("base", [], "\n".join(texts))
            with clingo.ast.ProgramBuilder(control) as builder:
                for node in nodes_:
                    builder.add(node)
            aside(lambda: control.ground([("base", [])]), lambda: late(clock))
        except LeftAloneError:
            return None
        except RuntimeError as error:
            if late(clock):
                return None
            raise InputError(one_line(messages[0] if messages else str(error))) from None
        watch.require_fit(control)
        sums.require_fit()
        return self._best(control, clock)

    @property
    def _facts(self) -> frozenset[str]:
        """The names of the predicates whose atoms a reading takes as facts."""
        asked = self.referenced | {"occupies"} if self.edit.more_room else self.referenced
        return asked - {"waits"} if self.derives_waits else asked

    def size(self, plan: Plan) -> int:
        """Return how many atoms of a plan a reading takes: about what it takes in time and room."""
        return Atoms(plan).count(self._facts)

    @property
    def memory(self) -> str:
        """The rule of memory, where the user's rules let blocks take more room."""
        if not self.edit.more_room:
            return ""
        number = len(self.constraints)
        return (
            f"{BROKEN}({number}, (T,)) :- step(T), memory(M), "
            "M < #sum { Bytes, B : occupies(B, T, Bytes) }. step(T) :- occupies(_, T, _)."
        )

    def asked(self) -> set[Signature]:
        """Return the predicates of the statements that are added."""
        return {one for statement in self.statements for one in predicates(statement.node)}

    def _best(self, control: clingo.Control, clock: Clock) -> Reading | None:
        solve = control.configuration.solve
        assert isinstance(solve, clingo.Configuration)
        solve.solve_limit = str(_CONFLICTS)
        best: list[tuple[list[int], list[int], Sequence[clingo.Symbol]]] = []

        def keep(model: clingo.Model) -> None:
            best[:] = [(list(model.cost), list(model.priority), model.symbols(shown=True))]

        with control.solve(async_=True, on_model=keep) as handle:
            while not handle.wait(0.05):
                if clock.halted or (best and clock.expired()):
                    handle.cancel()
                    break
            handle.get()
        if not best:
            return None
        costs, priorities, symbols = best[0]
        require_waits_fit(symbols)
        by_priority = dict(zip(priorities, costs, strict=True))
        by_priority.pop(BROKEN_PRIORITY, None)
        return Reading(self.named(symbols), by_priority)

    def named(self, symbols: Sequence[clingo.Symbol]) -> tuple[Broken, ...]:
        """Say which constraints are broken, and in which steps."""
        by_number: dict[int, list[clingo.Symbol]] = {}
        for symbol in symbols:
            if symbol.name == BROKEN:
                by_number.setdefault(symbol.arguments[0].number, []).append(symbol.arguments[1])
        return tuple(self._broken(number, values) for number, values in sorted(by_number.items()))

    def _broken(self, number: int, values: Sequence[clingo.Symbol]) -> Broken:
        if number == len(self.constraints):
            places, place = [0], "model/step.lp (the rule of memory)"
        else:
            one = self.constraints[number]
            variables, place = global_variables(one.node), one.place
            steps = step_variables(one.node)
            places = [k for k, name in enumerate(variables) if name in steps][:1]
        found = {value.arguments[k].number for value in values for k in places}
        return Broken(place, tuple(sorted(found)), len(values))


def require_waits_fit(symbols: Iterable[clingo.Symbol]) -> None:
    """Refuse a model in which a step waits for longer than clingo's integers can tell.

    Raises
    ------
    InputError
        Its cost would be too low.
    """
    late_steps = [one.arguments[0] for one in symbols if one.match(UNMET, 1)]
    if late_steps:
        raise InputError(
            f"step {late_steps[0]} waits for longer than clingo's integers can tell: "
            "use smaller costs, or rates with smaller denominators"
        )


def late(clock: Clock) -> bool:
    """Whether to leave work alone that cannot be interrupted."""
    return clock.halted or clock.elapsed > clock.seconds + _GRACE_SECONDS


@cache
def _static_names() -> frozenset[str]:
    """Return the names of the predicates that the geometry of the layer derives."""
    parsed: list[AST] = []
    for name in STATIC:
        shipped_source(name).parse(parsed.append)
    return frozenset(one[0] for node in parsed for one in heads(node) if one is not None)


def soften(constraint: AST, number: int) -> AST:
    """Return a rule that derives `BROKEN` wherever a constraint would forbid."""
    names = global_variables(constraint)
    inside = f"({', '.join(names)},)" if names else "()"
    found: list[AST] = []
    clingo.ast.parse_string(f"{BROKEN}({number}, {inside}).", found.append)
    body = list(constraint.body)
    head = constraint.head
    if head.ast_type == ASTType.Literal and head.atom.ast_type != ASTType.BooleanConstant:
        # The head of such a rule must hold: where it does not, the rule is broken.
        signs = {Sign.NoSign: Sign.Negation, Sign.Negation: Sign.DoubleNegation}
        body.append(head.update(sign=signs.get(head.sign, Sign.Negation)))
    return constraint.update(head=found[-1].head, body=body)


def global_variables(statement: AST) -> list[str]:
    """Return the variables of a statement that do not belong to an element, sorted."""
    return sorted({name for part in statement.body for name in _globals(part)})


def step_variables(statement: AST) -> set[str]:
    """Return the variables of a statement that stand for steps."""
    found = set()
    for atom in nodes(statement, ASTType.SymbolicAtom):
        known = signature(atom)
        if known is not None and known[0] in STEP_AT and known[1] > STEP_AT[known[0]]:
            term = atom.symbol.arguments[STEP_AT[known[0]]]
            if term.ast_type == ASTType.Variable and term.name != "_":
                found.add(term.name)
    return found


def _globals(node: AST) -> Iterator[str]:
    if node.ast_type == ASTType.Variable and node.name != "_":
        yield node.name
    if node.ast_type not in _ELEMENTS:
        for child in children(node):
            yield from _globals(child)
