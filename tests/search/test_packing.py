"""Full compute actions: operations split and packed, against outside optima and by properties."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offloadasp
from offloadasp.asp.verifying import Verification
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Choice, Instance, Layer, parse_instance
from offloadasp.model.objectives import DURATION, prices_of
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.construct.candidate import evaluate
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.construct.packing.candidates import packable, split
from offloadasp.search.construct.packing.fill import fullest, packed
from offloadasp.search.construct.packing.splits import splits
from offloadasp.search.construct.residency import plan_of
from offloadasp.search.construct.traversal import visits
from offloadasp.search.size_limits import operations
from tests.engines import exhaustive
from tests.support.layers import accelerator

AMOUNTS = st.lists(st.integers(1, 12), min_size=1, max_size=9)


@given(AMOUNTS, st.integers(0, 60))
def test_the_fullest_choice_is_that_of_all_subsets(amounts: list[int], room: int) -> None:
    subsets = itertools.product((0, 1), repeat=len(amounts))
    sums = (sum(a for a, taken in zip(amounts, s, strict=True) if taken) for s in subsets)
    chosen = fullest(amounts, room)
    assert chosen == sorted(set(chosen))
    assert sum(amounts[k] for k in chosen) == max(total for total in sums if total <= room)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=120), st.integers(40, 90), st.integers(0, 20)
)
def test_packed_steps_hold_every_operation_once_within_the_limit(
    sizes: list[int], limit: int, ahead: int
) -> None:
    steps = packed(sizes, limit, ahead)
    assert sorted(k for step in steps for k in step) == list(range(len(sizes)))
    assert all(0 < sum(sizes[k] for k in step) <= limit for step in steps)
    # The longest waiting operation is in every step, so none waits for ever.
    later = set(range(len(sizes)))
    for step in steps:
        assert min(later) in step
        later -= set(step)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(10, 120), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_splits_are_parts_of_their_groups_that_fit_a_step(
    kernels: int, channels: int, limit: int, most: int
) -> None:
    found = splits(kernels, channels, limit, most)
    for parts in found:
        assert (sum(parts.kernels), sum(parts.channels)) == (kernels, channels)
        assert parts.pairs <= most
        assert max(parts.kernels) * max(parts.channels) <= limit
    # More operations, or the last ones, are worth it only where less is left idle.
    assert [s.loss for s in found] == sorted((s.loss for s in found), reverse=True)


def test_of_64_kernels_and_room_for_107_all_compute_actions_are_full() -> None:
    # ResNet-50's first layer on gap8: 107 kernels of three channels fit, 1.67 positions.
    best = splits(64, 1, 107, 8)[-1]
    sizes = list(best.kernels) * 400
    steps = packed(sizes, 107, 16)
    assert len(steps) <= -(-64 * 400 // 107) + 1


LAYERS = st.builds(
    lambda group, channels, kernels, rows, columns, **others: {
        "input": [group * channels, rows, columns],
        "kernels": group * kernels,
        "group": group,
        **others,
    },
    group=st.sampled_from([1, 1, 2, 4]),
    channels=st.integers(1, 6),
    kernels=st.integers(1, 9),
    rows=st.integers(3, 8),
    columns=st.integers(3, 8),
    kernel_shape=st.sampled_from([[1, 1], [3, 3], [2, 3]]),
    strides=st.sampled_from([[1, 1], [2, 1]]),
    pads=st.sampled_from([[0, 0, 0, 0], [1, 1, 1, 1]]),
)


def _instance(layer: dict[str, Any], memory: int, windows: int) -> Instance:
    height, width = layer["kernel_shape"]
    chip = {
        "memory": memory,
        "load_cycles": "1/8",
        "write_cycles": "1/8",
        "compute_cycles": 16,
        "macs_per_step": windows * height * width,
    }
    return parse_instance({"name": "packed", "layer": layer, "accelerator": chip}, "test")


def _problems(instance: Instance) -> list[Problem]:
    return [problem_of(instance, found) for found in decompositions(instance)]


@given(LAYERS, st.integers(200, 900), st.integers(3, 40))
@settings(max_examples=25, deadline=None)
def test_packed_plans_keep_within_memory_and_the_limit_of_a_step(
    layer: dict[str, Any], memory: int, windows: int
) -> None:
    instance = _instance(layer, memory, windows)
    for _, blocking in packable(_problems(instance))[:3]:
        for _, fine in list(split(blocking, 4000))[-1:]:
            path = visits(fine.problem.tile_grid, fine.traversal)
            found = evaluate(path, fine, fine.traversal)
            if found is None:
                continue
            plan = plan_of(fine.problem, found.schedule)
            assert plan.counts.peak <= memory
            step, n, q, i, j = plan.compute.T
            done = np.bincount(step, weights=fine.problem.operation_macs[n, q])
            assert done.max() <= instance.accelerator.macs_per_step
            times = Counter(zip(n.tolist(), q.tolist(), i.tolist(), j.tolist(), strict=True))
            pairs = fine.problem.exists.count
            assert set(times.values()) == {1}
            assert len(times) == pairs * fine.problem.positions


@pytest.mark.parametrize(
    ("layer", "windows"),
    [
        # Three kernels at a position, room for four: steps reach over positions.
        ({"input": [1, 1, 3], "kernels": 3, "kernel_shape": [1, 1]}, 4),
        # Two channels of two kernels, room for three: steps reach over channels.
        ({"input": [2, 1, 3], "kernels": 2, "kernel_shape": [1, 1]}, 3),
    ],
)
def test_with_all_memory_packed_plans_are_the_shortest_of_all(
    layer: dict[str, Any], windows: int
) -> None:
    instance = _instance(layer, 200, windows)
    best = Constructor(_problems(instance), Clock(), 0)
    best._pack()
    assert best.best.overall is not None
    plan = best.best.overall.offer().plan
    assert plan.duration == exhaustive.optimal_duration(problem_of(instance, scope(instance)))


def test_groups_of_a_convolution_that_a_step_has_no_room_for_are_not_kept_whole() -> None:
    # ShuffleNet on gap8: a step has room for 992 of the 1,156 pairs of a group.
    layer = {"input": [8, 3, 3], "kernels": 8, "kernel_shape": [1, 1], "group": 2}
    problems = _problems(_instance(layer, 400, 15))
    fine = [found.problem for _, blocking in packable(problems) for _, found in split(blocking, 99)]
    assert fine
    assert all(problem.operation_macs.max() <= 15 for problem in fine)


@pytest.mark.parametrize(
    ("first", "step", "alone"), [(0.0, 1.0, False), (1e9, 1.0, True), (1e9, 0.0, False)]
)
def test_a_plan_that_is_verified_too_late_and_later_than_another_does_not_replace_it(
    first: float, step: float, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(first, step)
    monkeypatch.setattr(Verification, "to_verify", lambda *_: next(seconds))
    instance = _instance({"input": [2, 5, 5], "kernels": 3, "kernel_shape": [3, 3]}, 60, 7)
    best = Constructor(_problems(instance), Clock(1e6), 0).run()
    assert (len(best.history) == 1) == alone


def test_where_the_fullest_split_is_verified_too_late_a_coarser_one_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance = _instance({"input": [4, 3, 3], "kernels": 4, "kernel_shape": [1, 1]}, 2000, 13)
    _, blocking = packable(_problems(instance))[0]
    # Some leave 8 % of compute actions idle, this one 1 %, those after it nothing.
    coarse = next(found for idle, found in split(blocking, 4000) if idle < 0.01)
    most = operations(coarse.problem)
    monkeypatch.setattr(Verification, "to_verify", lambda _, step, *__: 1e9 * (len(step) > most))
    made = Constructor(_problems(instance), Clock(1e6), 0)
    # Some plan comes first, and not the best one.
    worst = made._rank(briefly=True)[-1][2]
    known = made._attempt(worst, coarse.traversal, None)
    assert known is not None
    made._packed(blocking)
    best = made.best.overall
    assert best is not None
    assert best.cost < known.cost
    assert best.blocking.problem.exists.shape == coarse.problem.exists.shape


def test_without_any_time_some_plan_is_still_constructed() -> None:
    instance = _instance({"input": [2, 5, 5], "kernels": 3, "kernel_shape": [3, 3]}, 60, 7)
    assert Constructor(_problems(instance), Clock(0.0), 0).run().overall is not None


def test_groups_that_the_instance_fixes_stay_whole() -> None:
    layer = {"input": [4, 5, 5], "kernels": 10, "kernel_shape": [3, 3]}
    instance = _instance(layer, 2000, 17).model_copy(
        update={"decomposition": Choice(kernel_groups=(3, 7))}
    )
    prices = prices_of(DURATION, instance)
    problems = [problem.at(prices) for problem in _problems(instance)]
    fine = [found for _, blocking in packable(problems)[:4] for _, found in split(blocking, 4000)]
    assert fine
    assert {found.problem.decomposition.kernel_groups for found in fine} == {((0, 3), (3, 10))}


def test_a_layer_whose_patches_are_all_padding_is_packed() -> None:
    layer = Layer(
        input=(1, 1, 2), kernels=1, kernel_shape=(1, 1), strides=(2, 1), pads=(1, 0, 0, 0)
    )
    chip = accelerator(memory=4, macs=2)
    result = offloadasp.solve(Instance(name="padding", layer=layer, accelerator=chip), budget=4)
    # One weight is loaded, one compute action done, and two outputs are written.
    assert result.duration == 4
