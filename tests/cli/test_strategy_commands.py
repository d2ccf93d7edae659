"""`offload-asp simulate` and `offload-asp check` on strategy files, right and wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate

from offloadasp.base.errors import InputError
from offloadasp.base.files import load_tensor
from tests.support.invoking import TINY, Ran, instance, offload_asp, steps_in

SPARE = TINY.replace("memory = 9", "memory = 100").replace("macs_per_step = 4", "macs_per_step = 8")


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an optimal strategy whose every rule has something to bite on."""
    folder = tmp_path_factory.mktemp("strategy")
    assert offload_asp("run", instance(folder), "--out", folder).code == 0
    return folder / "tiny.strategy.json"


def changed(strategy: Path, folder: Path, change: Callable[[Any], object]) -> Path:
    stored = json.loads(strategy.read_text())
    change(stored)
    path = folder / "changed.json"
    path.write_text(json.dumps(stored))
    return path


def drop_a_load(stored: Any) -> None:
    stored["steps"][1]["load"]["pixels"].pop()


def skip_the_last_write(stored: Any) -> None:
    stored["steps"][-1]["write"]["outputs"].clear()


def lower_the_memory(stored: Any) -> None:
    stored["instance"]["accelerator"]["memory"] = 8


def shorten_the_duration(stored: Any) -> None:
    stored["duration"] -= 1
    stored["lower_bound"] -= 1
    del stored["objective"]


def waste_a_load(stored: Any) -> None:
    """Load a pixel one more time, and claim that this is optimal."""
    pixel = [0, 0, 1, 0, 1]
    stored["steps"][0]["free"]["pixels"].append(pixel)
    stored["steps"].insert(0, {"load": {"pixels": [pixel]}})
    stored["duration"] += 1
    stored["lower_bound"] = stored["duration"]
    del stored["objective"]


def test_a_simulation_prints_totals_and_the_verdict(strategy: Path) -> None:
    ran = offload_asp("simulate", strategy)
    stored = json.loads(strategy.read_text())
    assert ran.code == 0
    assert f"{stored['duration']} cycles replayed, {stored['duration']} cycles stated" in ran.out
    assert "verified: output equals direct convolution, max abs error 0" in ran.out


def test_the_trace_has_a_row_per_step_that_adds_up(strategy: Path) -> None:
    found = offload_asp("simulate", strategy, "--trace", "--json").json
    trace = found["trace"]
    assert [row["step"] for row in trace] == list(range(1, len(steps_in(strategy)) + 1))
    assert sum(row["cycles"] for row in trace) == found["duration"]
    assert sum(row["loaded"] for row in trace) == found["loads"]["bytes"]
    assert sum(row["written"] for row in trace) == found["writes"]["bytes"]
    assert max(row["on_chip"] for row in trace) == found["peak_memory"]
    # Four positions of a 2 x 2 kernel; what was loaded leaves by being freed.
    assert sum(row["macs"] for row in trace) == 16
    assert sum(row["freed"] for row in trace) == found["loads"]["bytes"]


def test_the_printed_trace_is_the_one_in_json(strategy: Path) -> None:
    lines = offload_asp("simulate", strategy, "--trace").out.splitlines()
    assert lines[0].split() == [
        "step",
        "freed",
        "written",
        "loaded",
        "on",
        "chip",
        "MACs",
        "cycles",
    ]
    trace = offload_asp("simulate", strategy, "--trace", "--json").json["trace"]
    printed = [[int(cell) for cell in line.split()] for line in lines[1 : len(trace) + 1]]
    keys = ("step", "freed", "written", "loaded", "on_chip", "macs", "cycles")
    assert printed == [[row[key] for key in keys] for row in trace]


@pytest.mark.parametrize("batch", [None, 3])
def test_given_tensors_are_convolved(strategy: Path, tmp_path: Path, batch: int | None) -> None:
    generator = np.random.default_rng(1)
    shape = (1, 3, 3) if batch is None else (batch, 1, 3, 3)
    x = generator.integers(-9, 9, shape)
    w = generator.integers(-9, 9, (1, 1, 2, 2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", w)
    out = tmp_path / "new" / "y.npy"
    ran = offload_asp(
        *("simulate", strategy, "--input", tmp_path / "x.npy"),
        *("--weights", tmp_path / "w.npy", "--out", out),
    )
    assert ran.code == 0
    images = x.reshape(-1, 3, 3)
    expected = np.stack([correlate(image, w[0, 0], mode="valid") for image in images])
    found = np.load(out)
    assert found.dtype == np.int64
    assert np.array_equal(found.reshape(-1, 2, 2), expected)
    assert found.ndim == len(shape)


def save_pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def save_truncated(path: Path) -> None:
    np.save(path, np.zeros((1, 3, 3)))
    path.write_bytes(path.read_bytes()[:-8])


def save_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=np.zeros((1, 3, 3)))


def save_boastful(path: Path) -> None:
    np.save(path, np.zeros((1, 3, 3)))
    whole = path.read_bytes()
    assert b"(1, 3, 3), }        " in whole
    path.write_bytes(whole.replace(b"(1, 3, 3), }        ", b"(9999999999, 9999)} "))


WRONG_TENSORS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("1 2 3"),
    "pickled": save_pickled,
    "truncated": save_truncated,
    "an archive": save_archive,
    "larger than it is": save_boastful,
    "wrong shape": lambda path: np.save(path, np.zeros((3, 3, 1))),
    "wrong type": lambda path: np.save(path, np.zeros((1, 3, 3), dtype=complex)),
    "not finite": lambda path: np.save(path, np.full((1, 3, 3), np.nan)),
}


@pytest.mark.parametrize("kind", WRONG_TENSORS)
def test_wrong_tensors_are_refused_in_one_line(strategy: Path, tmp_path: Path, kind: str) -> None:
    path, out = tmp_path / "x.npy", tmp_path / "y.npy"
    WRONG_TENSORS[kind](path)
    ran = offload_asp("simulate", strategy, "--input", path, "--out", out, "--json")
    assert ran.code == 2
    assert "x.npy" in ran.error_line or "input" in ran.error_line
    # What a shape is, is not said in Python.
    assert not re.search(r"\(\d|shape \(", ran.error_line)
    assert not out.exists()


@pytest.mark.parametrize("kind", ["empty", "text", "pickled", "truncated", "an archive"])
def test_what_is_no_tensor_file_is_told_what_is_wanted(
    strategy: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x.npy"
    WRONG_TENSORS[kind](path)
    line = offload_asp("simulate", strategy, "--weights", path).error_line
    assert "x.npy: a .npy file of numbers, as numpy.save writes it, is wanted" in line


def test_a_tensor_of_another_shape_is_told_both_in_plain_words(
    strategy: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 3, 1)))
    line = offload_asp("simulate", strategy, "--input", tmp_path / "x.npy").error_line
    assert (
        "input: has shape 3 x 3 x 1; shape 1 x 3 x 3, or for a batch B x 1 x 3 x 3, is wanted"
        in line
    )


def test_every_prefix_of_a_tensor_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(4))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"x\.npy"):
            load_tensor(path)


def test_a_bias_for_a_layer_without_one_is_refused(strategy: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.zeros(1))
    ran = offload_asp("simulate", strategy, "--bias", tmp_path / "b.npy")
    assert ran.code == 2
    assert "bias" in ran.error_line


def test_an_output_that_cannot_be_written_is_refused(strategy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = offload_asp("simulate", strategy, "--out", tmp_path / "file" / "y.npy", "--json")
    assert ran.code == 2
    assert "y.npy" in ran.error_line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_float_tensors_are_within_the_stated_tolerance(strategy: Path, tmp_path: Path) -> None:
    x: NDArray[np.float32] = np.linspace(-1, 1, 9, dtype=np.float32).reshape(1, 3, 3)
    np.save(tmp_path / "x.npy", x)
    found = offload_asp("simulate", strategy, "--input", tmp_path / "x.npy", "--json").json
    assert found["verified"] is True
    assert 0 <= found["max_abs_error"] <= found["tolerance"] < 1e-5


@pytest.mark.parametrize("change", [drop_a_load, skip_the_last_write, lower_the_memory])
@pytest.mark.parametrize("name", ["simulate", "check"])
def test_broken_rules_exit_5_and_name_step_and_block(
    strategy: Path, tmp_path: Path, change: Callable[[Any], object], name: str
) -> None:
    path = changed(strategy, tmp_path, change)
    ran = offload_asp(name, path)
    assert ran.code == 5
    assert ran.error == ""
    assert "violations:" in ran.out
    assert "  step " in ran.out
    found = offload_asp(name, path, "--json")
    assert found.code == 5
    assert found.json["verified"] is False
    violations = found.json["violations"]
    steps = len(steps_in(path))
    assert violations
    assert all(0 <= entry["step"] <= steps and entry["rule"] for entry in violations)


def test_a_refused_strategy_writes_no_output(strategy: Path, tmp_path: Path) -> None:
    out = tmp_path / "y.npy"
    assert offload_asp("simulate", changed(strategy, tmp_path, drop_a_load), "--out", out).code == 5
    assert not out.exists()


def violations(ran: Ran) -> dict[tuple[int, str, str], tuple[str, ...]]:
    return {
        (entry["step"], entry["rule"], entry["block"]): tuple(entry["readings"])
        for entry in ran.json["violations"]
    }


def test_both_readings_name_the_same_step_rule_and_block(strategy: Path, tmp_path: Path) -> None:
    stored = json.loads(strategy.read_text())
    q, r0, _, c0, _ = stored["steps"][1]["load"]["pixels"][-1]
    ran = offload_asp("check", changed(strategy, tmp_path, drop_a_load), "--json")
    place = (2, "use_absent", f"pixel({r0},{c0},{q})")
    assert violations(ran)[place] == ("check.lp", "simulator")


def test_a_false_duration_is_named_by_both_readings(strategy: Path, tmp_path: Path) -> None:
    ran = offload_asp("check", changed(strategy, tmp_path, shorten_the_duration), "--json")
    assert ran.code == 5
    assert violations(ran)[0, "duration", ""] == ("check.lp", "simulator")


def test_a_strategy_as_written_is_accepted_with_its_bound(strategy: Path) -> None:
    ran = offload_asp("check", strategy, "--json")
    found = ran.json
    assert ran.code == 0
    assert found["accepted"] is True
    assert found["violations"] == []
    assert found["lower_bound"]["stated"] == found["duration"]
    assert found["lower_bound"]["verified"] or found["lower_bound"]["complete_search"]
    text = offload_asp("check", strategy).out
    assert "check.lp       accepted" in text
    assert "lower bound    " in text


def test_a_bound_that_the_certificate_does_not_prove_is_refused(tmp_path: Path) -> None:
    assert offload_asp("run", instance(tmp_path, SPARE), "--out", tmp_path).code == 0
    path = tmp_path / "tiny.strategy.json"
    assert offload_asp("check", path, "--json").json["lower_bound"]["verified"] is True
    ran = offload_asp("check", changed(path, tmp_path, waste_a_load), "--json")
    assert ran.code == 5
    assert violations(ran) == {(0, "bound", ""): ("certificate",)}
    bound = ran.json["lower_bound"]
    assert bound["proved"] == bound["stated"] - 1
    assert offload_asp("simulate", tmp_path / "changed.json").code == 0


def test_a_bound_without_a_certificate_is_refused(strategy: Path, tmp_path: Path) -> None:
    ran = offload_asp(
        "check", changed(strategy, tmp_path, lambda stored: stored.pop("certificate"))
    )
    assert ran.code == 5
    assert "the certificate proves nothing" in ran.out


def test_a_bound_by_complete_search_is_said_to_rest_on_it(strategy: Path, tmp_path: Path) -> None:
    def search(stored: Any) -> None:
        stored["certificate"] = {"complete_search": "exhausted"}

    ran = offload_asp("check", changed(strategy, tmp_path, search))
    assert ran.code == 0
    assert "complete search, which is not repeated" in " ".join(ran.out.split())


def test_a_verified_bound_says_for_which_decompositions(tmp_path: Path) -> None:
    """With everything on chip the compulsory traffic is the optimum of every decomposition."""
    path = instance(tmp_path, SPARE)
    assert offload_asp("run", path, "--out", tmp_path).code == 0
    found = offload_asp("check", tmp_path / "tiny.strategy.json", "--json").json
    assert found["status"] == "optimal"
    assert found["lower_bound"]["verified"] is True
    assert found["lower_bound"]["scope"] == "every decomposition"


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a strategy of least traffic and peak, proved without a search."""
    folder = tmp_path_factory.mktemp("ranked")
    options = ("--objective", "traffic,peak_memory", "--out", folder)
    assert offload_asp("run", "tiny-3x3", *options).code == 0
    return folder / "tiny-3x3.strategy.json"


def test_every_objective_is_read_twice_and_its_bound_verified_without_a_search(
    ranked: Path,
) -> None:
    stored = json.loads(ranked.read_text())
    assert stored["objective"]["name"] == "traffic,peak_memory"
    assert [part["name"] for part in stored["objective"]["then"]] == ["peak_memory"]
    ran = offload_asp("check", ranked, "--json")
    assert ran.code == 0
    found = ran.json
    assert [part["name"] for part in found["objectives"]] == ["traffic", "peak_memory"]
    traffic, peak = found["objectives"]
    assert traffic["verified"]
    assert traffic["proved"] == found["loads"]["bytes"] + found["writes"]["bytes"]
    assert peak["verified"]
    assert peak["proved"] == found["peak_memory"] < found["memory"]
    text = " ".join(offload_asp("check", ranked).out.split())
    assert f"of peak memory verified: {peak['proved']} bytes stated where traffic is at" in text


def state_less_traffic(stored: Any) -> None:
    stored["objective"]["value"] -= 1
    stored["objective"]["lower_bound"] -= 1


def state_a_lower_peak(stored: Any) -> None:
    stored["objective"]["then"][0]["value"] -= 1
    stored["objective"]["then"][0]["lower_bound"] -= 1


@pytest.mark.parametrize(
    ("change", "name"), [(state_less_traffic, "traffic"), (state_a_lower_peak, "peak_memory")]
)
def test_a_false_value_of_an_objective_is_named_by_both_readings(
    ranked: Path, tmp_path: Path, change: Callable[[Any], object], name: str
) -> None:
    path = changed(ranked, tmp_path, change)
    ran = offload_asp("check", path, "--json")
    assert ran.code == 5
    assert violations(ran)[0, "objective", name] == ("check.lp", "simulator")
    assert offload_asp("simulate", path).code == 5


def prove_less(stored: Any) -> None:
    """Exclude less memory than the stated bound needs."""
    stored["certificate"]["then"][0]["memory"] -= 1


def prove_nothing(stored: Any) -> None:
    del stored["certificate"]["then"]


def prove_with_more(stored: Any) -> None:
    """Exclude a memory at which the traffic is possible."""
    stored["certificate"]["then"][0]["memory"] += 1


def ask_for_less(stored: Any) -> None:
    """State a traffic and bound that leave more memory open than the certificate excludes."""
    stored["objective"]["value"] += 10
    stored["status"] = "feasible"


@pytest.mark.parametrize("change", [prove_less, prove_nothing, prove_with_more, ask_for_less])
def test_a_bound_on_the_peak_that_the_certificate_does_not_prove_is_refused(
    ranked: Path, tmp_path: Path, change: Callable[[Any], object]
) -> None:
    ran = offload_asp("check", changed(ranked, tmp_path, change), "--json")
    assert ran.code == 5
    assert violations(ran)[0, "bound", "peak_memory"] == ("certificate",)


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a strategy whose duration is proved together with its traffic."""
    folder = tmp_path_factory.mktemp("weighed")
    options = ("--objective", "traffic,peak_memory,duration", "--out", folder)
    assert offload_asp("run", "tiny-3x3", *options).code == 0
    path = folder / "tiny-3x3.strategy.json"
    assert "weight" in json.loads(path.read_text())["certificate"]["then"][1]
    assert offload_asp("check", path).code == 0
    return path


@pytest.mark.parametrize("weight", [0, -1, "-1", True, None, [16], "1e9", "1/0", "x", "9" * 99])
def test_another_weight_of_two_objectives_proves_another_bound_or_none(
    weighed: Path, tmp_path: Path, weight: object
) -> None:
    def weigh(stored: Any) -> None:
        stored["certificate"]["then"][1]["weight"] = weight

    ran = offload_asp("check", changed(weighed, tmp_path, weigh), "--json")
    assert ran.code == 5
    assert violations(ran)[0, "bound", ""] == ("certificate",)
    assert ran.json["objectives"][2]["name"] == "duration"
    assert not ran.json["objectives"][2]["verified"]


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored["objective"].update(then=[]),
        lambda stored: stored["objective"].update(name="traffic"),
        lambda stored: stored["objective"]["then"].pop(),
        lambda stored: stored["objective"]["then"][0].update(name="duration"),
        lambda stored: stored["objective"]["then"][0].pop("value"),
    ],
)
def test_objectives_and_names_that_disagree_exit_2(
    ranked: Path, tmp_path: Path, change: Callable[[Any], object]
) -> None:
    ran = offload_asp("check", changed(ranked, tmp_path, change))
    assert ran.code == 2
    assert "objective" in ran.error_line


def state_less(stored: Any) -> None:
    stored["duration"] -= 1
    stored["objective"]["value"] -= 1
    stored["objective"]["lower_bound"] = stored["lower_bound"] = 0
    stored["status"] = "feasible"


def state_a_high_bound(stored: Any) -> None:
    stored["lower_bound"] += 1
    stored["objective"]["lower_bound"] += 1


def state_an_optimum(stored: Any) -> None:
    stored["objective"]["lower_bound"] = stored["lower_bound"] = 1


@pytest.mark.parametrize(
    ("change", "false"),
    [
        (state_less, "a duration of 37 cycles where both readings count 38 cycles (duration)"),
        (state_a_high_bound, "a lower bound of 39 cycles above the duration of 38 cycles (bound)"),
        (
            state_an_optimum,
            "the status optimal with a lower bound of 1 cycle for the duration of 38 cycles",
        ),
    ],
)
def test_a_check_says_what_is_right_and_what_the_file_states_falsely(
    strategy: Path, tmp_path: Path, change: Callable[[Any], object], false: str
) -> None:
    ran = offload_asp("check", changed(strategy, tmp_path, change))
    text = " ".join(ran.out.split())
    assert ran.code == 5
    assert "NOT VERIFIED: every step is valid and output equals direct convolution" in text
    assert "but something that the file states is false" in text
    assert f"the whole strategy: the file states {false}" in text
    assert "violations: 1 " in text


def test_a_check_of_wrong_steps_does_not_call_them_valid(strategy: Path, tmp_path: Path) -> None:
    text = " ".join(offload_asp("check", changed(strategy, tmp_path, drop_a_load)).out.split())
    assert re.search(r"NOT VERIFIED: \d+ violations? in the steps; output", text)
    assert re.search(r"check\.lp REFUSED: \d+ violations? in the steps", text)
    assert "valid" not in text


def test_false_values_of_other_objectives_are_told_in_their_units(
    ranked: Path, tmp_path: Path
) -> None:
    text = " ".join(offload_asp("check", changed(ranked, tmp_path, state_less_traffic)).out.split())
    assert re.search(r"a traffic of 42 bytes where both readings count 43 bytes", text)


@pytest.mark.parametrize("name", ["simulate", "check"])
@pytest.mark.parametrize(
    "content", [TINY.encode(), b"\x93NUMPY\x01\x00v\x00{'descr'", b"[1]", b'{"name": "tiny"}']
)
def test_what_is_no_strategy_file_is_told_what_is_wanted(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / "odd name.json"
    path.write_bytes(content)
    line = offload_asp(name, path).error_line
    assert "odd name.json: " in line
    assert "a strategy file, as 'offload-asp run' writes it" in line


@pytest.mark.parametrize("name", ["simulate", "check"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff\xfe", b'{"steps": NaN}'])
def test_what_is_no_strategy_file_exits_2(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / "odd name.json"
    if content is not None:
        path.write_bytes(content)
    ran = offload_asp(name, path, "--json")
    assert ran.code == 2
    assert "odd name.json" in ran.error_line
