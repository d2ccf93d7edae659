"""Ctrl-C: the best strategy so far is verified, written and reported; a second one ends at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.invoking import (
    LARGE,
    PATIENCE,
    UNTIL_PROVED,
    Terminal,
    instance,
    offload_asp,
    start,
)

# No assignment exists, and proving that takes far longer than any test.
PIGEONS = """
{ in(P, H) : H = 1..12 } = 1 :- P = 1..13, pigeons.
:- in(P, H), in(P', H), P < P'.
"""
MUST = "pigeons.\n"
# Strategies exist, but that none is better takes that proof.
SHOULD = "{ pigeons }.\n:~ not pigeons. [1@-1]\n"

WAIT = """
import sys
from offloadasp.limits.interrupt import Interrupts
from offloadasp.limits.clock import Clock
clock = Clock()
with Interrupts(clock):
    print("ready", flush=True)
    sys.stdin.readline()
print(clock.interrupted)
"""


# Makes a file as soon as the search has a strategy: with --json a run says nothing before its end.
TELLING = """
from pathlib import Path
from offloadasp.cli.main import main
from offloadasp.search.edited.search import EditedSearch

def tell(status):
    if status.incumbent is not None:
        Path("found").touch()

init = EditedSearch.__init__
def telling(self, *arguments):
    init(self, *arguments)
    self.tell = tell
EditedSearch.__init__ = telling
main()
"""


def wait_until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_and_reports_its_best(tmp_path: Path, number: int) -> None:
    terminal, path = Terminal(), instance(tmp_path, LARGE)
    process = start("run", path, *UNTIL_PROVED, cwd=tmp_path, stderr=terminal.theirs)
    terminal.read(until="incumbent")
    process.send_signal(number)
    assert "Traceback" not in terminal.read()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "(interrupted: the best strategy so far)" in out
    strategy = tmp_path / "out" / "large.strategy.json"
    assert offload_asp("simulate", strategy).code == 0


def test_an_interrupted_run_says_so_in_json(tmp_path: Path) -> None:
    rule = tmp_path / "pigeons.lp"
    rule.write_text(PIGEONS + SHOULD)
    path = instance(tmp_path)
    options = ("--encoding", rule, *UNTIL_PROVED, "--json")
    process = start("run", path, *options, cwd=tmp_path, program=TELLING)
    wait_until((tmp_path / "found").exists)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error == ""
    found = json.loads(out)
    assert found["interrupted"] is True
    assert found["verified"] is True
    assert found["status"] == "feasible"


def test_interrupted_before_the_first_plan_is_one_line(tmp_path: Path) -> None:
    rule = tmp_path / "pigeons.lp"
    rule.write_text(PIGEONS + MUST)
    path, options = instance(tmp_path), ("--encoding", rule, *UNTIL_PROVED)
    terminal = Terminal()
    process = start("run", path, *options, cwd=tmp_path, stderr=terminal.theirs)
    terminal.read(until="at most")
    process.send_signal(signal.SIGINT)
    line = "offload-asp: error: tiny: interrupted before the first strategy was found\n"
    assert line in terminal.read()
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert not (tmp_path / "out").exists()


def waiting() -> subprocess.Popen[str]:
    """Start a process that waits for a line, whatever signals it gets, and then says of them."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_interrupt_ends_the_process_at_once() -> None:
    process = waiting()
    process.send_signal(signal.SIGINT)
    time.sleep(0.6)
    assert process.poll() is None

    def again() -> bool:
        # A slow process may notice two of them at the same time, which count once.
        process.send_signal(signal.SIGINT)
        time.sleep(0.6)
        return process.poll() is not None

    wait_until(again)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error == "offload-asp: error: interrupted again: ended at once\n"


def test_a_signal_that_arrives_twice_counts_once() -> None:
    """As from `timeout`, which signals its child and then their group."""
    process = waiting()
    # While it is stopped, so that both wait for it and arrive at the same time.
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.6)
    assert process.poll() is None
    out, error = process.communicate("\n", timeout=PATIENCE)
    assert (process.returncode, out, error) == (0, "True\n", "")


def test_without_a_signal_nothing_is_interrupted() -> None:
    out, error = waiting().communicate("\n", timeout=PATIENCE)
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


# Gets a signal at the moment at which a module is about to be loaded.
MEANWHILE = """
import os, signal, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["MODULE"]:
            os.kill(os.getpid(), int(os.environ["NUMBER"]))

sys.meta_path.insert(0, Sender())
from offloadasp.cli.main import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["offloadasp.cli.app", "numpy", "clingo", "offloadasp.search"])
def test_a_signal_while_the_program_is_loaded_is_never_lost(
    tmp_path: Path, number: int, module: str
) -> None:
    words = ("run", instance(tmp_path, LARGE))
    variables = {"NUMBER": str(int(number)), "MODULE": module}
    process = start(*words, cwd=tmp_path, program=MEANWHILE, variables=variables)
    out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert error == "offload-asp: error: interrupted\n"
