"""What users see of transfers beside the compute action: lanes, hidden shares, stalls."""

import csv
import io
from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.drawing import drawn
from offloadasp.judge.simulator import keep_books
from offloadasp.model.catalogue import find_accelerator
from offloadasp.network.accelerators import load_machine
from offloadasp.report.export import write_csv
from offloadasp.report.page.history import history
from offloadasp.report.stalls import overlap_of, stalls_of
from tests.engines.overlapped import BESIDE, tiny_beside
from tests.support.invoking import TINY, instance, offload_asp


@pytest.mark.parametrize("overlap", ["dma", "duplex"])
def test_lanes_lie_beside_each_other_and_end_when_the_strategy_does(overlap: str) -> None:
    made = tiny_beside(BESIDE, 11, overlap)
    books, file = keep_books(made), io.StringIO()
    write_csv(made, books, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    times = {
        (int(row["step"]), row["action"]): [Fraction(row["start"]), Fraction(row["end"])]
        for row in rows
        if row["action"] != "free"
    }
    # 8 bytes; 5 cycles beside 2 bytes; 5 cycles beside 1 byte that is written; 1 byte.
    assert times[2, "load"] == [8, 10]
    assert times[2, "compute"] == [8, 13]
    assert times[3, "write"] == [13, 14]
    assert times[3, "compute"] == [13, 18]
    assert max(end for _, end in times.values()) == books.duration == 19
    assert sum(map(Fraction, history(made.instance, books)["cycles"])) == 0 + 8 + 5 + 1
    assert "compute" in drawn("title", {}, books)


def test_what_is_hidden_and_what_is_waited_for_add_up() -> None:
    books = keep_books(tiny_beside(BESIDE, 11))
    found = overlap_of(books)
    assert found.serial == 12 + 10
    assert found.perfect == 12
    assert found.hidden == Fraction(3, 12)
    assert [found.prologue, found.loads, found.writes, found.epilogue] == [8, 0, 0, 1]
    assert sum(stall.compute + stall.waits for stall in stalls_of(books)) == books.duration
    slow = overlap_of(keep_books(tiny_beside(BESIDE, 11, "duplex", load_cycles=9)))
    assert [slow.prologue, slow.loads, slow.writes, slow.epilogue] == [72, 13, 0, 1]


def test_a_run_says_so_and_its_json_has_a_key_more(tmp_path: Path) -> None:
    beside = 'macs_per_step = 4\noverlap = "dma"'
    path = instance(tmp_path, TINY.replace("macs_per_step = 4", beside))
    options = ("--budget", "2", "--out", tmp_path)
    found = offload_asp("run", path, *options, "--json").json
    stalls = sum(Fraction(value) for value in found["overlap"]["stalls"].values())
    assert found["overlap"]["perfect"] <= found["duration"] <= found["overlap"]["serial"]
    assert 0 <= stalls <= found["duration"]
    assert "hidden " in offload_asp("run", path, *options).out
    compared = offload_asp("compare", path, *options, "--json").json
    assert compared["perfect_overlap"] == found["overlap"]["perfect"]
    assert compared["strategies"]["pipelined"]["duration"] >= found["duration"]


@pytest.mark.parametrize(
    "name", ["gap8-dma", "ethos-u65-256-dma", "vta-pynq-duplex", "gemmini-duplex"]
)
def test_shipped_accelerators_overlap_and_take_time_for_work(name: str) -> None:
    chip = load_machine(find_accelerator(name)).accelerator
    assert chip.overlap == ("dma" if name.endswith("-dma") else "duplex")
    assert chip.mac_cycles > 0
    assert chip.compute_cycles > 0
