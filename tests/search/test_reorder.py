"""Operations in another order: a valid plan of the same operations, computed together as before."""

import numpy as np
import pytest

from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Layer
from offloadasp.model.plan import Plan
from offloadasp.search.baselines import strategy_of
from offloadasp.search.edited.reorder import reordered
from tests.engines.plans import problem, random_plan

LAYER = Layer(input=(2, 4, 3), kernels=2, kernel_shape=(2, 2), bias=True)


def rows_by_step(plan: Plan) -> list[int]:
    rows = plan.compute
    return [int(row) for row in rows[np.lexsort((rows[:, 3], rows[:, 0])), 3]]


@pytest.mark.parametrize("seed", range(4))
def test_a_plan_in_another_order_is_valid_and_computes_the_same(seed: int) -> None:
    plan = random_plan(problem(LAYER, kernel_groups=2, channel_groups=2), seed)
    others = list(reordered(plan))
    assert others
    for other in others:
        assert simulate(strategy_of(other)).verified
        assert sorted(other.compute[:, 1:].tolist()) == sorted(plan.compute[:, 1:].tolist())
    kernels = len(np.unique(plan.load_kernels[:, 1:], axis=0))
    assert any(len(other.load_kernels) == kernels for other in others)
    assert any(rows_by_step(other) == sorted(rows_by_step(other)) for other in others)
