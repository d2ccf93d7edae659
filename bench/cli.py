"""The command: one sub-command a suite, and the page of results."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench import (
    ablation,
    balance,
    flat,
    layers,
    peers,
    rule_limits,
    scale,
    scaled,
    serial,
    simulate,
    trials,
    whatifs,
    whole,
)
from bench.record import Record
from bench.show import markdown, show
from bench.suite import Limits, Options, Suite, measure, selected
from offloadasp.base.errors import InputError, InterruptedEarly
from offloadasp.base.files import write_whole
from offloadasp.cli.errors import OneLineErrors
from offloadasp.model.objectives import DURATION, TRAFFIC

COMMAND = "scripts/bench"
_OUT = Path("out/bench")
# In the order of the page of results.
SUITES = (
    flat.SUITE,
    serial.SUITE,
    layers.SUITE,
    layers.TRAFFIC,
    balance.SUITE,
    scaled.SUITE,
    whole.SUITE,
    peers.CPSAT,
    peers.ZIGZAG,
    peers.ACCELFORGE,
    scale.SUITE,
    simulate.SUITE,
    ablation.SUITE,
    whatifs.SUITE,
    rule_limits.SUITE,
    trials.MUTANTS,
    trials.DELETIONS,
    trials.FUZZ,
    trials.INTERRUPTIONS,
    trials.RULES,
    trials.QUICK,
)
PEERS = {"cpsat": peers.CPSAT, "zigzag": peers.ZIGZAG, "accelforge": peers.ACCELFORGE}

app = typer.Typer(
    name=COMMAND,
    cls=OneLineErrors,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure offload-asp. Each suite prints a table and writes OUT/SUITE.json.",
)

_TimeLimit = Annotated[float, typer.Option(help="Seconds of search for each row.", min=0.001)]
_Threads = Annotated[int, typer.Option(help="Threads of the solver.", min=1, max=64)]
_Seed = Annotated[int, typer.Option(help="Seed of the solver and the tensors.", min=0)]
_Jobs = Annotated[int, typer.Option(help="Rows measured at the same time.", min=1)]
_Only = Annotated[str | None, typer.Option(help="Rows whose name this regular expression finds.")]
_Out = Annotated[Path, typer.Option(help="Folder of the JSON files.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Keep the rows that the file holds.")]


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


def _run(suite: Suite, options: Options) -> None:
    command = shlex.join([COMMAND, *sys.argv[1:]])
    try:
        record = measure(suite, suite.tasks(options.limits), options, command)
    except KeyboardInterrupt:
        path = options.out / f"{suite.name}.json"
        raise InterruptedEarly(
            f"interrupted; {path} has the rows so far, and --resume goes on"
        ) from None
    show(suite, record)


def _add(suite: Suite) -> None:
    def command(
        time_limit: _TimeLimit = 60,
        threads: _Threads = 2,
        seed: _Seed = 0,
        jobs: _Jobs = 1,
        only: _Only = None,
        out: _Out = _OUT,
        resume: _Resume = False,
    ) -> None:
        _run(suite, _options(time_limit, threads, seed, jobs, only, out, resume))

    app.command(suite.name, help=f"{suite.title}.")(command)


for _suite in SUITES:
    if _suite not in (*PEERS.values(), layers.SUITE, layers.TRAFFIC):
        _add(_suite)


@app.command(name=layers.SUITE.name, help=f"{layers.SUITE.title}.")
def layers_(
    objective: Annotated[str, typer.Option(help="What plans minimise: duration or traffic.")] = (
        DURATION
    ),
    time_limit: _TimeLimit = 60,
    threads: _Threads = 2,
    seed: _Seed = 0,
    jobs: _Jobs = 1,
    only: _Only = None,
    out: _Out = _OUT,
    resume: _Resume = False,
) -> None:
    """Measure real layers, by duration or by bytes moved."""
    if objective not in (DURATION, TRAFFIC):
        raise InputError(f"--objective: must be {DURATION} or {TRAFFIC}, not '{objective}'")
    options = _options(time_limit, threads, seed, jobs, only, out, resume)
    _run(layers.SUITE if objective == DURATION else layers.TRAFFIC, options)


@app.command(name="peers")
def peers_(
    peer: Annotated[
        list[str] | None,
        typer.Option(help="cpsat, zigzag or accelforge; may be repeated; default: all."),
    ] = None,
    time_limit: _TimeLimit = 60,
    threads: _Threads = 2,
    seed: _Seed = 0,
    jobs: _Jobs = 1,
    only: _Only = None,
    out: _Out = _OUT,
    resume: _Resume = False,
) -> None:
    """Compare with CP-SAT, ZigZag and AccelForge, as far as they are installed."""
    wanted = list(dict.fromkeys(peer or peers.PACKAGES))
    for name in wanted:
        if name not in peers.PACKAGES:
            raise InputError(f"--peer: must be one of {', '.join(peers.PACKAGES)}, not '{name}'")
    options = _options(time_limit, threads, seed, jobs, only, out, resume)
    missing = [name for name in wanted if not peers.installed(name)]
    for name in missing:
        package = peers.PACKAGES[name][1]
        typer.echo(f"{name}: {package} is not installed; left out", err=True)
    if missing == wanted:
        raise InputError("peers: none is installed; the extra 'bench' has them")
    there = [PEERS[name] for name in wanted if name not in missing]
    # A pattern that only one of them knows is meant for that one.
    matching = [suite for suite in there if selected(suite.tasks(options.limits), options)]
    for suite in matching or there:
        _run(suite, options)


@app.command()
def results(
    source: Annotated[Path, typer.Option("--from", help="Folder of the JSON files.")] = _OUT,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")] = Path("bench/RESULTS.md"),
) -> None:
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
