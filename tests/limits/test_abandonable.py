"""Work in a thread of its own: waited for while it may go on, and left alone afterwards."""

import importlib.util
import signal
import threading
import time
from pathlib import Path

import pytest

from offloadasp.limits.abandonable import LeftAloneError, aside, both, left_alone
from tests.support.invoking import PATIENCE, UNTIL_PROVED, instance, start

# Constructed in a moment and far from proved, so that the local search begins at once.
FLAT = """
name = "flat"
[layer]
input = [1, 9, 9]
kernels = 1
kernel_shape = [3, 3]
[accelerator]
memory = 30
load_cycles = 1
write_cycles = 0
compute_cycles = 0
macs_per_step = 36
"""


def test_work_s_result_is_returned_and_its_errors_are_raised() -> None:
    assert aside(lambda: 7, lambda: False) == 7
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 // 0, lambda: False)


def test_two_pieces_of_work_are_done_at_the_same_time_and_both_results_are_returned() -> None:
    here, there = threading.Event(), threading.Event()

    def meet(mine: threading.Event, other: threading.Event) -> bool:
        mine.set()
        return other.wait(PATIENCE)

    assert both(lambda: meet(here, there), lambda: meet(there, here)) == (True, True)


def test_of_two_pieces_of_work_the_error_of_either_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        both(lambda: 7, lambda: 1 // 0)
    end = threading.Event()
    with pytest.raises(ZeroDivisionError):
        both(lambda: 1 // 0, end.wait)
    assert left_alone()
    end.set()
    while left_alone():
        time.sleep(0.01)


def test_under_a_limit_on_memory_two_pieces_of_work_are_done_one_after_the_other() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    hard = before[1] if before[1] != resource.RLIM_INFINITY else 2**50
    resource.setrlimit(resource.RLIMIT_DATA, (hard, before[1]))
    try:
        threads = both(threading.current_thread, threading.current_thread)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert threads == (threading.current_thread(),) * 2


def test_a_thread_that_finds_no_memory_is_a_lack_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(MemoryError):
        aside(lambda: 7, lambda: False)


def test_work_that_ends_soon_after_it_was_to_stop_is_waited_for() -> None:
    stop = threading.Event()
    stop.set()
    assert aside(lambda: threading.Event().wait(0.1), stop.is_set) is False
    assert not left_alone()


def test_work_that_does_not_stop_is_left_alone() -> None:
    end = threading.Event()
    started = time.monotonic()
    with pytest.raises(LeftAloneError):
        aside(end.wait, lambda: time.monotonic() - started > 0.2)
    assert time.monotonic() - started < PATIENCE
    assert left_alone()
    end.set()
    while left_alone():
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.01)


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="compiles nothing")
def test_an_interrupted_run_does_not_wait_for_what_is_being_compiled(tmp_path: Path) -> None:
    path, cache = instance(tmp_path, FLAT), tmp_path / "cache"
    variables = {"NUMBA_CACHE_DIR": str(cache)}
    process = start("run", path, *UNTIL_PROVED, cwd=tmp_path, variables=variables)
    while not any(cache.rglob("*.nbi")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (130, "")
    assert "interrupted: the best strategy so far" in out
    # The function that is compiled last, and takes longest, was not.
    assert not any(cache.rglob("*.anneal-*.nbi"))
