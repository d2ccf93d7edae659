"""Edited and added rules on the command line: obeyed, refused, or shown to permit too much."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clingo import Control

from offloadasp.asp.solving import Outcome, Progress, Solving, minimise
from offloadasp.base.resources import encodings_folder, model_folder
from offloadasp.limits.clock import Clock
from tests.support.invoking import TINY, UNTIL_PROVED, Ran, cells, instance, offload_asp, steps_in

AT_MOST_THREE = ":- step(T), T > 1, #count { R, C, Q : load(pixel(R, C, Q), T) } > 3.\n"
# Two patches that share nothing: without the rule every step loads a whole patch of four pixels.
APART = TINY.replace("[1, 3, 3]", "[1, 2, 4]").replace(
    "kernel_shape = [2, 2]", "kernel_shape = [2, 2]\nstrides = [2, 2]"
)


def run(path: Path, *more: str | Path) -> Ran:
    return offload_asp("run", path, "--out", path.parent / "out", *UNTIL_PROVED, *more)


def added(folder: Path, text: str) -> Path:
    path = folder / "added.lp"
    path.write_text(text)
    return path


def loaded_pixels(step: dict[str, Any]) -> int:
    return sum(cells(box) for box in step["load"]["pixels"])


def copied(folder: Path) -> Path:
    copy = folder / "encodings"
    assert offload_asp("encodings", copy).code == 0
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_an_added_rule_changes_the_plan_and_is_obeyed(tmp_path: Path) -> None:
    path = instance(tmp_path, APART)
    strategy = tmp_path / "out" / "tiny.strategy.json"
    assert run(path).code == 0
    assert [loaded_pixels(step) for step in steps_in(strategy)] == [4, 4, 0]
    ran = run(path, "--encoding", added(tmp_path, AT_MOST_THREE), "--json")
    assert ran.code == 0
    loads = [loaded_pixels(step) for step in steps_in(strategy)]
    assert max(loads[1:]) <= 3
    assert sum(loads) == 8
    assert len(loads) > 3
    assert ran.json["status"] == "optimal"
    assert ran.json["edited"] is True
    assert ran.json["rules"]["kind"] == "restriction"
    assert ran.json["rules"]["statements"] == [{"file": "added.lp", "line": 1}]
    assert offload_asp("check", strategy).code == 0


def test_an_added_rule_is_obeyed_on_the_shipped_tiny_3x3(tmp_path: Path) -> None:
    strategy = tmp_path / "tiny-3x3.strategy.json"
    ran = offload_asp("run", "tiny-3x3", "--out", tmp_path)
    assert ran.code == 0
    assert max(loaded_pixels(step) for step in steps_in(strategy)[1:]) > 3
    rule = added(tmp_path, AT_MOST_THREE)
    ran = offload_asp("run", "tiny-3x3", "--out", tmp_path, "--encoding", rule, "--budget", "20")
    assert ran.code == 0
    assert max(loaded_pixels(step) for step in steps_in(strategy)[1:]) <= 3


def test_several_files_of_rules_all_count(tmp_path: Path) -> None:
    more = tmp_path / "more.lp"
    more.write_text(":- step(T), T < 3, load(pixel(_, _, _), T).\n")
    path = instance(tmp_path, APART)
    ran = run(path, "--encoding", added(tmp_path, AT_MOST_THREE), "--encoding", more)
    assert ran.code == 0
    loads = [loaded_pixels(step) for step in steps_in(tmp_path / "out" / "tiny.strategy.json")]
    assert loads[:2] == [0, 0]
    assert max(loads) <= 3
    assert sum(loads) == 8


def test_a_rule_that_forbids_every_plan_exits_3(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--encoding", added(tmp_path, ":- compute(_, _).\n"), "--json")
    assert ran.code == 3
    assert "infeasible under your added rules (added.lp); feasible without them" in ran.error_line
    assert not (tmp_path / "out").exists()


def test_without_any_rule_of_the_user_s_to_blame_the_instance_is(tmp_path: Path) -> None:
    path = instance(tmp_path, memory="5")
    ran = run(path, "--encoding", added(tmp_path, ":- compute(_, _).\n"), "--json")
    assert ran.code == 3
    assert "accelerator.memory = 5 bytes is too small; at least 9 are needed" in ran.error_line


def test_an_edited_copy_that_forbids_every_plan_is_compared_with_the_shipped_rules(
    tmp_path: Path,
) -> None:
    copy = copied(tmp_path)
    with (copy / "step.lp").open("a") as file:
        file.write(":- compute(_, _).\n")
    ran = run(instance(tmp_path), "--encodings", copy, "--json")
    assert ran.code == 3
    assert f"under your edited rules ({copy}); feasible under the shipped rules" in ran.error_line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("#external load(B, T) : block(B, _), step(T).\n", "added.lp:1: #external of load is not"),
        ("\n#external -memory(1).\n", "added.lp:2: #external of memory is not allowed"),
        ("a.\n#program late(t). :- compute(_, _).\n", "added.lp:2: #program late is not allowed"),
        ("#theory t { x { }; &sum/0 : x, any }.\n", "added.lp:1: #theory is not allowed"),
        ("\nmany(3000000000).\n", "added.lp:2: 3000000000 is too large; at most 2147483647"),
        (":- step(T), T > 1 / 0.\n", "added.lp:1"),
        (":- step(T), T > @f(T).\n", "added.lp:1: @ terms are not allowed"),
        ("#include <incmode>.\n", "outside the folders given"),
        ('#include "/etc/passwd".\n', "outside the folders given"),
        ('#include "missing.lp".\n', "is no file beside it"),
        ("\n:- not laod(3, 4).\n", "added.lp:2"),
        (
            "#minimize { 2000000000, T : computing(T) }.\n",
            "clingo's integers end at 2147483647: use smaller weights",
        ),
        (
            ":- #sum { 2000000000, T : computing(T) } > 5.\n",
            "added.lp:1: 5 < #sum { 2000000000,T: computing(T) } can reach 4000000000; clingo's",
        ),
    ],
)
def test_rules_that_would_not_mean_what_they_say_are_refused(
    tmp_path: Path, text: str, what: str
) -> None:
    ran = run(instance(tmp_path), "--encoding", added(tmp_path, text), "--json")
    assert ran.code == 2
    assert what in ran.error_line
    assert not (tmp_path / "out").exists()


def test_an_include_through_a_link_may_not_leave_the_folder_either(tmp_path: Path) -> None:
    (tmp_path / "outside.lp").write_text("outside.\n")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "inside.lp").symlink_to(tmp_path / "outside.lp")
    rule = added(folder, '#include "inside.lp".\n')
    ran = run(instance(tmp_path), "--encoding", rule, "--json")
    assert ran.code == 2
    assert "outside the folders given" in ran.error_line


def test_what_the_user_alone_defines_may_be_external(tmp_path: Path) -> None:
    rule = added(tmp_path, "#external mine(1).\n:- mine(1), compute(_, _).\n")
    assert run(instance(tmp_path), "--encoding", rule).code == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("\n:- laod(pixel(R, C, Q), T), T > 1.\n", "added.lp:2"),
        ("\n\na :- b(.\n", "added.lp:3"),
        ("\n:- compute(O, T), X > 1.\n", "added.lp:2"),
        ("#script (python)\nopen('made', 'w')\n#end.\n", "scripts are not allowed"),
        ("x(@f(1)).\n", "@ terms are not allowed"),
        ('#include "../outside.lp".\n', "outside"),
    ],
)
def test_wrong_rules_exit_2_and_name_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str
) -> None:
    (tmp_path / "outside.lp").write_text("outside.\n")
    folder = tmp_path / "rules"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    ran = run(instance(tmp_path), "--encoding", added(folder, text), "--json")
    assert ran.code == 2
    assert what in ran.error_line
    assert "added.lp" in ran.error_line
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00x(", None])
def test_files_that_are_no_rules_exit_2(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "added.lp"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    ran = run(instance(tmp_path), "--encoding", path, "--json")
    assert ran.code == 2
    assert str(path) in ran.error_line


def test_an_untouched_copy_counts_as_the_shipped_rules(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--encodings", copied(tmp_path), "--json")
    assert ran.code == 0
    assert ran.json["edited"] is False
    assert ran.json["status"] == "optimal"


def test_a_copy_without_the_memory_rule_permits_a_plan_that_is_refused(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    rule = next(line for line in (copy / "step.lp").read_text().splitlines() if "memory(M)" in line)
    edit(copy / "step.lp", rule, "")
    ran = run(instance(tmp_path), "--encodings", copy, "--json")
    assert ran.code == 5
    assert "VERIFICATION FAILED (the edited rules permit a plan that is refused)" in ran.error_line
    assert "check.lp: step" in ran.error_line
    assert "simulator: step" in ran.error_line
    assert not (tmp_path / "out").exists()


def test_an_edited_objective_is_reported_as_such(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    objective = copy / "objective" / "duration.lp"
    text = objective.read_text()
    objective.write_text(
        text.replace("#minimize", "#minimize { 1000, T : computing(T) }.\n#minimize", 1)
    )
    ran = run(instance(tmp_path), "--encodings", copy, "--json")
    found = ran.json
    assert ran.code == 0
    assert found["objective"]["name"] == "edited"
    assert found["objective"]["value"] == 4 * 1000 + found["duration"]
    # The duration's own terms are as they were, and every strategy has four compute actions.
    assert found["lower_bound"] == found["duration"]
    assert found["objective"]["lower_bound"] == found["objective"]["value"]


def test_objectives_count_at_their_priorities_under_added_rules(tmp_path: Path) -> None:
    harmless = added(tmp_path, ":- steps(0).\n")
    path = instance(tmp_path, APART)
    for names in ("traffic,peak_memory", "peak_memory,duration", "duration,traffic"):
        plain = run(path, "--objective", names, "--json").json["objective"]
        ran = run(path, "--objective", names, "--encoding", harmless, "--json")
        assert ran.code == 0
        found = ran.json["objective"]
        assert found["name"] == plain["name"] == names
        assert found["status"] == found["then"][0]["status"] == "optimal"
        assert found["value"] == plain["value"]
        assert found["then"][0]["value"] == plain["then"][0]["value"]
        assert offload_asp("check", tmp_path / "out" / "tiny.strategy.json").code == 0


def test_a_rule_that_minimises_goes_before_the_objectives(tmp_path: Path) -> None:
    few = added(tmp_path, "#minimize { 1@1, B, T : load(B, T) }.\n")
    ran = run(instance(tmp_path, APART), "--encoding", few, "--json")
    assert ran.code == 0
    objective = ran.json["objective"]
    assert objective["name"] == "edited,duration"
    assert objective["value"] == 8 + 1  # eight pixel blocks and the kernel block, once each
    assert objective["then"][0]["value"] == ran.json["duration"]
    assert 0 < ran.json["lower_bound"] <= ran.json["duration"]


def test_a_rule_of_what_a_block_occupies_changes_the_peak_and_not_the_duration(
    tmp_path: Path,
) -> None:
    ahead = added(tmp_path, "occupies(B, T, Bytes) :- load(B, T + 1), block(B, Bytes), step(T).\n")
    path = instance(tmp_path, APART, memory="13")
    ran = run(path, "--objective", "peak_memory,duration", "--encoding", ahead, "--json")
    assert ran.code == 0
    assert ran.json["objective"]["name"] == "edited,duration"


def test_only_the_shipped_objectives_can_be_named(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    shutil.copy(copy / "objective" / "duration.lp", copy / "objective" / "power.lp")
    ran = run(instance(tmp_path), "--encodings", copy, "--objective", "power", "--json")
    assert ran.code == 2
    assert "must be one of duration, traffic, peak_memory" in ran.error_line


def test_an_incomplete_copy_is_refused(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "objective" / "traffic.lp").unlink()
    ran = run(instance(tmp_path), "--encodings", copy)
    assert ran.code == 2
    assert "traffic.lp: is missing" in ran.error_line


@pytest.mark.parametrize("file", ["check.lp", "lean.lp"])
def test_a_copy_of_an_earlier_layout_is_refused_with_what_to_do(tmp_path: Path, file: str) -> None:
    copy = copied(tmp_path)
    (copy / file).touch()
    ran = run(instance(tmp_path), "--encodings", copy)
    assert ran.code == 2
    assert "copy of an earlier layout; 'offload-asp encodings NEW' copies" in ran.error_line


def test_all_encodings_are_no_copy_of_the_model(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--encodings", encodings_folder())
    assert ran.code == 2
    assert f"give {model_folder()}" in ran.error_line


def test_the_folder_of_the_model_itself_may_be_given(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--encodings", model_folder(), "--json")
    assert ran.code == 0
    assert ran.json["edited"] is False


def test_a_copy_holds_every_rule_of_the_model(tmp_path: Path) -> None:
    copy, shipped = copied(tmp_path), model_folder()
    names = {path.relative_to(shipped) for path in shipped.rglob("*.lp")}
    assert {path.relative_to(copy) for path in copy.rglob("*.lp")} == names
    assert all((copy / name).read_bytes() == (shipped / name).read_bytes() for name in names)


@pytest.mark.parametrize("kind", ["folder with a file", "file"])
def test_encodings_are_not_copied_over_anything(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "here"
    if kind == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    ran = offload_asp("encodings", target)
    assert ran.code == 2
    assert str(target) in ran.error_line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("target", ["empty", "new/deeper"])
def test_encodings_are_copied_to_an_empty_or_a_new_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "empty").mkdir()
    assert offload_asp("encodings", tmp_path / target).code == 0
    names = {path.name for path in (tmp_path / target).iterdir()}
    assert {"step.lp", "objective"} <= names
    assert not any(name.startswith("tmp") for name in names)


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(source: Path, target: Path, **_: object) -> None:
        target.mkdir()
        (target / "half.lp").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fill)
    ran = offload_asp("encodings", tmp_path / "new")
    assert ran.code == 2
    assert "No space left on device" in ran.error_line
    assert not (tmp_path / "new").exists()


def test_check_reads_the_rules_it_is_given(tmp_path: Path) -> None:
    assert run(instance(tmp_path)).code == 0
    strategy = tmp_path / "out" / "tiny.strategy.json"
    stored = json.loads(strategy.read_text())
    stored["instance"]["accelerator"]["memory"] = 8
    strategy.write_text(json.dumps(stored))
    copy = copied(tmp_path)
    edit(copy / "groups.lp", "kernel_bytes(N, Q, Count * Kh", "kernel_bytes(N, Q, 0 * Kh")

    def readings(*more: str | Path) -> set[tuple[str, ...]]:
        ran = offload_asp("check", strategy, "--json", *more)
        assert ran.code == 5
        found = ran.json["violations"]
        return {tuple(entry["readings"]) for entry in found if entry["rule"] == "memory"}

    assert readings() == {("check.lp", "simulator")}
    assert readings("--encodings", copy) == {("simulator",)}


def test_a_run_without_cuts_proves_the_same(tmp_path: Path) -> None:
    path = instance(tmp_path)
    cuts = ("live-cut", "pace-cut", "symmetry")
    whole, bare = run(path, "--json"), run(path, "--json", *_without(*cuts))
    assert whole.json["status"] == bare.json["status"] == "optimal"
    assert whole.json["duration"] == bare.json["duration"]


def test_an_unknown_cut_exits_2_and_the_message_lists_the_cuts(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), *_without("live-cut", "nap"))
    assert ran.code == 2
    assert "--without: must be live-cut or pace-cut or symmetry, not 'nap'" in ran.error_line


def test_a_rule_that_pays_is_minimised_below_zero(tmp_path: Path) -> None:
    """A step computes an operation at least: as many steps as operations compute at most."""
    rule = added(tmp_path, "#maximize { 1@1, T : computing(T) }.\n")
    path = instance(tmp_path, APART)
    ran = run(path, "--encoding", rule, "--json")
    assert ran.code == 0
    strategy = tmp_path / "out" / "tiny.strategy.json"
    operations = sum(
        (i1 - i0) * (j1 - j0)
        for step in steps_in(strategy)
        for *_, i0, i1, j0, j1 in step["compute"]
    )
    assert ran.json["objective"]["value"] == -operations < 0
    # More steps might pay more, for all that is known of rules in general.
    assert ran.json["objective"]["status"] == "feasible"
    assert "strategies of at most" in ran.json["scope"]
    checked = offload_asp("check", strategy, "--json")
    assert checked.code == 0


@pytest.fixture
def cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """End every search as its time limit does, once it has a strategy."""

    def cut(
        control: Control,
        clock: Clock,
        effort: Solving,
        *,
        on_progress: Callable[[Progress], None],
    ) -> Outcome:
        def told(progress: Progress) -> None:
            on_progress(progress)
            if progress.costs is not None:
                clock.seconds = 0.0

        return minimise(control, clock, effort, on_progress=told)

    monkeypatch.setattr("offloadasp.search.edited.complete.minimise", cut)


@pytest.mark.usefixtures("cut_short")
def test_where_rules_pay_the_bound_of_a_search_cut_short_is_what_they_pay_at_most(
    tmp_path: Path,
) -> None:
    rule = added(
        tmp_path, "#maximize { 7@1, T : computing(T) }. #minimize { 3@1 : computing(1) }.\n"
    )
    options = ("--encoding", rule, "--out", tmp_path / "out", *UNTIL_PROVED, "--json")
    ran = offload_asp("run", "tiny-3x3", *options)
    assert ran.code == 0
    objective = ran.json["objective"]
    (steps,) = map(int, re.findall(r"at most (\d+) steps", ran.json["scope"]))
    assert objective["status"] == "feasible"
    assert objective["lower_bound"] == -7 * steps <= objective["value"] < 0
    strategy = tmp_path / "out" / "tiny-3x3.strategy.json"
    assert offload_asp("check", strategy, "--json").json["objectives"][0]["verified"] is False
    words = offload_asp("check", strategy)
    assert words.code == 0
    assert "not repeated" in words.out
    forged = json.loads(strategy.read_text())
    forged["objective"]["name"] = "duration,edited"
    strategy.write_text(json.dumps(forged))
    refused = offload_asp("check", strategy)
    assert refused.code == 2
    assert "objective.value: must be an integer or a fraction like '7/2', at least 0" in (
        refused.error_line
    )


def test_cuts_cannot_be_left_out_where_edited_rules_use_none(tmp_path: Path) -> None:
    rule = added(tmp_path, AT_MOST_THREE)
    ran = run(instance(tmp_path), "--encoding", rule, *_without("live-cut"))
    assert ran.code == 2
    assert "--without: edited or added rules are solved without any cut" in ran.error_line


def _without(*cuts: str) -> list[str]:
    return [word for cut in cuts for word in ("--without", cut)]


# --- A strategy is checked by the rules that it was found under ---


def test_check_reads_a_strategy_by_the_rules_it_was_found_under(tmp_path: Path) -> None:
    path, rule = instance(tmp_path, APART), added(tmp_path, AT_MOST_THREE)
    assert run(path, "--encoding", rule).code == 0
    strategy = tmp_path / "out" / "tiny.strategy.json"
    stored = json.loads(strategy.read_text())["rules"]
    assert stored["kind"] == "restriction"
    assert stored["statements"] == [{"file": "added.lp", "line": 1}]
    assert [file["name"] for file in stored["files"]] == ["added.lp"]
    ran = offload_asp("check", strategy, "--encoding", rule, "--json")
    assert ran.code == 0
    assert ran.json["rules_obeyed"] is True
    assert ran.json["rules_not_checked"] == []
    ran = offload_asp("check", strategy)
    assert ran.code == 0
    assert "rules not checked: added.lp" in ran.out
    rule.write_text(":- step(T), #count { B : load(B, T) } > 1.\n")
    ran = offload_asp("check", strategy, "--encoding", rule, "--json")
    assert ran.code == 5
    assert ran.json["rules_obeyed"] is False
    assert ran.json["rules_not_checked"] == ["added.lp"]
    assert {entry["block"] for entry in ran.json["violations"]} == {"added.lp:1"}


def test_check_recomputes_what_a_strategy_costs_under_the_rules(tmp_path: Path) -> None:
    rule = added(tmp_path, "cost(setup, T, B, 2) :- moved(_, B, T, _).\n")
    path = instance(tmp_path, APART)
    assert run(path, "--encoding", rule).code == 0
    strategy = tmp_path / "out" / "tiny.strategy.json"
    assert offload_asp("check", strategy, "--encoding", rule).code == 0
    stored = json.loads(strategy.read_text())
    stored["objective"]["value"] += 1
    stored["status"] = "feasible"
    strategy.write_text(json.dumps(stored))
    assert offload_asp("check", strategy).code == 0
    ran = offload_asp("check", strategy, "--encoding", rule, "--json")
    assert ran.code == 5
    assert [entry["rule"] for entry in ran.json["violations"]] == ["objective"]


@pytest.mark.parametrize("forged", [{"pixels": 3}, {"compute": 1}, {"pixels": "much"}])
def test_check_credits_no_price_that_the_rules_do_not_put(
    tmp_path: Path, forged: dict[str, object]
) -> None:
    rule = added(tmp_path, "cost(setup, T, B, 2) :- moved(_, B, T, _).\n")
    assert run(instance(tmp_path, APART), "--encoding", rule).code == 0
    strategy = tmp_path / "out" / "tiny.strategy.json"
    stored = json.loads(strategy.read_text())
    assert stored["certificate"]["priced"] == {"pixels": 2, "kernels": 2, "outputs": 2}
    assert stored["objective"]["lower_bound"] == stored["objective"]["value"]
    stored["certificate"]["priced"] |= forged
    strategy.write_text(json.dumps(stored))
    ran = offload_asp("check", strategy, "--encoding", rule, "--json")
    assert ran.code == 5
    assert [entry["rule"] for entry in ran.json["violations"]] == ["bound"]


@pytest.mark.parametrize("text", ["% a comment\n", "#show step/1.\n", "#defined mine/1.\n"])
def test_an_edit_without_effect_leaves_the_file_as_it_was(tmp_path: Path, text: str) -> None:
    path = instance(tmp_path)
    strategy = tmp_path / "out" / "tiny.strategy.json"
    options = ("--out", tmp_path / "out", "--budget", "4", "--json")
    assert offload_asp("run", path, *options).code == 0
    before = strategy.read_bytes()
    ran = offload_asp("run", path, "--encoding", added(tmp_path, text), *options)
    assert ran.code == 0
    assert "rules" not in ran.json
    assert ran.json["edited"] is False
    assert strategy.read_bytes() == before


def test_a_rule_that_never_binds_costs_nothing(tmp_path: Path) -> None:
    rule = added(tmp_path, ":- step(T), #count { B : load(B, T) } > 9999.\n")
    options = ("--out", tmp_path, "--budget", "8", "--json")
    plain = offload_asp("run", "tiny-channels", *options).json
    ran = offload_asp("run", "tiny-channels", "--encoding", rule, *options)
    assert ran.code == 0
    for key in ("duration", "lower_bound", "status", "steps", "loads"):
        assert ran.json[key] == plain[key]
    assert ran.json["rules"]["kind"] == "restriction"


def test_a_rule_that_no_plan_at_hand_obeys_is_not_called_infeasible(tmp_path: Path) -> None:
    """The pixel (0, 0) is loaded nine times: possible, but not within a few steps."""
    text = ":- #count { T : load(pixel(0, 0, 0), T) } < 9.\n"
    path = instance(tmp_path, memory="12")
    ran = offload_asp(
        "run", path, "--encoding", added(tmp_path, text), "--out", tmp_path, "--budget", "400"
    )
    assert ran.code in (0, 4)
    if ran.code == 4:
        assert "breaks added.lp:1" in ran.error_line


def test_rules_that_no_memory_holds_exit_3_and_say_when(tmp_path: Path) -> None:
    rule = encodings_folder() / "examples" / "kernels-pinned.lp"
    ran = offload_asp("run", "resnet8-stack3", "--encoding", rule, "--out", tmp_path)
    assert ran.code == 3
    assert "kernels-pinned.lp:3 asks for more bytes on chip in the last compute" in ran.error_line


# --- A file under edited rules beside one under the shipped rules ---


def test_a_what_if_keeps_the_file_of_the_shipped_rules_and_says_so(tmp_path: Path) -> None:
    path, rule = instance(tmp_path, APART), added(tmp_path, AT_MOST_THREE)
    strategy = tmp_path / "out" / "tiny.strategy.json"
    earlier = strategy.with_name("tiny.earlier.strategy.json")
    assert run(path).code == 0
    before = strategy.read_bytes()
    ran = run(path, "--encoding", rule)
    assert "under the shipped rules; kept as tiny.earlier.strategy.json" in " ".join(
        ran.out.split()
    )
    assert earlier.read_bytes() == before
    assert json.loads(strategy.read_text())["rules"]["kind"] == "restriction"
    # A second one finds no file of the shipped rules in its way, and leaves the kept one alone.
    assert "kept" not in run(path, "--encoding", rule, "--json").json
    assert earlier.read_bytes() == before


def test_of_two_files_of_the_shipped_rules_the_shorter_one_is_kept(tmp_path: Path) -> None:
    path, rule = instance(tmp_path, APART), added(tmp_path, AT_MOST_THREE)
    strategy = tmp_path / "out" / "tiny.strategy.json"
    earlier = strategy.with_name("tiny.earlier.strategy.json")
    assert run(path).code == 0
    best = strategy.read_bytes()
    assert run(path, "--encoding", rule).code == 0
    # No plan, but a file that states a longer one.
    worse = json.loads(best)
    worse["duration"] += 1
    strategy.write_text(json.dumps(worse))
    assert run(path, "--encoding", rule, "--json").json["kept"] == str(earlier)
    assert json.loads(earlier.read_text()) == json.loads(best)


def test_files_of_two_objectives_are_both_kept(tmp_path: Path) -> None:
    path, rule = instance(tmp_path, APART), added(tmp_path, AT_MOST_THREE)
    strategy = tmp_path / "out" / "tiny.strategy.json"
    for options, kept in (
        ((), "tiny.earlier.strategy.json"),
        (("--objective", "traffic"), "tiny.earlier.traffic.strategy.json"),
    ):
        assert run(path, *options).code == 0
        before = strategy.read_bytes()
        assert run(path, "--encoding", rule, "--json").json["kept"].endswith(kept)
        assert strategy.with_name(kept).read_bytes() == before
    assert strategy.with_name("tiny.earlier.strategy.json").is_file()


def test_what_the_plan_without_the_rules_breaks_is_said_by_run_check_and_page(
    tmp_path: Path,
) -> None:
    pytest.importorskip("jinja2")
    path, rule = instance(tmp_path, APART), added(tmp_path, AT_MOST_THREE)
    strategy, page = tmp_path / "out" / "tiny.strategy.json", tmp_path / "page.html"
    assert run(path).code == 0
    ran = run(path, "--encoding", rule, "--json")
    # The second of two patches of four pixels.
    assert ran.json["rules"]["shipped_breaks"] == [{"rule": "added.lp:1", "steps": [2]}]
    checked = offload_asp("check", strategy)
    assert "the plan breaks added.lp:1 in step 2" in checked.out
    assert "a restriction" in checked.out
    earlier = strategy.with_name("tiny.earlier.strategy.json")
    options = ("--out", page, "--time-limit", "0")
    assert offload_asp("report", strategy, earlier, *options).code == 0
    text = page.read_text()
    assert "the plan breaks added.lp:1 in step 2: it is none under these rules" in text
    assert "optimal by the shipped rules alone" in text
    assert offload_asp("report", earlier, *options).code == 0
    assert "by the shipped rules alone" not in page.read_text()


def test_where_nothing_is_proved_no_gap_is_told(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    edit(copy / "step.lp", "done(O, T) :- compute(O, T).", "done(O, T) :- compute(O, T), step(T).")
    path = instance(tmp_path)
    ran = offload_asp("run", path, "--encodings", copy, "--out", tmp_path, "--budget", "200")
    assert ran.code == 0
    assert re.search(r"lower bound +none proved", ran.out)
    assert "gap" not in ran.out
    assert "bound holds for" not in ran.out


def test_a_rule_that_never_applies_is_solved_with_a_note_on_standard_error(tmp_path: Path) -> None:
    rule = added(tmp_path, ":- load(pixel(R, C), T), T > 0.\n")
    ran = run(instance(tmp_path), "--encoding", rule)
    assert ran.code == 0
    (note,) = ran.error.splitlines()
    assert note.startswith("note: added.lp:1: no block of load/2 looks like pixel(R, C)")
    ran = run(instance(tmp_path), "--encoding", rule, "--json")
    assert ran.json["notes"] == [note.removeprefix("note: ")]


def test_a_misspelt_atom_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    ran = run(instance(tmp_path), "--encoding", added(tmp_path, "\n:- lode(B, T), T > 1.\n"))
    assert ran.code == 2
    assert ran.error_line.endswith("added.lp:2: lode/2 is defined nowhere; did you mean load/2?")
