"""The commands that look into strategies: report, plot, export, compare."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.baselines import baselines, strategy_of
from offloadasp.errors import InputError
from offloadasp.extras import plotly_source
from offloadasp.files import write_whole
from offloadasp.proof import prove
from offloadasp.report.html import Entry, Reference, page
from offloadasp.report.words import BASELINES
from offloadasp.rules import shipped_rules
from offloadasp.search.clock import Clock
from offloadasp.simulate import keep_books, simulate
from offloadasp.strategy import Strategy
from offloadasp.strategy import load as load_strategy

REFUSED = 5


def report(
    strategies: Annotated[
        list[Path], typer.Argument(metavar="STRATEGY...", help="Strategy files of one layer.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where to write the page.")],
    time_limit: Annotated[
        float, typer.Option(help="Seconds to look for the plain orders to compare with; 0: none.")
    ] = 10.0,
) -> None:
    """Write a page that shows strategies step by step, with charts and comparisons."""
    plotly = plotly_source()
    if not time_limit >= 0:
        raise InputError(f"--time-limit: must be at least 0 seconds, not {time_limit:g}")
    loaded = {path: load_strategy(path) for path in dict.fromkeys(strategies)}
    _require_one_layer(loaded)
    labels = _labels(list(loaded))
    entries = [
        Entry(
            label,
            path.name,
            strategy,
            simulate(strategy, seed=strategy.instance.search.seed),
            prove(strategy),
        )
        for label, (path, strategy) in zip(labels, loaded.items(), strict=True)
    ]
    text = page(entries, _references(entries, time_limit), plotly).encode()
    write_whole(out, lambda file: file.write(text))
    typer.echo(f"wrote {out}: {len(text):,} bytes", err=True)
    if not all(entry.replay.verified for entry in entries):
        raise typer.Exit(REFUSED)


def _require_one_layer(loaded: dict[Path, Strategy]) -> None:
    first, *others = loaded.items()
    for path, strategy in others:
        for part in ("layer", "precision"):
            if getattr(strategy.instance, part) != getattr(first[1].instance, part):
                raise InputError(f"{path}: {part}: must be the same as in {first[0]}")


def _labels(paths: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that differ, without the usual suffix."""
    for depth in range(1, max(len(path.absolute().parts) for path in paths) + 1):
        labels = ["/".join(path.absolute().parts[-depth:]) for path in paths]
        if len(set(labels)) == len(paths):
            break
    return [label.removesuffix(".json").removesuffix(".strategy") for label in labels]


def _references(entries: Sequence[Entry], seconds: float) -> list[Reference]:
    """Find baselines for every different problem among the strategies."""
    problems = {}
    for entry in entries:
        problem = entry.strategy.problem
        key = (problem.accelerator, problem.decomposition)
        problems.setdefault(str(key), (entry.label, problem))
    found: list[Reference] = []
    if seconds == 0:
        return found
    for label, problem in problems.values():
        where = f" (as {label})" if len(problems) > 1 else ""
        clock = Clock(seconds / len(problems))
        for name, planned in baselines(problem, shipped_rules(), clock).items():
            strategy = strategy_of(planned)
            books = keep_books(strategy)
            found.append(Reference(f"{BASELINES[name]}{where}", strategy.instance, books))
    return found
