"""check/stays.lp accepts what check.lp accepts, and no other strategy, whatever it is told."""

import copy
import re
from collections.abc import Iterator, Sequence

import clingo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import ONE, TWO, VALID, Json, Mutant, made, step
from plans import fitted, strategy_of
from test_check_rules import BROKEN, expectation, planned
from test_two_readings import GROUPS, LISTS, cells, spoilt, valid_strategies

from offloadasp.check import accepted, box_facts, defined
from offloadasp.facts import facts
from offloadasp.plan import Plan
from offloadasp.problem import Problem
from offloadasp.rules import shipped_rules
from offloadasp.stays import stay_facts
from offloadasp.strategy import Strategy

RULES = shipped_rules()


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


# The pixel is loaded once for each of two kernels, and each kernel once for each of two positions.
AGAIN = made(
    {"input": [1, 1, 2], "kernels": 2, "kernel_shape": [1, 1]},
    (TWO, ONE),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 1]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 1]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 0, 1]]},
            load={"pixels": [[0, 0, 1, 0, 1]], "kernels": [[1, 0]]},
            compute=[[1, 0, 0, 1, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 1]], "kernels": [[1, 0]]},
            write={"outputs": [[1, 0, 1, 0, 1]]},
            load={"pixels": [[0, 0, 1, 1, 2]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 1, 2]],
        ),
        step(
            free={"kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 1, 2]]},
            load={"kernels": [[1, 0]]},
            compute=[[1, 0, 0, 1, 1, 2]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 1, 2]], "kernels": [[1, 0]]},
            write={"outputs": [[1, 0, 1, 1, 2]]},
        ),
    ],
    duration=51,
)
SMALL = {**VALID, "again": AGAIN}


def variants(data: Json) -> Iterator[Json]:
    """Yield a strategy in which one cell is another one, or is listed elsewhere, near its step."""
    whole = copy.deepcopy(data)
    for each in whole["steps"]:
        for name, keys in LISTS.items():
            here = listed(each, name)
            here[:] = [cell for entry in here for cell in cells(entry, keys)]
    yield whole
    for t, each in enumerate(whole["steps"]):
        for group in GROUPS:
            for name in group:
                for k, cell in enumerate(listed(each, name)):
                    for other, target, entry in changes(whole, t, group, name, cell):
                        variant = copy.deepcopy(whole)
                        listed(variant["steps"][t], name).pop(k)
                        listed(variant["steps"][other], target).append(entry)
                        yield variant


def changes(
    whole: Json, t: int, group: Sequence[str], name: str, cell: list[int]
) -> Iterator[tuple[int, str, list[int]]]:
    """Yield step, list and entry that a cell of a list of step t becomes."""
    last, keys = len(whole["steps"]) - 1, LISTS[name]
    for other in range(max(0, t - 1), min(last, t + 1) + 1):
        yield from ((other, target, cell) for target in group if (other, target) != (t, name))
        yield from ((t, name, entry) for entry in listed(whole["steps"][other], name))
    for key in range(keys):
        yield t, name, [number + (k == key) for k, number in enumerate(cell)]
    for start in range(keys, len(cell), 2):
        yield t, name, [number + (k - start in (0, 1)) for k, number in enumerate(cell)]
        yield t, name, [number - (k - start == 1) for k, number in enumerate(cell)]


def listed(each: Json, name: str) -> list[list[int]]:
    """A list of a step, made if it is not there."""
    *tables, key = name.split(".")
    found: list[list[int]] = (each[tables[0]] if tables else each).setdefault(key, [])
    return found


@pytest.mark.parametrize("name", SMALL)
def test_some_stays_make_a_strategy_made_by_hand_pass(name: str) -> None:
    assert some_stays_pass(Strategy.model_validate(SMALL[name]))


VARIANTS = [variant for data in SMALL.values() for variant in variants(data)]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(VARIANTS))
def test_some_stays_make_a_variant_pass_just_if_it_is_valid(variant: Json) -> None:
    strategy = Strategy.model_validate(variant)
    assert some_stays_pass(strategy) == defined(strategy, RULES).accepted


@pytest.mark.parametrize("broken", BROKEN, ids=expectation)
def test_no_stays_at_all_make_a_broken_strategy_pass(broken: Mutant) -> None:
    assert not some_stays_pass(broken.strategy)
