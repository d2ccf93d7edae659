"""Ctrl-C: the best strategy so far is verified, written and reported; a second one ends at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.invoking import LARGE, Terminal, instance, offload_asp, start

# No assignment exists, and proving that takes far longer than any test.
PIGEONS = """
{ in(P, H) : H = 1..12 } = 1 :- P = 1..13, pigeons.
:- in(P, H), in(P', H), P < P'.
"""
MUST = "pigeons.\n"
# Strategies exist, but that none is better takes that proof.
SHOULD = "{ pigeons }.\n:~ not pigeons. [1@-1]\n"

ROOT = Path(__file__).resolve().parents[2]
WAIT = """
import sys, time
from offloadasp.limits.interrupt import Interrupts
from offloadasp.limits.clock import Clock
clock = Clock()
with Interrupts(clock):
    print("ready", flush=True)
    time.sleep(float(sys.argv[1]))
print(clock.interrupted)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_and_reports_its_best(tmp_path: Path, number: int) -> None:
    terminal, path = Terminal(), instance(tmp_path, LARGE)
    process = start("run", path, "--time-limit", "300", cwd=tmp_path, stderr=terminal.theirs)
    terminal.read(until="incumbent")
    sent = time.monotonic()
    process.send_signal(number)
    assert "Traceback" not in terminal.read()
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - sent < 30
    assert process.returncode == 130
    assert "(interrupted: the best strategy so far)" in out
    strategy = tmp_path / "out" / "large.strategy.json"
    assert offload_asp("simulate", strategy).code == 0


def test_an_interrupted_run_says_so_in_json(tmp_path: Path) -> None:
    rule = tmp_path / "pigeons.lp"
    rule.write_text(PIGEONS + SHOULD)
    path = instance(tmp_path)
    process = start("run", path, "--encoding", rule, "--time-limit", "300", "--json", cwd=tmp_path)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == ""
    found = json.loads(out)
    assert found["interrupted"] is True
    assert found["verified"] is True
    assert found["status"] == "feasible"


def test_interrupted_before_the_first_plan_is_one_line(tmp_path: Path) -> None:
    rule = tmp_path / "pigeons.lp"
    rule.write_text(PIGEONS + MUST)
    path, options = instance(tmp_path), ("--encoding", rule, "--time-limit", "300")
    terminal = Terminal()
    process = start("run", path, *options, cwd=tmp_path, stderr=terminal.theirs)
    terminal.read(until="at most")
    process.send_signal(signal.SIGINT)
    line = "offload-asp: error: tiny: interrupted before the first strategy was found\n"
    assert line in terminal.read()
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert not (tmp_path / "out").exists()


def waiting(seconds: float) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT, str(seconds)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_interrupt_ends_the_process_at_once() -> None:
    process = waiting(60)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.6)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=10)
    assert time.monotonic() - started < 10
    assert process.returncode == 130
    assert error == "offload-asp: error: interrupted again: ended at once\n"


def test_a_signal_that_arrives_twice_counts_once() -> None:
    """As from `timeout`, which signals its child and then their group."""
    process = waiting(1.0)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=10)
    assert (process.returncode, out, error) == (0, "True\n", "")


def test_without_a_signal_nothing_is_interrupted() -> None:
    process = waiting(0.0)
    assert process.stdout is not None
    # Some of it may have been read with the first line, which `communicate` would not know.
    out = process.stdout.read()
    _, error = process.communicate(timeout=10)
    assert (out, error) == ("False\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_without_a_result_says_that_it_was_interrupted(number: int) -> None:
    work = (
        "import os, sys; from offloadasp.cli import main, shipped; sys.argv[1:] = ['instances']; "
        f"shipped.load_shipped = lambda: os.kill(os.getpid(), {int(number)}); main.main()"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", work],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert (ended.stdout, ended.stderr) == ("", "offload-asp: error: interrupted\n")


# Some modules catch every exception while they are loaded.
DEAF = """
import os
try:
    os.kill(os.getpid(), {number})
    while True:
        pass
except BaseException:
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_command_loads_a_module_ends_the_process(
    tmp_path: Path, number: int
) -> None:
    (tmp_path / "deaf.py").write_text(DEAF.format(number=int(number)))
    work = (
        "import sys; from offloadasp.cli import main, shipped; sys.argv[1:] = ['instances']; "
        "shipped.load_shipped = lambda: __import__('deaf'); main.main()"
    )
    process = start(cwd=tmp_path, program=work, variables={"PYTHONPATH": f"{ROOT}:{tmp_path}"})
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, error) == ("", "offload-asp: error: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3, 0.4])
def test_a_signal_while_the_program_is_loaded_is_never_lost(
    tmp_path: Path, number: int, seconds: float
) -> None:
    process = start("run", instance(tmp_path, LARGE), "--time-limit", "50", cwd=tmp_path)
    time.sleep(seconds)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    # On a slow machine Python itself may not have started yet.
    assert process.returncode in (130, -number)
    assert "Traceback" not in error or process.returncode == -number
