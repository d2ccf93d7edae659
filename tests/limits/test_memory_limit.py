"""`--memory-limit`: searches end before it, with what they have found, or with advice."""

import json
import re
from pathlib import Path

import pytest

from offloadasp.base.errors import InputError
from offloadasp.limits.clock import Clock
from offloadasp.limits.process_memory import MemoryLimit, held, require_memory
from tests.support.invoking import LARGE, PATIENCE, TINY, UNTIL_PROVED, instance, offload_asp, start

# Grounds to far more than any machine holds.
HUGE = "p(X, Y, Z) :- X = 1..3000, Y = 1..3000, Z = 1..3000.\n"


def limited(
    folder: Path, text: str, *more: str | Path, megabytes: int = 260
) -> tuple[int, str, str]:
    """Run in a process of its own, for a limit holds for all of one."""
    path = instance(folder, text)
    words = ["run", path, "--memory-limit", str(megabytes), *more]
    process = start(*words, cwd=folder)
    out, error = process.communicate(timeout=PATIENCE)
    return process.returncode, out, error


def test_a_run_that_needs_little_is_not_disturbed(tmp_path: Path) -> None:
    code, out, _ = limited(tmp_path, TINY, "--json", megabytes=2000)
    assert code == 0
    assert json.loads(out)["status"] == "optimal"


def test_rules_that_ground_to_too_much_end_with_advice(tmp_path: Path) -> None:
    rule = tmp_path / "huge.lp"
    rule.write_text(HUGE)
    code, out, error = limited(tmp_path, TINY, "--encoding", rule, "--json", megabytes=400)
    assert (code, out) == (4, "")
    (line,) = error.splitlines()
    assert "400 megabytes of --memory-limit are needed" in line
    assert "coarser tile" in line
    assert "fewer operations and steps" in line


def test_a_search_that_reaches_the_limit_hands_over_what_it_has(tmp_path: Path) -> None:
    code, out, _ = limited(tmp_path, LARGE, *UNTIL_PROVED, "--json", megabytes=400)
    assert code == 0
    result = json.loads(out)
    assert result["verified"] is True
    assert result["status"] == "feasible"


def test_a_limit_with_no_room_for_a_check_or_a_thread_ends_with_advice(tmp_path: Path) -> None:
    code, out, error = limited(tmp_path, LARGE, *UNTIL_PROVED, "--json", megabytes=260)
    if code != 0:  # a machine may start with less
        assert (code, out) == (4, "")
        assert "260 megabytes of --memory-limit are needed" in error


def test_a_limit_below_what_any_run_takes_is_refused_with_the_least_that_does(
    tmp_path: Path,
) -> None:
    ran = offload_asp("run", instance(tmp_path), "--memory-limit", "20", "--json")
    assert ran.code == 2
    found = re.search(r"--memory-limit: must be at least (\d+) megabytes here", ran.error_line)
    assert found is not None
    assert int(found[1]) * 10**6 >= held()


def test_the_limit_is_lifted_afterwards_and_the_search_told_before() -> None:
    import resource

    before, clock = resource.getrlimit(resource.RLIMIT_DATA), Clock()
    with MemoryLimit(held() // 10**6 + 400, clock):
        during, _ = resource.getrlimit(resource.RLIMIT_DATA)
        assert during < 2**40
        filled = bytearray(during - held() - 30 * 10**6)
        assert clock.full.wait(PATIENCE)
        assert clock.expired()
        assert not clock.interrupted
        with pytest.raises(MemoryError):
            bytearray(10**8)
        del filled
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize("megabytes", [0, -1, 2**63])
def test_a_limit_out_of_range_is_refused(megabytes: int) -> None:
    with pytest.raises(InputError, match="--memory-limit: must be from 1 to"):
        require_memory(megabytes)


def test_without_a_limit_nothing_is_watched() -> None:
    clock = Clock()
    with MemoryLimit(None, clock):
        assert not clock.expired()
