"""The command: one sub-command a suite, and the page of results."""

import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from bench import (
    ablation,
    deletions,
    flat,
    fuzz,
    interruptions,
    layers,
    mutants,
    peers,
    scale,
    scaled,
    serial,
    simulate,
    whole,
)
from bench.record import Record
from bench.show import markdown, show
from bench.suite import Limits, Options, Suite, Task, measure, selected
from offloadasp.base.errors import InputError, InterruptedEarly
from offloadasp.base.files import write_whole
from offloadasp.cli.errors import OneLineErrors

COMMAND = "scripts/bench"
_OUT = Path("out/bench")
# In the order of the page of results.
SUITES = (
    flat.SUITE,
    serial.SUITE,
    layers.SUITE,
    scaled.SUITE,
    whole.SUITE,
    peers.CPSAT,
    peers.ZIGZAG,
    scale.SUITE,
    simulate.SUITE,
    ablation.SUITE,
    mutants.SUITE,
    deletions.SUITE,
    fuzz.SUITE,
    interruptions.SUITE,
)

_PATH = click.Path(path_type=Path)


@click.group(cls=OneLineErrors, name=COMMAND, context_settings={"show_default": True})
def app() -> None:
    """Measure offload-asp. Each suite prints a table and writes OUT/SUITE.json."""


_OPTIONS = (
    click.option(
        "--time-limit",
        type=click.FloatRange(min=0.001),
        default=60,
        help="Seconds of search for each row.",
    ),
    click.option("--threads", type=click.IntRange(1, 64), default=2, help="Threads of the solver."),
    click.option(
        "--seed", type=click.IntRange(0), default=0, help="Seed of the solver and the tensors."
    ),
    click.option(
        "--jobs", type=click.IntRange(1), default=1, help="Rows measured at the same time."
    ),
    click.option("--only", help="Rows whose name this regular expression finds."),
    click.option("--out", type=_PATH, default=_OUT, help="Folder of the JSON files."),
    click.option("--resume", is_flag=True, help="Keep the rows that the file holds."),
)


def _measuring(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a suite to a command, which gets them as ``options``."""

    @wraps(command)
    def wrapped(
        time_limit: float,
        threads: int,
        seed: int,
        jobs: int,
        only: str | None,
        out: Path,
        resume: bool,
        **others: Any,
    ) -> None:
        options = _options(time_limit, threads, seed, jobs, only, out, resume)
        command(options=options, **others)

    for option in reversed(_OPTIONS):
        option(wrapped)
    return wrapped


def _options(
    time_limit: float,
    threads: int,
    seed: int,
    jobs: int,
    only: str | None,
    out: Path,
    resume: bool,
) -> Options:
    try:
        pattern = None if only is None else re.compile(only)
    except re.error as error:
        raise InputError(f"--only: must be a regular expression: {error}, not '{only}'") from None
    return Options(Limits(time_limit, threads, seed), pattern, jobs, out, resume)


def _run(suite: Suite, tasks: Callable[[Limits], Sequence[Task]], options: Options) -> None:
    command = shlex.join([COMMAND, *sys.argv[1:]])
    try:
        record = measure(suite, tasks(options.limits), options, command)
    except KeyboardInterrupt:
        path = options.out / f"{suite.name}.json"
        raise InterruptedEarly(
            f"interrupted; {path} has the rows so far, and --resume goes on"
        ) from None
    show(suite, record)


def _add(suite: Suite, tasks: Callable[[Limits], Sequence[Task]]) -> None:
    @app.command(suite.name, help=f"{suite.title}.")
    @_measuring
    def command(options: Options) -> None:
        _run(suite, tasks, options)


for _suite, _tasks in (
    (flat.SUITE, flat.tasks),
    (serial.SUITE, serial.tasks),
    (layers.SUITE, layers.tasks),
    (scaled.SUITE, scaled.tasks),
    (whole.SUITE, whole.tasks),
    (scale.SUITE, scale.tasks),
    (simulate.SUITE, simulate.tasks),
    (ablation.SUITE, ablation.tasks),
    (mutants.SUITE, mutants.tasks),
    (deletions.SUITE, deletions.tasks),
    (fuzz.SUITE, fuzz.tasks),
    (interruptions.SUITE, interruptions.tasks),
):
    _add(_suite, _tasks)


@app.command(name="peers")
@click.option("--peer", multiple=True, help="cpsat or zigzag; may be repeated; default: both.")
@_measuring
def peers_(peer: Sequence[str], options: Options) -> None:
    """Compare with CP-SAT and ZigZag, as far as they are installed."""
    wanted = list(dict.fromkeys(peer or peers.PACKAGES))
    for name in wanted:
        if name not in peers.PACKAGES:
            raise InputError(f"--peer: must be {' or '.join(peers.PACKAGES)}, not '{name}'")
    missing = [name for name in wanted if not peers.installed(name)]
    for name in missing:
        package = peers.PACKAGES[name][1]
        click.echo(f"{name}: {package} is not installed; left out", err=True)
    if missing == wanted:
        raise InputError("peers: none is installed; the extra 'bench' has them")
    suites = {
        "cpsat": (peers.CPSAT, peers.cpsat_tasks),
        "zigzag": (peers.ZIGZAG, peers.zigzag_tasks),
    }
    there = [suites[name] for name in wanted if name not in missing]
    # A pattern that only one of them knows is meant for that one.
    matching = [pair for pair in there if selected(pair[1](options.limits), options)]
    for suite, tasks in matching or there:
        _run(suite, tasks, options)


@app.command()
@click.option("--from", "source", type=_PATH, default=_OUT, help="Folder of the JSON files.")
@click.option(
    "--page", type=_PATH, default=Path("bench/RESULTS.md"), help="Markdown file to write."
)
def results(source: Path, page: Path) -> None:
    """Write the page of results from the JSON files that there are."""
    sections = []
    for suite in SUITES:
        path = source / f"{suite.name}.json"
        if path.exists():
            sections.append(markdown(suite, Record.load(path)))
    if not sections:
        raise InputError(f"--from: {source} holds no results of any suite")
    text = "\n".join(["# Results", "", _INTRODUCTION, "", *sections])
    write_whole(page, lambda file: file.write(text.encode()))


_INTRODUCTION = (
    f"Written by `{COMMAND} results` from what the commands below measured. "
    f"`{COMMAND} SUITE --help` says how to measure again."
)
