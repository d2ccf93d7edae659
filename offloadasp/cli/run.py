"""The commands that solve an instance: run and compare."""

from collections.abc import Sequence
from pathlib import Path

import click

from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from offloadasp.base.wording import did_you_mean
from offloadasp.cli.options import (
    PATH,
    Effort,
    effort_options,
    encodings_option,
    instance_argument,
    json_option,
    require_file,
    require_folder,
    require_rules_folder,
)
from offloadasp.limits.interrupt import EXIT_CODE
from offloadasp.model.catalogue import find_instance
from offloadasp.model.cost import DURATION, objectives
from offloadasp.search.refute.cuts import cut_files

_out_option = click.option("--out", type=PATH, default="out", help="Folder for the strategy files.")


@click.command()
@instance_argument
@effort_options
@click.option(
    "--objective",
    default=DURATION,
    help="What to minimise: duration, traffic (bytes moved) or peak_memory (most bytes on chip); "
    "several with commas, the one that matters most first.",
)
@click.option(
    "--encoding", type=PATH, multiple=True, help="A file of rules to add; may be repeated."
)
@encodings_option
@click.option(
    "--without", metavar="CUT", multiple=True, help="A cut to search without; may be repeated."
)
@_out_option
@json_option
def run(
    instance: str,
    effort: Effort,
    objective: str,
    encoding: Sequence[Path],
    encodings: Path | None,
    without: Sequence[str],
    out: Path,
    json: bool,
) -> None:
    """Find a strategy of least duration, or of another objective, verify it, and write it.

    INSTANCE is a TOML file, or the name of a shipped instance. Its table [search] says how long
    to search and with how many threads; options here come first.

    The strategy is written to OUT/NAME.strategy.json. If that file already holds a better
    strategy of the same instance for the same objective, the better one is verified anew and
    kept. With --budget, or with edited rules, the file is always replaced.
    """
    names = objectives(objective)
    path = find_instance(instance)
    require_rules_folder(encodings)
    for file in encoding:
        require_file(file)
    cuts = _known_cuts(without, encodings or encodings_folder())
    require_folder(out)

    from offloadasp.asp.rules import rules_in_force
    from offloadasp.cli.solving import solved
    from offloadasp.model.instance import load_instance
    from offloadasp.pipeline import UnwrittenError
    from offloadasp.report.text.screen import print_json
    from offloadasp.report.text.summary import run_object, show_run

    described = effort.applied(load_instance(path))
    rules = rules_in_force(encodings, encoding)
    if cuts and rules.edited:
        raise InputError("--without: edited or added rules are solved without any cut")
    unwritten: UnwrittenError | None = None
    try:
        result = solved(instance, described, effort, out, rules, names, cuts, watched=not json)
    except UnwrittenError as error:
        result, unwritten = error.result, error
    if json:
        print_json(run_object(result, edited=rules.edited, written=unwritten is None))
    else:
        show_run(result, described, edited=rules.edited, written=unwritten is None)
    if unwritten is not None:
        raise unwritten
    if result.interrupted:
        raise click.exceptions.Exit(EXIT_CODE)


@click.command()
@instance_argument
@effort_options
@_out_option
@json_option
def compare(instance: str, effort: Effort, out: Path, json: bool) -> None:
    """Solve an instance, and set the plain orders and no reuse at all beside the strategy found.

    INSTANCE is a TOML file, or the name of a shipped instance. Every strategy is written to the
    folder OUT: the one found as NAME.strategy.json, the plain orders as NAME.zigzag.strategy.json
    and so on.
    """
    path = find_instance(instance)
    require_folder(out)

    from offloadasp.cli.baselines import rows_beside
    from offloadasp.cli.solving import solved
    from offloadasp.model.instance import load_instance
    from offloadasp.report.text.compare import comparison_object, show_comparison
    from offloadasp.report.text.screen import print_json
    from offloadasp.report.text.words import scope_words

    described = effort.applied(load_instance(path))
    result = solved(instance, described, effort, out, watched=not json)
    rows = rows_beside(result, out)
    scope = scope_words(described.choice)
    if json:
        print_json(comparison_object(result.strategy, scope, rows))
    else:
        show_comparison(result.strategy, scope, rows)


def _known_cuts(names: Sequence[str], folder: Path) -> frozenset[str]:
    known = cut_files(folder)
    for name in names:
        if name not in known:
            allowed = f"must be {' or '.join(known)}, not '{name}'"
            raise InputError(f"--without: {allowed}{did_you_mean(name, known)}")
    return frozenset(names)
