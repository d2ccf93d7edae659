"""Where rules are too much for single output positions, tiles get larger, and the run says so."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.base.errors import NoStrategyError
from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Accelerator, Choice, Instance, Layer, SearchOptions
from offloadasp.result import strategy_of
from offloadasp.search.edited import coarser, complete, reader
from offloadasp.search.edited import search as edited
from offloadasp.search.edited.search import EditedSearch
from offloadasp.search.effort import effort_of


def free_steps(tile: tuple[int, int] | str) -> Instance:
    """Return a layer whose plans compute one output a step, since steps cost nothing."""
    return Instance(
        name="layer",
        layer=Layer(input=(1, 7, 7), kernels=1, kernel_shape=(2, 2)),
        accelerator=Accelerator(
            memory=40,
            load_cycles=Fraction(1),
            write_cycles=Fraction(1),
            compute_cycles=Fraction(0),
            macs_per_step=144,
        ),
        decomposition=Choice(tile=tile, kernel_groups=1, channel_groups=1),
        search=SearchOptions(threads=1),
    )


@pytest.mark.parametrize(
    ("text", "module", "limit"),
    [
        (":- write(B, T), not complete(B, T - 1).", edited, 500),
        ("compute(O, T) :- compute(O, T), step(T).", complete, 20_000),
    ],
)
def test_tiles_get_larger_where_nothing_else_is_small_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, module: object, limit: int
) -> None:
    for name in ("READABLE", "GROUND_LIMIT"):
        for place in (module, coarser):
            if hasattr(place, name):
                monkeypatch.setattr(place, name, limit)
    path = tmp_path / "rule.lp"
    path.write_text(text)
    rules = rules_in_force(None, [path])
    instance = free_steps("auto")
    answer = EditedSearch(instance, rules, effort_of(instance.search, 2_000)).run()
    assert answer.plan.problem.decomposition.tile != (1, 1)
    assert simulate(strategy_of(answer, rules.record)).verified
    assert "in tiles of 2x2, as there are too many operations" in answer.method + answer.scope


def test_a_tile_that_is_given_stays() -> None:
    assert list(coarser.coarser_tiles(free_steps((1, 1)))) == []
    tiles = [one.choice.tile for one in coarser.coarser_tiles(free_steps("auto"))]
    assert tiles[0] == (2, 2)


def test_a_plan_with_too_many_atoms_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_MOST_ATOMS", 100)
    monkeypatch.setattr(reader, "_FEW_STEPS", 2)
    path = tmp_path / "rule.lp"
    path.write_text(":- write(B, T), not complete(B, T - 1).")
    instance = free_steps((1, 1))
    search = EditedSearch(instance, rules_in_force(None, [path]), effort_of(instance.search, 8))
    with pytest.raises(NoStrategyError, match=r"what they ask about holds \d+ times in a plan of"):
        search.run()
