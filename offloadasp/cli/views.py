"""The commands that look into strategies: report, plot, export, compare."""

import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InputError, VerificationError
from offloadasp.base.extras import plotly_source, require
from offloadasp.base.files import write_whole
from offloadasp.cli.errors import MemoryOption, require_folder, without_strategy
from offloadasp.judge.certificate import prove
from offloadasp.judge.simulator import Books, keep_books, simulate
from offloadasp.limits.clock import Clock
from offloadasp.limits.interrupt import Interrupts
from offloadasp.limits.process_memory import MemoryLimit
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import Accelerator, Resolved, load_instance
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy
from offloadasp.model.strategy import load as load_strategy
from offloadasp.model.strategy import save as save_strategy
from offloadasp.pipeline import run as run_pipeline
from offloadasp.report import plots
from offloadasp.report.export import FORMATS
from offloadasp.report.page.html import page
from offloadasp.report.page.sections import Entry, Reference
from offloadasp.report.text.compare import Row, comparison_object, show_comparison
from offloadasp.report.text.live import LiveLine
from offloadasp.report.text.screen import print_json
from offloadasp.report.text.words import BASELINES, scope_words
from offloadasp.search.baselines import baselines, compared, strategy_of
from offloadasp.search.effort import effort_of, search_options

_REFUSED = 5

_Strategy = Annotated[Path, typer.Argument(help="A strategy file, as 'run' writes it.")]


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
        raise typer.Exit(_REFUSED)


def plot(
    strategy: _Strategy,
    kind: Annotated[str, typer.Option(help=f"What to draw: {', '.join(plots.KINDS)}.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE.svg|FILE.png", help="Where to write the plot.")
    ],
) -> None:
    """Draw a plot for a paper: memory over the steps, loads, order, or timeline."""
    if kind not in plots.KINDS:
        raise InputError(f"--kind: must be one of {', '.join(plots.KINDS)}, not '{kind}'")
    suffix = plots.suffix_of(out)
    if suffix not in plots.FORMATS:
        allowed = " or ".join(f".{name}" for name in plots.FORMATS)
        raise InputError(f"--out: {out}: the name must end in {allowed}")
    require("matplotlib", "plots", "plot")
    loaded = load_strategy(strategy)
    figure = plots.draw(kind, loaded, _valid_books(loaded, strategy))
    write_whole(out, lambda file: plots.save(figure, suffix, file))


def export(
    strategy: _Strategy,
    format: Annotated[  # noqa: A002 (the option's name)
        str, typer.Option(help=f"What to write: {' or '.join(FORMATS)}.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; default: standard output.")
    ] = None,
) -> None:
    """Write the timeline as Trace Event JSON for Perfetto, or as CSV with a row an action."""
    if format not in FORMATS:
        raise InputError(f"--format: must be {' or '.join(FORMATS)}, not '{format}'")
    loaded = load_strategy(strategy)
    books = _valid_books(loaded, strategy)
    if out is None:
        FORMATS[format](loaded, books, sys.stdout)
        return
    text = StringIO(newline="")
    FORMATS[format](loaded, books, text)
    write_whole(out, lambda file: file.write(text.getvalue().encode()))


def compare(
    instance: Annotated[
        str, typer.Argument(help="A TOML file, or the name of a shipped instance.")
    ],
    time_limit: Annotated[float | None, typer.Option(help="Seconds of search.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the solver.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the solver.")] = None,
    budget: Annotated[
        int | None,
        typer.Option(help="Deterministic effort instead of a time limit; implies one thread."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the strategy files.")] = Path("out"),
    memory_limit: MemoryOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Solve an instance, and set the plain orders and no reuse at all beside the strategy found."""
    described = load_instance(find_instance(instance))
    options = search_options(described, time_limit, threads, seed, budget)
    described = described.model_copy(update={"search": options})
    require_folder(out)
    effort = effort_of(options, budget)
    clock = effort.clock
    line = LiveLine(clock, shown=not json)
    told = without_strategy(instance, described.name, clock, memory_limit)
    with MemoryLimit(memory_limit, clock), Interrupts(clock), line.shown(), told:
        result = run_pipeline(described, shipped_rules(), effort, out, line.tell)
    bound = result.strategy.lower_bound
    rows = [Row("found", result.replay)]
    for name, plan in compared(result.answer, shipped_rules()).items():
        strategy = strategy_of(plan, bound, result.strategy.certificate)
        rows.append(Row(name, _accepted(strategy, name), plan))
        save_strategy(strategy, out / f"{described.name}.{name}.strategy.json")
    scope = scope_words(described.choice)
    if json:
        print_json(comparison_object(result.strategy, scope, rows, bound))
    else:
        missing = [name for name in BASELINES if name not in [row.name for row in rows]]
        show_comparison(result.strategy, scope, rows, bound, missing)


def _accepted(strategy: Strategy, name: str) -> Books:
    books = keep_books(strategy)
    if books.violations:
        first = books.violations[0]
        raise VerificationError(f"{strategy.instance.name}: VERIFICATION FAILED: {name}: {first}")
    return books


def _valid_books(strategy: Strategy, path: Path) -> Books:
    """Return the books of a strategy that keeps the rules: others have no timeline."""
    books = keep_books(strategy)
    if books.violations:
        raise VerificationError(f"{path}: breaks a rule: {books.violations[0]} (see 'simulate')")
    return books


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
    problems: dict[tuple[Accelerator, Resolved], tuple[str, Problem]] = {}
    for entry in entries:
        problem = entry.strategy.problem
        problems.setdefault((problem.accelerator, problem.decomposition), (entry.label, problem))
    found: list[Reference] = []
    if seconds == 0:
        return found
    for owner, problem in problems.values():
        where = f" (as {owner})" if len(problems) > 1 else ""
        clock = Clock(seconds / len(problems))
        for name, plan in baselines(problem, shipped_rules(), clock).items():
            strategy = strategy_of(plan)
            books = keep_books(strategy)
            label = f"{BASELINES[name]}{where}"
            if any(entry.label == label for entry in entries):
                label += " (baseline)"
            found.append(Reference(label, strategy.instance, books))
    return found
