"""Under random rules the search agrees with plain clingo on the full program."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.model.instance import Accelerator, Choice, Instance, Layer, SearchOptions
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.search import EditedSearch
from offloadasp.search.effort import effort_of
from tests.engines import random_rules

STEPS = 6
LAYERS = (
    Layer(input=(1, 2, 3), kernels=1, kernel_shape=(2, 2)),
    Layer(input=(2, 1, 3), kernels=1, kernel_shape=(1, 2)),
    Layer(input=(1, 1, 4), kernels=2, kernel_shape=(1, 2)),
)


def tiny(seed: int) -> Instance:
    layer = LAYERS[seed % len(LAYERS)]
    return Instance(
        name="tiny",
        layer=layer,
        accelerator=Accelerator(
            memory=14,
            load_cycles=Fraction(1),
            write_cycles=Fraction(1 + seed % 2),
            compute_cycles=Fraction(seed % 5),
            macs_per_step=4 + 4 * (seed % 2),
        ),
        decomposition=Choice(tile=(1, 1), kernel_groups=1, channel_groups=layer.input[0]),
        search=SearchOptions(threads=1),
    )


@pytest.mark.parametrize("seed", range(12))
def test_costs_and_bounds_agree_with_plain_clingo(tmp_path: Path, seed: int) -> None:
    text, instance = random_rules.rules(seed), tiny(seed)
    path = tmp_path / "random.lp"
    path.write_text(text)
    rules = rules_in_force(None, [path])
    problem = problem_of(instance, scope(instance))
    optimum = random_rules.plain(problem, rules, STEPS).costs
    search = EditedSearch(instance, rules, effort_of(instance.search, 20_000))
    try:
        answer = search.run()
    except InfeasibleError:
        assert optimum is None, text
        return
    except NoStrategyError:
        assert optimum is None, text
        return
    if optimum is None:
        return  # more steps may help
    assert search.best is not None
    # At least as good as with few steps, and no bound is above what there is.
    found = search.best.reading.costs
    assert random_rules.order({**dict.fromkeys(optimum, 0), **found}) <= random_rules.order(optimum)
    first = answer.claims[0]
    assert first.lower_bound <= first.value, text
    assert answer.duration_bound <= answer.plan.duration
