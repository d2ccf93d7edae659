"""Strategy files: what is saved is what is loaded, boxes are exact, bad files give one line."""

import copy
import json
import os
import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.base.errors import InputError
from offloadasp.model.instance import Layer, exact_number
from offloadasp.model.plan import TABLES, plan_from_rows
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy, boxes, dumps, load, save, steps_of
from tests.engines.mutants import HALO, VALID, Json
from tests.engines.plans import cost, problem, random_plan, strategy_of
from tests.support.layers import layers

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    layer = draw(layers(side=5))
    return problem(
        layer,
        kernel_groups=draw(st.integers(1, layer.kernels)),
        channel_groups=draw(st.integers(1, layer.input[0])),
        load_cycles=draw(st.fractions(0, 10, max_denominator=100)),
    )


@pytest.fixture
def halo() -> Strategy:
    return Strategy.model_validate(HALO)


# Boxes


def cells(box: list[int]) -> list[tuple[int, ...]]:
    *key, r0, r1, c0, c1 = box
    return [(*key, r, c) for r in range(r0, r1) for c in range(c0, c1)]


ROWS = st.integers(0, 2).flatmap(
    lambda keys: st.tuples(
        st.just(keys),
        st.sets(st.tuples(*[st.integers(0, 1)] * keys, *[st.integers(0, 6)] * 2), max_size=40),
    )
)


@given(drawn=ROWS, seed=SEEDS)
def test_boxes_cover_every_cell_exactly_once_in_any_order_of_rows(
    drawn: tuple[int, set[tuple[int, ...]]], seed: int
) -> None:
    keys, wanted = drawn
    rows = np.array(sorted(wanted), dtype=np.int64).reshape(-1, keys + 2)
    np.random.default_rng(seed).shuffle(rows)
    found = boxes(rows)
    covered = [cell for box in found for cell in cells(box)]
    assert len(covered) == len(set(covered))
    assert set(covered) == wanted
    assert found == sorted(found)
    assert all(r0 < r1 and c0 < c1 for *_, r0, r1, c0, c1 in found)


@given(
    rows=st.tuples(st.integers(0, 9), st.integers(1, 9)),
    columns=st.tuples(st.integers(0, 9), st.integers(1, 9)),
    keys=st.lists(st.integers(0, 3), max_size=3),
)
def test_a_rectangle_is_one_box(
    rows: tuple[int, int], columns: tuple[int, int], keys: list[int]
) -> None:
    box = [*keys, rows[0], sum(rows), columns[0], sum(columns)]
    assert boxes(np.array(cells(box))) == [box]


def test_adjacent_rectangles_of_other_keys_or_widths_stay_apart() -> None:
    wanted = [[0, 0, 2, 0, 3], [0, 2, 3, 0, 2], [1, 0, 2, 0, 3]]
    rows = np.array([cell for box in wanted for cell in cells(box)])
    assert boxes(rows) == wanted


# Plans as steps


def actions(strategy: Strategy) -> dict[str, set[tuple[int, ...]]]:
    """All rows of all boxes, the step first."""
    found: dict[str, set[tuple[int, ...]]] = {name: set() for name in TABLES}
    for t, step in enumerate(strategy.model_dump(mode="json")["steps"], start=1):
        for name, rows in found.items():
            table, _, kind = name.partition("_")
            listed = step[table][kind] if kind else step[table]
            for box in listed:
                rows |= {(t, *row) for row in ([tuple(box)] if "kernels" in name else cells(box))}
    return found


@settings(deadline=None, max_examples=60)
@given(problem=problems(), seed=SEEDS)
def test_steps_hold_exactly_the_actions_of_the_plan(problem: Problem, seed: int) -> None:
    plan = random_plan(problem, seed)
    strategy = strategy_of(problem, plan)
    assert len(strategy.steps) == plan.steps
    rows = {name: getattr(plan, name).tolist() for name in TABLES}
    assert actions(strategy) == {name: set(map(tuple, table)) for name, table in rows.items()}


def test_a_plan_without_actions_has_no_steps() -> None:
    smallest = problem(Layer(input=(1, 1, 1), kernels=1, kernel_shape=(1, 1)))
    assert steps_of(plan_from_rows(smallest, {name: [] for name in TABLES})) == ()


# Files


@settings(deadline=None, max_examples=40)
@given(problem=problems(), seed=SEEDS)
def test_what_is_dumped_is_what_is_read(
    problem: Problem, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = random_plan(problem, seed)
    strategy = strategy_of(problem, plan).model_copy(
        update={"lower_bound": cost(problem, plan).duration / 3, "certificate": {"phases": [1, 2]}}
    )
    path = tmp_path_factory.mktemp("round") / "a.strategy.json"
    save(strategy, path)
    found = load(path)
    assert found == strategy
    assert dumps(found) == path.read_text(encoding="utf-8")
    assert found.problem.resolved_instance() == problem.resolved_instance()


@pytest.mark.parametrize("name", VALID)
def test_a_file_holds_plain_json_with_the_keys_of_the_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / "made" / "here" / f"{name}.strategy.json"
    objective = {"name": "duration", "value": "65/2", "lower_bound": 3}
    save(Strategy.model_validate(VALID[name] | {"objective": objective}), path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert list(data) == [
        "format", "version", "instance", "duration", "lower_bound", "status", "objective",
        "certificate", "steps",
    ]  # fmt: skip
    assert (data["format"], data["version"]) == ("offload-asp/strategy", 1)
    for found, made in zip(data["steps"], VALID[name]["steps"], strict=True):
        assert list(found) == ["free", "write", "load", "compute"]
        assert found["compute"] == made["compute"]
        for table in ("free", "write", "load"):
            assert {kind: rows for kind, rows in found[table].items() if rows} == made[table]
    assert data["objective"] == objective
    assert data["duration"] == VALID[name]["duration"]


def test_durations_are_integers_or_fractions_and_read_exactly(halo: Strategy) -> None:
    assert exact_number(Fraction(7)) == 7
    assert exact_number(Fraction(14, 2)) == 7
    assert exact_number(Fraction(7, 2)) == "7/2"
    found = Strategy.model_validate(HALO | {"duration": "1/3", "lower_bound": 0})
    assert (found.duration, found.lower_bound) == (Fraction(1, 3), Fraction(0))
    assert json.loads(dumps(found))["duration"] == "1/3"


def test_a_duration_is_no_decimal_since_files_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(HALO).replace('"duration": 32', '"duration": 0.1'))
    with pytest.raises(InputError, match="duration: must be an integer or a fraction"):
        load(path)


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(
    halo: Strategy, tmp_path: Path
) -> None:
    path = tmp_path / "a.strategy.json"
    path.write_text("old")
    save(halo, path)
    assert load(path) == halo
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    failing: str, error: BaseException, halo: Strategy, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "a.strategy.json"
    path.write_text("old")

    def fail(*_: Any) -> None:
        raise error

    place: Any = os if failing == "fsync" else Path
    monkeypatch.setattr(place, failing, fail)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        save(halo, path)
    if expected is InputError:
        assert str(raised.value) == f"{path}: cannot be written: No space left on device"
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_reported_in_one_line(
    halo: Strategy, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^[^\n]*cannot be written[^\n]*$"):
        save(halo, tmp_path / "file" / "a.json")


def changed(**update: Any) -> Json:
    return HALO | update


def deep(path: str, value: Any) -> Json:
    data: Any = copy.deepcopy(HALO)
    *keys, last = path.split(".")
    target = data
    for key in keys:
        target = target[int(key) if key.isdigit() else key]
    target[int(last) if last.isdigit() else last] = value
    return dict(data)


def too_large() -> Json:
    data = deep("instance.layer.input", [2**16, 2**8, 2**8])
    data["instance"]["decomposition"]["channel_groups"] = [[0, 2**16]]
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (changed(format="other"), ["format"]),
        (changed(version=2), ["version"]),
        (changed(surplus=1), ["surplus", "unknown key"]),
        (changed(status="best"), ["status", "optimal"]),
        (changed(duration=True), ["duration"]),
        (changed(duration=-1), ["duration"]),
        (changed(duration="1/0"), ["duration"]),
        (changed(lower_bound=None), ["lower_bound"]),
        (changed(objective={"name": "loads"}), ["objective", "missing"]),
        (changed(steps={}), ["steps"]),
        ({k: v for k, v in HALO.items() if k != "steps"}, ["steps", "missing"]),
        ({k: v for k, v in HALO.items() if k != "instance"}, ["instance", "missing"]),
        (deep("steps.0.load.pixels.0", [0, 0, 2, 0]), ["steps.0.load.pixels.0"]),
        (deep("steps.0.load.pixels.0", [0, 0, 2, 0, 2, 3]), ["steps.0.load.pixels"]),
        (deep("steps.0.load.pixels.0.1", -1), ["steps.0.load.pixels.0.1", "-1"]),
        (deep("steps.0.load.pixels.0.1", 2**31), ["steps.0.load.pixels.0.1"]),
        (deep("steps.0.load.pixels.0.1", 0.5), ["steps.0.load.pixels.0.1"]),
        (deep("steps.0.load.pixels.0.1", "0"), ["steps.0.load.pixels.0.1"]),
        (deep("steps.0.load.weights", []), ["steps.0.load.weights", "unknown key"]),
        (deep("steps.1.compute", [[0, 0, 0, 1]]), ["steps.1.compute.0"]),
        (deep("instance.layer.kernels", 0), ["instance.layer.kernels", "0"]),
        (deep("instance.decomposition.kernel_groups", "auto"), ["kernel_groups"]),
        (deep("instance.decomposition.kernel_groups", [[0, 2]]), ["kernel_groups", "partition"]),
        (deep("instance.decomposition.channel_groups", []), ["channel_groups"]),
        (too_large(), ["input", "bytes"]),
        ([HALO], ["must be a JSON object"]),
        ("text", ["must be a JSON object"]),
    ],
)
def test_a_wrong_file_gives_one_line_with_file_key_and_value(
    data: Any, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(data))
    refused(path, words)


def refused(path: Path, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is not valid JSON"]),
        (b"{", ["is not valid JSON"]),
        (b"\xff\xfe{}", ["is not UTF-8"]),
        (b'{"duration": NaN}', ["is not valid JSON", "NaN"]),
        (b'{"duration": Infinity}', ["is not valid JSON", "Infinity"]),
        (b"[" * 100_000, ["is not valid JSON"]),
        (b'{"duration": ' + b"9" * 5000 + b"}", ["is not valid JSON"]),
    ],
)
def test_what_is_no_json_is_refused_in_one_line(
    content: bytes, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(content)
    refused(path, words)


def test_a_missing_file_and_a_folder_are_refused_in_one_line(tmp_path: Path) -> None:
    refused(tmp_path / "missing.json", ["cannot be read"])
    refused(tmp_path, ["cannot be read"])


def test_a_huge_exponent_is_refused_rather_than_computed(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(HALO).replace('"duration": 32', '"duration": 1e999999999'))
    refused(path, ["duration"])


@pytest.mark.parametrize(
    "duration",
    [
        Fraction(2**31 * 10**9),  # all bytes that an instance may have, at the highest rate
        Fraction(1, 10**18 - 1) + Fraction(1, 10**17 - 1),  # two rates with long denominators
    ],
)
def test_every_duration_that_an_instance_can_lead_to_is_read_back(
    duration: Fraction, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    strategy = Strategy.model_validate(HALO | {"duration": duration})
    save(strategy, path)
    assert load(path) == strategy
    assert load(path).duration == duration
