"""The commands that show strategy files: report, plot and export."""

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offloadasp.base.errors import InputError, VerificationError
from offloadasp.base.extras import plotly_source, require
from offloadasp.cli.options import StrategyArgument, require_file, require_name
from offloadasp.report.choices import PlotFormat, PlotKind, TimelineFormat

if TYPE_CHECKING:
    from offloadasp.judge.simulator import Books
    from offloadasp.model.strategy import Strategy


def report(
    strategies: Annotated[list[Path], typer.Argument(metavar="STRATEGY...")],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where to write the page.")],
    time_limit: Annotated[
        float, typer.Option(help="Seconds to look for the plain orders to compare with; 0: none.")
    ] = 10.0,
) -> None:
    """Write a page that shows strategies step by step, with charts and comparisons.

    STRATEGY is a file that 'run' wrote; several must be of one layer. A wrong strategy gets its
    page too, which says what is wrong; the exit code is then 5.
    """
    if not time_limit >= 0:
        raise InputError(f"--time-limit: must be at least 0 seconds, not {time_limit:g}")
    for path in strategies:
        require_file(path)
    require("jinja2", "report", "report")
    plotly = plotly_source()

    from offloadasp.base.files import write_whole
    from offloadasp.cli.baselines import references
    from offloadasp.judge.certificate import prove
    from offloadasp.judge.simulator import simulate
    from offloadasp.model.strategy import load
    from offloadasp.report.page.html import page
    from offloadasp.report.page.sections import Entry

    loaded = {path: load(path) for path in dict.fromkeys(strategies)}
    _require_one_layer(loaded)
    entries = [
        Entry(
            label,
            path.name,
            strategy,
            simulate(strategy, seed=strategy.instance.search.seed),
            prove(strategy),
        )
        for label, (path, strategy) in zip(_labels(list(loaded)), loaded.items(), strict=True)
    ]
    text = page(entries, references(entries, time_limit), plotly).encode()
    write_whole(out, lambda file: file.write(text))
    typer.echo(f"wrote {out}: {len(text):,} bytes", err=True)
    if not all(entry.replay.verified for entry in entries):
        raise typer.Exit(VerificationError.exit_code)


def plot(
    strategy: StrategyArgument,
    kind: Annotated[str, typer.Option(help=f"What to draw: {', '.join(PlotKind)}.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE.svg|FILE.png", help="Where to write the plot.")
    ],
) -> None:
    """Draw a plot for a paper: memory over the steps, loads, order, or timeline.

    STRATEGY is a file that 'run' wrote, and must be valid.
    """
    require_name("--kind", kind, list(PlotKind))
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in list(PlotFormat):
        allowed = " or ".join(f".{name}" for name in PlotFormat)
        raise InputError(f"--out: {out}: the name must end in {allowed}")
    require_file(strategy)
    require("matplotlib", "plots", "plot")

    from offloadasp.base.files import write_whole
    from offloadasp.model.strategy import load
    from offloadasp.report import plots

    loaded = load(strategy)
    figure = plots.draw(PlotKind(kind), loaded, _valid_books(loaded, strategy))
    drawn = plots.encoded(figure, PlotFormat(suffix))
    write_whole(out, lambda file: file.write(drawn))


def export(
    strategy: StrategyArgument,
    format: Annotated[  # noqa: A002 (the option's name)
        str, typer.Option(help=f"What to write: {' or '.join(TimelineFormat)}.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; default: standard output.")
    ] = None,
) -> None:
    """Write the timeline as Trace Event JSON for Perfetto, or as CSV with a row an action.

    STRATEGY is a file that 'run' wrote, and must be valid.
    """
    require_name("--format", format, list(TimelineFormat))
    require_file(strategy)

    from offloadasp.base.files import write_text
    from offloadasp.model.strategy import load
    from offloadasp.report.export import FORMATS

    write = FORMATS[TimelineFormat(format)]
    loaded = load(strategy)
    books = _valid_books(loaded, strategy)
    if out is None:
        write(loaded, books, sys.stdout)
        return
    text = StringIO(newline="")
    write(loaded, books, text)
    write_text(out, text.getvalue())


def _valid_books(strategy: "Strategy", path: Path) -> "Books":
    """Return the books of a strategy that keeps the rules: others have no timeline."""
    from offloadasp.judge.simulator import keep_books

    books = keep_books(strategy)
    if books.violations:
        raise VerificationError(f"{path}: breaks a rule: {books.violations[0]} (see 'simulate')")
    return books


def _require_one_layer(loaded: Mapping[Path, "Strategy"]) -> None:
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
