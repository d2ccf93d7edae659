"""The commands that show strategy files: report, plot and export."""

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offloadasp.base.errors import InputError, VerificationError
from offloadasp.base.extras import plotly_source, require
from offloadasp.cli.options import PATH, require_file, strategy_argument, time_limit_type
from offloadasp.report.choices import PlotFormat, PlotKind, TimelineFormat

if TYPE_CHECKING:
    from offloadasp.judge.simulator import Books
    from offloadasp.model.strategy import Strategy


@click.command()
@click.argument("strategies", metavar="STRATEGY...", type=PATH, nargs=-1, required=True)
@click.option(
    "--out", metavar="FILE.html", type=PATH, required=True, help="Where to write the page."
)
@click.option(
    "--time-limit",
    type=time_limit_type(zero=True),
    default=10.0,
    help="Seconds to look for the plain orders to compare with; 0: none.",
)
def report(strategies: Sequence[Path], out: Path, time_limit: float) -> None:
    """Write a page that shows strategies step by step, with charts and comparisons.

    STRATEGY is a file that 'run' wrote; several must be of one layer. A wrong strategy gets its
    page too, which says what is wrong; the exit code is then 5.
    """
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
    click.echo(f"wrote {out}: {len(text):,} bytes", err=True)
    if not all(entry.replay.verified for entry in entries):
        raise click.exceptions.Exit(VerificationError.exit_code)


@click.command()
@strategy_argument
@click.option(
    "--kind", type=click.Choice([*map(str, PlotKind)]), required=True, help="What to draw."
)
@click.option(
    "--out",
    metavar="FILE.svg|FILE.png",
    type=PATH,
    required=True,
    help="Where to write the plot.",
)
def plot(strategy: Path, kind: str, out: Path) -> None:
    """Draw a plot for a paper: memory over the steps, loads, order, or timeline.

    STRATEGY is a file that 'run' wrote, and must be valid.
    """
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


@click.command()
@strategy_argument
@click.option(
    "--format", type=click.Choice([*map(str, TimelineFormat)]), required=True, help="What to write."
)
@click.option("--out", type=PATH, help="Where to write it; default: standard output.")
def export(
    strategy: Path,
    format: str,  # noqa: A002 (the option's name)
    out: Path | None,
) -> None:
    """Write the timeline as Trace Event JSON for Perfetto, or as CSV with a row an action.

    STRATEGY is a file that 'run' wrote, and must be valid.
    """
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
