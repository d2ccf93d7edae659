"""Windows of steps that clingo changes: what the repair takes of what it finds."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from offloadasp.asp.overlay import Overlay, Reading
from offloadasp.asp.window import Windows
from offloadasp.judge.simulator import keep_books
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Layer
from offloadasp.model.plan import TABLES, Plan
from offloadasp.search.edited.repair import Repair
from tests.engines.plans import problem, random_plan, strategy_of


def with_an_empty_step(plan: Plan, after: int) -> Plan:
    tables = {name: getattr(plan, name).copy() for name in TABLES}
    for rows in tables.values():
        rows[:, 0] += rows[:, 0] > after
    return replace(plan, **tables)


def test_a_step_that_is_left_with_nothing_to_do_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = problem(Layer(input=(1, 3, 4), kernels=1, kernel_shape=(2, 2)))
    plan = random_plan(layer, 0)
    holed = with_an_empty_step(plan, plan.steps // 2)
    read: list[Plan] = []

    def reading(found: Plan) -> Reading:
        read.append(found)
        return Reading((), {0: 0})

    assert keep_books(strategy_of(layer, holed)).violations
    monkeypatch.setattr(Windows, "improve", lambda *_: holed)
    repair = Repair(Mock(spec=Overlay), plan, Reading((), {0: 1}), reading, Clock(), seed=0)
    repair.run(1, lambda: False)
    assert repair.plan is read[0]
    assert repair.plan.steps == plan.steps
    assert not keep_books(strategy_of(layer, repair.plan)).violations
