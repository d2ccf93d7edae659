"""Compute time by the work done: cycles for each multiply-accumulate, wherever time is told."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest

import offloadasp
from offloadasp.asp.rules import shipped_rules
from offloadasp.judge.verdict import judge
from offloadasp.model.instance import Accelerator, Instance, Layer
from offloadasp.model.strategy import dumps, load
from offloadasp.report.export import write_csv
from offloadasp.report.page.history import history
from offloadasp.report.text.words import accelerator_words
from tests.support.invoking import UNTIL_PROVED, offload_asp
from tests.support.layers import accelerator

RATE = Fraction(2, 31)
# tiny-2x3 of docs/model.md: 22 cycles, two outputs of four taps each.
CYCLES, MACS = 22, 8


def tiny(mac: Fraction) -> Instance:
    return Instance(
        name="tiny",
        layer=Layer(input=(1, 2, 3), kernels=1, kernel_shape=(2, 2)),
        accelerator=accelerator(memory=9, compute=5, macs=4, mac=mac),
    )


def test_every_duration_and_bound_includes_the_time_of_the_multiply_accumulates() -> None:
    found = offloadasp.solve(tiny(RATE), budget=64)
    assert found.duration == found.lower_bound == CYCLES + RATE * MACS
    assert found.replay.duration == found.by_rules.duration == found.plan.duration
    assert [row.cycles for row in found.replay.trace] == [13 + 4 * RATE, 8 + 4 * RATE, 1]
    assert judge(found.strategy, shipped_rules()).proof.verified
    assert all(
        plan.duration == offloadasp.solve(tiny(Fraction(0)), budget=64).duration + RATE * MACS
        for plan in found.answer.baselines.values()
    )
    assert offloadasp.bound(tiny(RATE)).value == CYCLES + RATE * MACS


def test_the_plan_is_the_one_without_it(tmp_path: Path) -> None:
    with_, without = (offloadasp.solve(tiny(rate), budget=64) for rate in (RATE, Fraction(0)))
    assert with_.strategy.steps == without.strategy.steps
    with_.save(tmp_path / "with.json")
    assert load(tmp_path / "with.json").instance.accelerator.mac_cycles == RATE


def test_a_file_tells_the_rate_only_where_there_is_one() -> None:
    texts = [dumps(offloadasp.solve(tiny(rate), budget=4).strategy) for rate in (RATE, Fraction(0))]
    assert '"mac_cycles": "2/31"' in texts[0]
    assert "mac_cycles" not in texts[1]
    assert "mac_cycles" not in accelerator(mac=0).model_dump()
    assert accelerator_words(accelerator(mac=RATE)).endswith(", 2/31 a multiply-accumulate")


def test_timelines_end_when_the_strategy_does() -> None:
    found = offloadasp.solve(tiny(RATE), budget=64)
    file = io.StringIO()
    write_csv(found.strategy, found.replay, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert max(Fraction(row["end"]) for row in rows) == found.duration
    drawn = history(found.strategy.instance, found.replay)
    assert sum(map(Fraction, drawn["cycles"])) == found.duration


@pytest.mark.parametrize("rule", ["", ":- load(pixel(0, 1, 0), T), T > 1.\n"])
def test_rules_in_force_give_the_rest_and_the_offset_is_added(tmp_path: Path, rule: str) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'name = "tiny"\n[layer]\ninput = [1, 2, 3]\nkernels = 1\nkernel_shape = [2, 2]\n'
        "[accelerator]\nmemory = 9\nload_cycles = 1\nwrite_cycles = 1\ncompute_cycles = 5\n"
        'macs_per_step = 4\nmac_cycles = "2/31"\n'
    )
    added = tmp_path / "added.lp"
    added.write_text(rule + ":- steps(0).\n")
    ran = offload_asp("run", path, "--out", tmp_path, "--encoding", added, "--json", *UNTIL_PROVED)
    assert ran.code == 0
    assert Fraction(ran.json["duration"]) == CYCLES + RATE * MACS
    assert Fraction(ran.json["objective"]["value"]) == CYCLES + RATE * MACS
    saved = json.loads((tmp_path / "tiny.strategy.json").read_text())
    assert Fraction(saved["duration"]) == CYCLES + RATE * MACS


@pytest.mark.parametrize("rate", ["-1", '"1/0"', "10000000000"])
def test_a_rate_out_of_range_is_refused_by_name(tmp_path: Path, rate: str) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(
        'name = "tiny"\n[layer]\ninput = [1, 2, 3]\nkernels = 1\nkernel_shape = [2, 2]\n'
        "[accelerator]\nmemory = 9\nload_cycles = 1\nwrite_cycles = 1\ncompute_cycles = 5\n"
        f"macs_per_step = 4\nmac_cycles = {rate}\n"
    )
    ran = offload_asp("run", path)
    assert ran.code == 2
    assert "accelerator.mac_cycles" in ran.error
    assert Accelerator.model_fields["mac_cycles"].default == 0
