"""A few steps of a plan left open, all others fixed: the definition and the user's rules in full.

The rules of ``step.lp`` are grounded for the steps of the window only, by one more condition in
their syntax trees. The atoms of all other steps are facts, and the user's rules see them all. So
what clingo finds is what the whole program permits with everything else as it is; the program is
about as large as the window, and as what the user's rules ask about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import clingo
import clingo.ast
import numpy as np
from clingo.ast import AST, ASTType, Sign

from offloadasp.asp.atoms import Atoms, Ranges
from offloadasp.asp.edit_kinds import shipped_statements
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import Sums
from offloadasp.asp.levels import priority_options
from offloadasp.asp.overlay import (
    BROKEN,
    BROKEN_PRIORITY,
    STATIC,
    STEP_AT,
    Overlay,
    Reading,
    late,
    step_variables,
)
from offloadasp.asp.shipped import shipped_source
from offloadasp.asp.solving import plan_of_model
from offloadasp.asp.statements import heads, is_choice, is_constraint, nodes, signature
from offloadasp.asp.vetting.watched import RESERVED
from offloadasp.base.arrays import IntArray
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import TABLES, Plan

OPEN = f"_open{RESERVED}"
MOVING = f"_moving{RESERVED}"
AT = f"_at{RESERVED}"
STAYS = f"_stays{RESERVED}"

_STEP = "model/step.lp"
_ACTIONS = ("compute", "load", "free", "write")
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Window:
    """Steps of a plan that are left open.

    Attributes
    ----------
    plan
        The plan, whose steps after the window were moved.
    first, last
        The steps that may do anything.
    moving
        The operations that they compute, by their names.
    """

    plan: Plan
    first: int
    last: int
    moving: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan, first: int, last: int, more: int) -> "Window":
        """Open steps of a plan, and so many more steps, or fewer if it is negative."""
        moving = tuple(name for name, t, _ in Atoms(plan).operations if first <= t <= last)
        end = max(first, last + more)
        tables = {}
        for name in TABLES:
            rows = getattr(plan, name).copy()
            step = getattr(plan, name)[:, 0]
            # Within the window steps are only told to lie in it.
            before = np.where(step < first, step, np.minimum(step, end))
            rows[:, 0] = np.where(step > last, step + (end - last), before)
            tables[name] = rows
        return cls(replace(plan, **tables), first, end, moving)


@dataclass(frozen=True)
class Windows:
    """Opens windows of plans, and lets clingo look for something better in them.

    Attributes
    ----------
    overlay
        The user's rules.
    """

    overlay: Overlay

    def improve(
        self, window: Window, before: Reading, conflicts: int, clock: Clock, seed: int
    ) -> Plan | None:
        """Return a plan that breaks and costs no more, as far as a search can tell; None if none.

        Parameters
        ----------
        before
            What is broken and what it costs at most.
        """
        options = ["--opt-strategy=usc,oll", "--heuristic=Domain", f"--seed={seed}"]
        control = clingo.Control([*priority_options(self.overlay.names), *options], _quiet)
        sums = Sums()
        control.register_observer(sums)
        control.add("base", [], self._facts(window))
        with clingo.ast.ProgramBuilder(control) as builder:
            for node in (*self._limited(), *self.overlay.softened()):
                builder.add(node)
        try:
            aside(lambda: control.ground([("base", [])]), lambda: late(clock))
        except LeftAloneError:
            return None
        solve = control.configuration.solve
        assert isinstance(solve, clingo.Configuration)
        solve.solve_limit = str(conflicts)
        solve.opt_mode = ",".join(["opt", *map(str, _bounds(before, sums))])
        best: list[Sequence[clingo.Symbol]] = []

        def keep(model: clingo.Model) -> None:
            atoms = model.symbols(atoms=True)
            best[:] = [[atom for atom in atoms if atom.name in _ACTIONS]]

        with control.solve(async_=True, on_model=keep) as handle:
            while not handle.wait(_POLL_SECONDS):
                if clock.expired():
                    handle.cancel()
                    break
            handle.get()
        return _joined(window, best[0]) if best else None

    def _facts(self, window: Window) -> str:
        """Return the atoms of the steps outside of the window, and what may be chosen in it."""
        plan, first, last = window.plan, window.first, window.last
        steps = max(plan.steps, last)
        texts = [facts(plan.problem, steps, exact=True)]
        texts += [shipped_source(name).text for name in STATIC]
        texts += [Atoms(plan).text(STEP_AT, self._ranges(first, last, steps)), f"step(1..{steps})."]
        texts.append(f"{AT}({first}..{last + 1}).")
        texts += [
            f"{MOVING}({name}). {OPEN}(compute({name},{first}..{last}))." for name in window.moving
        ]
        texts += [f"{OPEN}(on_chip({name},{first}..{last}))." for name in self._blocks(window)]
        texts.append(f"{OPEN}(on_chip(B,{first}..{last})) :- {MOVING}(O), needs(O, B).")
        texts.append(f"{OPEN}(on_chip(B,{first}..{last})) :- {MOVING}(O), produces(O, B).")
        # A block that is on chip before and after is likely to stay.
        texts.append(f"#heuristic on_chip(B,T) : {AT}(T), {STAYS}(B). [1, sign]")
        texts += [f"{STAYS}({name})." for name in self._staying(window)]
        texts += [*self.overlay.shipped_objectives(), self.overlay.memory]
        texts.append(f"#minimize {{ 1@{BROKEN_PRIORITY}, K, X : {BROKEN}(K, X) }}.")
        texts.append(f"#defined {BROKEN}/2. #show.")
        texts += [f"#defined {name}/{arity}." for name, arity in self.overlay.asked()]
        texts += [f"#defined {MOVING}/1. #defined {OPEN}/1. #defined {STAYS}/1."]
        return "\n".join(texts)

    def _ranges(self, first: int, last: int, steps: int) -> dict[str, Ranges]:
        """Return of which steps atoms are facts: all that are asked about, else the borders."""
        asked = self.overlay.referenced | {"moved", "computing"}
        asked |= {"occupies"} if self.overlay.edit.more_room else set()
        found: dict[str, Ranges] = {name: [(first - 1, first - 1)] for name in STEP_AT}
        for name in STEP_AT:
            if name in asked:
                found[name] = [(1, first - 1), (last + 2, steps)]
        found["on_chip"] = [(first - 1, first - 1), (last + 1, last + 1)]
        if "on_chip" in asked:
            found["on_chip"] = [(1, first - 1), (last + 1, steps)]
        found["compute"] = [(1, first - 1), (last + 1, steps)] if "compute" in asked else []
        # The step after the window computes what it did: its needs are checked as well.
        found["compute"] = [
            *found["compute"],
            *([] if "compute" in asked else [(last + 1, last + 1)]),
        ]
        found["step"] = []
        return found

    @staticmethod
    def _blocks(window: Window) -> Iterator[str]:
        """Yield the blocks that are on chip around the window."""
        atoms, first, last = Atoms(window.plan), window.first - 1, window.last + 1
        seen = {name for name, a, b in atoms.inputs if a <= last and b >= first}
        seen |= {
            f"output({i},{j},{n})" for (n, i, j), a, b in atoms.outputs if a <= last and b >= first
        }
        return iter(sorted(seen))

    @staticmethod
    def _staying(window: Window) -> Iterator[str]:
        """Yield the input blocks that are on chip all through the window."""
        first, last = window.first - 1, window.last + 1
        return (name for name, a, b in Atoms(window.plan).inputs if a <= first and b >= last)

    def _limited(self) -> Iterator[AST]:
        """Yield the rules of ``step.lp`` for the steps of the window."""
        for node in shipped_statements(_STEP):
            if node.ast_type != ASTType.Rule:
                continue
            if is_choice(node):
                yield _chosen(node)
            elif is_constraint(node):
                if self.overlay.edit.more_room and _limits_room(node):
                    continue
                yield _at(node, next(iter(sorted(step_variables(node)))))
            else:
                derived = next(iter(heads(node)))
                if derived is not None and derived[0] == "step":
                    continue
                assert derived is not None
                term = node.head.atom.symbol.arguments[STEP_AT[derived[0]]]
                yield _at(node, term.name)


def _bounds(before: Reading, sums: Sums) -> list[int]:
    """Return what a window's plan may cost at most, a number for each priority that it has.

    None where a term is negative: with bounds on such sums clingo 5.8 may run for ever.
    """
    if any(least < 0 for least in sums.least.values()):
        return []
    known = {**before.costs, BROKEN_PRIORITY: before.order()[0]}
    return [known.get(priority, 0) for priority in sorted(sums.least, reverse=True)]


def _quiet(*_: object) -> None:
    """Say nothing: what clingo notes of the rules was said when they were vetted."""


def _limits_room(node: AST) -> bool:
    return any(signature(atom) == ("occupies", 3) for atom in nodes(node, ASTType.SymbolicAtom))


def _literal(location: clingo.ast.Location, name: str, term: AST) -> AST:
    function = clingo.ast.Function(location, name, [term], 0)
    return clingo.ast.Literal(location, Sign.NoSign, clingo.ast.SymbolicAtom(function))


def _at(node: AST, step: str) -> AST:
    variable = clingo.ast.Variable(node.location, step)
    return node.update(body=[*node.body, _literal(node.location, AT, variable)])


def _chosen(node: AST) -> AST:
    """Return a choice limited to open atoms; one of operations, to those that move."""
    (element,) = node.head.elements
    symbol = element.literal.atom.symbol
    opened = _literal(node.location, OPEN, symbol)
    if signature(element.literal.atom) == ("compute", 2):
        condition = [*element.condition, opened]
        head = node.head.update(elements=[element.update(condition=condition)])
        moving = _literal(node.location, MOVING, symbol.arguments[0])
        return node.update(head=head, body=[*node.body, moving])
    return node.update(body=[*node.body, opened])


def _joined(window: Window, symbols: Sequence[clingo.Symbol]) -> Plan:
    """Return the plan outside of the window and the actions that were found in it."""
    low, high = window.first, window.last + 1
    inside = [symbol for symbol in symbols if low <= symbol.arguments[1].number <= high]
    # The step after the window computes what it did, and the atoms of that are facts.
    found = plan_of_model(window.plan.problem, inside)
    tables: dict[str, IntArray] = {}
    for name in TABLES:
        rows = getattr(window.plan, name)
        border = high - 1 if name == "compute" else high
        outside = rows[(rows[:, 0] < low) | (rows[:, 0] > border)]
        new = getattr(found, name)
        new = new[new[:, 0] <= border]
        tables[name] = np.concatenate([outside, new])
    return _classified(window.plan, tables)


def _classified(plan: Plan, tables: dict[str, IntArray]) -> Plan:
    """Tell complete outputs from partial sums among what is written."""
    writes = np.concatenate([tables["write_outputs"], tables["write_partial_sums"]])
    last: dict[tuple[int, int, int], int] = {}
    for t, n, _, i, j in tables["compute"].tolist():
        last[n, i, j] = max(last.get((n, i, j), 0), t)
    whole = np.array([last[n, i, j] < t for t, n, i, j in writes.tolist()], dtype=bool)
    tables["write_outputs"], tables["write_partial_sums"] = writes[whole], writes[~whole]
    return Plan(plan.problem, **{name: _sorted(rows) for name, rows in tables.items()})


def _sorted(rows: IntArray) -> IntArray:
    return rows[np.lexsort(rows.T[::-1])] if len(rows) else rows
