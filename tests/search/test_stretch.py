"""Steps taken apart: the same transfers in more steps, each of which may do less."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from offloadasp.asp.overlay import Overlay
from offloadasp.asp.rules import rules_in_force
from offloadasp.judge.simulator import simulate
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Layer
from offloadasp.model.plan import TABLES, Plan, table, without_reloads
from offloadasp.search.baselines import strategy_of
from offloadasp.search.edited.stretch import Stretch, stretches
from offloadasp.search.overlap.pipelined import pipelined
from tests.engines.overlapped import overlapping
from tests.engines.plans import problem, random_plan

LAYER = Layer(input=(2, 4, 3), kernels=2, kernel_shape=(2, 2), bias=True)


def moves(plan: Plan, *names: str) -> Counter[int]:
    return Counter(int(row[0]) for name in names for row in getattr(plan, name))


@pytest.mark.parametrize("seed", range(6))
def test_a_plan_taken_apart_is_valid_and_moves_the_same(seed: int) -> None:
    plan = random_plan(problem(LAYER, kernel_groups=2, channel_groups=2), seed)
    for stretch in stretches({2, 3}, plan):
        for where in (None, frozenset({2, plan.steps})):
            other = stretch.of(plan, where)
            assert simulate(strategy_of(other)).verified
            assert other.counts.loaded == plan.counts.loaded
            assert other.counts.written == plan.counts.written
            assert other.counts.actions == plan.counts.actions
            assert other.counts.peak <= plan.counts.peak


@pytest.mark.parametrize("overlap", ["dma", "duplex"])
@pytest.mark.parametrize("seed", range(3))
def test_a_plan_with_overlap_taken_apart_is_valid_and_its_steps_do_less(
    overlap: Literal["dma", "duplex"], seed: int
) -> None:
    serial = random_plan(problem(LAYER, kernel_groups=2, channel_groups=2), seed)
    plan = pipelined(serial, overlapping(serial.problem, overlap))
    loads = ("load_pixels", "load_kernels", "load_partial_sums")
    for stretch in stretches({2, 3}, plan):
        for where in (None, frozenset({2, plan.steps})):
            other = stretch.of(plan, where)
            assert simulate(strategy_of(other)).verified
            assert (other.counts.loaded, other.counts.written, other.counts.actions) == (
                plan.counts.loaded,
                plan.counts.written,
                plan.counts.actions,
            )
            if where is None and stretch.chunk is not None:
                assert max(moves(other, *loads).values()) <= stretch.chunk


@pytest.mark.parametrize("seed", range(6))
def test_no_step_does_more_than_it_may(seed: int) -> None:
    plan = random_plan(problem(LAYER, kernel_groups=2, channel_groups=2), seed)
    few = Stretch(chunk=2).of(plan)
    loads = ("load_pixels", "load_kernels", "load_partial_sums")
    writes = ("write_outputs", "write_partial_sums")
    assert max(moves(few, *loads).values()) <= 2
    assert max(moves(few, *writes).values()) <= 2
    apart = Stretch(apart=True).of(plan)
    assert not moves(apart, *loads).keys() & moves(apart, *writes).keys()
    alone = Stretch(apart=True, alone=True).of(plan)
    assert not moves(alone, "compute").keys() & moves(alone, *loads, *writes).keys()


def test_what_is_loaded_a_step_ahead_finds_room_where_all_steps_are_taken_apart(
    tmp_path: Path,
) -> None:
    """A step that only frees goes before the one that loads, however full the memory is."""
    path = tmp_path / "rule.lp"
    path.write_text("occupies(B, T, Bytes) :- load(B, T + 1), block(B, Bytes), step(T).")
    rules = Overlay(rules_in_force(None, [path]).edit, ("duration",))
    broken = 0
    for seed in range(6):
        plan = random_plan(problem(LAYER), seed)
        full = replace(plan, problem=problem(LAYER, memory=plan.counts.peak))
        as_it_is = rules.read(full, Clock())
        apart = rules.read(Stretch(apart=True).of(full), Clock())
        assert as_it_is is not None
        assert apart is not None
        assert apart.obeys
        broken += not as_it_is.obeys
    assert broken > 2


def test_an_input_that_a_step_frees_and_loads_again_stays() -> None:
    plan = random_plan(problem(LAYER), 0)
    loads, frees = plan.load_pixels.tolist(), plan.free_pixels.tolist()
    step, *pixel = next(
        [t + 1, *one]
        for t, *one in loads
        if all(other[0] > t + 1 for other in frees if other[1:] == one and other[0] > t)
    )
    again = replace(
        plan,
        load_pixels=table([*map(tuple, loads), (step, *pixel)], 4),
        free_pixels=table([*map(tuple, frees), (step, *pixel)], 4),
    )
    assert again.duration > plan.duration
    found = without_reloads(again)
    assert all(np.array_equal(getattr(found, name), getattr(plan, name)) for name in TABLES)
