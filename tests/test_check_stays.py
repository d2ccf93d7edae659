"""check/stays.lp accepts valid strategies at check.lp's figures, and whatever it is told, no other."""

import re
from collections.abc import Iterator
from itertools import pairwise

import clingo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import SPILL, VALID, Json, limit, mutant, put, step
from plans import fitted, strategy_of
from test_check_rules import BROKEN, planned
from test_two_readings import spoilt, valid_strategies

from offloadasp.check import accepted, box_facts, defined
from offloadasp.facts import facts
from offloadasp.plan import Plan
from offloadasp.problem import Problem
from offloadasp.rules import shipped_rules
from offloadasp.stays import stay_facts
from offloadasp.strategy import Strategy

RULES = shipped_rules()


@settings(max_examples=60, deadline=None)
@given(planned())
def test_a_valid_plan_is_accepted_at_the_figures_of_the_definition(
    drawn: tuple[Problem, Plan],
) -> None:
    problem, plan = drawn
    strategy = strategy_of(fitted(problem, plan), plan)
    assert accepted(strategy, RULES) == defined(strategy, RULES)


def changed(draw: st.DrawFn, stays: list[str]) -> list[str]:
    """Stays with some of them missing, doubled under another number, or shifted by one."""
    stays = list(stays)
    for _ in range(draw(st.integers(1, 3))):
        if not stays:
            break
        k = draw(st.integers(0, len(stays) - 1))
        numbers = [match.span() for match in re.finditer(r"\d+", stays[k])]
        start, end = draw(st.sampled_from(numbers))
        number = max(0, int(stays[k][start:end]) + draw(st.sampled_from([-1, 1])))
        other = f"{stays[k][:start]}{number}{stays[k][end:]}"
        keep = {"drop": [], "add": [stays[k], other], "shift": [other]}
        stays[k : k + 1] = keep[draw(st.sampled_from(sorted(keep)))]
    return stays


@settings(max_examples=150, deadline=None)
@given(valid_strategies(), st.data())
def test_no_stays_make_a_spoilt_strategy_pass(strategy: Strategy, data: st.DataObject) -> None:
    broken = data.draw(spoilt(strategy))
    told = stay_facts(strategy.problem, data.draw(st.sampled_from([strategy, broken])).steps)
    verdict = accepted(broken, RULES, data.draw(st.composite(changed)(told)))
    assert verdict in (None, defined(broken, RULES))


# Every stay that could be told of a small strategy.
ANY_STAYS = """
{ stay(L, K, T, T', I0, I1, J0, J1) } :-
    list(L), L != operations(N, Q) : windows(N, Q, _); plane(L, Rows, Columns),
    K = 1..2, T = 1..S - 1, T' = T + 1..S, steps(S),
    I0 = 0..Rows - 1, I1 = I0 + 1..Rows, J0 = 0..Columns - 1, J1 = J0 + 1..Columns.
{ stay(kernel(N, Q), K, T, T') } :-
    windows(N, Q, _), K = 1..2, T = 1..S - 1, T' = T + 1..S, steps(S).
:- refused(_, _).
:- violation(_, _, _).
"""
FILES = ("layer.lp", "decomposition.lp", "check/boxes.lp", "check/stays.lp", "check/account.lp")


def some_stays_pass(strategy: Strategy) -> bool | None:
    """Search for stays with which a strategy is accepted."""
    control = clingo.Control(logger=lambda code, text: None)
    for name in FILES:
        control.load(str(RULES.folder / name))
    given = facts(strategy.problem, len(strategy.steps))
    control.add("base", [], "\n".join([given, *box_facts(strategy.steps), ANY_STAYS]))
    control.ground([("base", [])])
    return control.solve().satisfiable


@pytest.mark.parametrize("name", VALID)
def test_some_stays_make_a_strategy_made_by_hand_pass(name: str) -> None:
    assert some_stays_pass(Strategy.model_validate(VALID[name]))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: str(sorted(broken.expected)))
def test_no_stays_at_all_make_a_broken_strategy_pass(broken) -> None:
    assert not some_stays_pass(broken.strategy)
