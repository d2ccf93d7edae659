"""What needs no solver starts without one: help, the version and refusals load little."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from offloadasp.limits.given import MOST_SECONDS, MOST_SEED, MOST_THREADS
from offloadasp.model.instance import SearchOptions
from tests.support.invoking import offload_asp

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("clingo", "matplotlib", "numba", "numpy", "onnx", "plotly", "pydantic", "rich")
PROGRAM = f"""
import sys
from offloadasp.cli.main import main
try:
    main()
except SystemExit as ended:
    code = ended.code or 0
else:
    code = 0
print(code, *({HEAVY} & sys.modules.keys()), file=sys.stderr)
""".replace(str(HEAVY), str(set(HEAVY)))


def loaded(folder: Path, *words: str) -> tuple[int, set[str]]:
    """Return the exit code of a command, and which heavy packages it loaded."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *names = process.stderr.splitlines()[-1].split()
    return int(code), set(names)


TINY = ("run", "tiny-3x3")


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("run", "--help")])
def test_help_and_the_version_load_no_solver(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded(tmp_path, *words) == (0, set())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nosuch",),
        (*TINY, "--nosuch"),
        ("run", "nosuch"),
        (*TINY, "--threads", "x"),
        (*TINY, "--threads", "0"),
        (*TINY, "--time-limit", "-1"),
        (*TINY, "--budget", "0"),
        (*TINY, "--budget", "1", "--threads", "2"),
        (*TINY, "--objective", "foo"),
        (*TINY, "--without", "foo"),
        (*TINY, "--encoding", "nosuch.lp"),
        (*TINY, "--encodings", "nosuch"),
        ("compare", "nosuch"),
        ("facts", "nosuch"),
        ("check", "nosuch.json"),
        ("simulate", "nosuch.json"),
        ("export", "nosuch.json", "--format", "foo"),
        ("plot", "nosuch.json", "--kind", "foo", "--out", "x.svg"),
        ("plot", "nosuch.json", "--kind", "order", "--out", "x.pdf"),
        ("report", "nosuch.json", "--out", "x.html"),
        ("network", "nosuch.onnx", "--accelerator", "nosuch"),
        ("network", "nosuch.onnx", "--accelerator", "gap8", "--jobs", "0"),
        ("import", "nosuch.onnx", "--accelerator", "gap8", "--out", "x"),
    ],
)
def test_a_wrong_option_or_argument_is_refused_before_a_solver_is_loaded(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    assert loaded(tmp_path, *words) == (2, set())


def test_a_command_that_works_is_seen_to_load_what_it_needs(tmp_path: Path) -> None:
    assert loaded(tmp_path, "facts", "tiny-3x3") == (0, {"numpy", "pydantic"})


def test_the_version_is_the_same_by_the_short_and_by_the_long_way(tmp_path: Path) -> None:
    short = subprocess.run(
        [sys.executable, "-m", "offloadasp", "--version"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert short.stdout == offload_asp("--version").out


@pytest.mark.parametrize(
    ("key", "most"), [("time_limit", MOST_SECONDS), ("threads", MOST_THREADS), ("seed", MOST_SEED)]
)
def test_options_have_the_limits_of_the_search_table(key: str, most: int) -> None:
    least = 0 if key == "seed" else 1
    for value in (least, most):
        assert getattr(SearchOptions.model_validate({key: value}), key) == value
    for value in (0 if key == "time_limit" else least - 1, most + 1):
        with pytest.raises(ValidationError):
            SearchOptions.model_validate({key: value})
        option = f"--{key.replace('_', '-')}"
        assert offload_asp("run", "tiny-3x3", option, str(value)).code == 2
