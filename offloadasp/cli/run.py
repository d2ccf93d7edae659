"""The commands that solve an instance: run and compare."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from offloadasp.cli.options import (
    BudgetOption,
    EncodingsOption,
    InstanceArgument,
    JsonOption,
    MemoryOption,
    SeedOption,
    ThreadsOption,
    TimeLimitOption,
    require_file,
    require_folder,
    require_rules_folder,
)
from offloadasp.limits.given import Limits
from offloadasp.limits.interrupt import EXIT_CODE
from offloadasp.model.catalogue import find_instance
from offloadasp.model.objectives import DURATION, OBJECTIVES, objectives, require_defined
from offloadasp.search.refute.cuts import known_cuts


def run(
    instance: InstanceArgument,
    time_limit: TimeLimitOption = None,
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    objective: Annotated[
        str,
        typer.Option(
            help="What to minimise: "
            + ", ".join(f"{name} ({one.meaning})" for name, one in OBJECTIVES.items())
            + "; several with commas, the one that matters most first."
        ),
    ] = DURATION,
    encoding: Annotated[
        list[Path] | None, typer.Option(help="A file of rules to add; may be repeated.")
    ] = None,
    encodings: EncodingsOption = None,
    out: Annotated[Path, typer.Option(help="Folder for the strategy file.")] = Path("out"),
    json: JsonOption = False,
    budget: BudgetOption = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CUT", help="A cut to search without; may be repeated."),
    ] = None,
    memory_limit: MemoryOption = None,
) -> None:
    """Find a strategy of least duration, or of another objective, verify it, and write it.

    INSTANCE is a TOML file, or the name of a shipped instance. Its table [search] says how long
    to search and with how many threads; options here come first.

    The strategy is written to OUT/NAME.strategy.json. If a file of a strategy in OUT already holds
    a better one for the same objective, of the same instance or of one that differs only in its
    name and in having less memory, the better one is verified anew and written. With --budget, or
    with edited rules, the strategy found is always written; a file of the shipped rules that is in
    the way of one under edited rules is kept as NAME.earlier.strategy.json.
    """
    names = objectives(objective)
    path = find_instance(instance)
    limits = Limits(time_limit, threads, seed, budget, memory_limit)
    require_rules_folder(encodings)
    for file in encoding or ():
        require_file(file)
    cuts = known_cuts(without or [], encodings_folder())
    require_folder(out)

    from offloadasp.asp.remarks import remarks
    from offloadasp.asp.rules import rules_in_force
    from offloadasp.cli.solving import solved
    from offloadasp.model.instance import load_instance
    from offloadasp.report.text.screen import print_json
    from offloadasp.report.text.summary import run_object, show_run
    from offloadasp.result import UnwrittenError

    described = limits.applied(load_instance(path))
    require_defined(names, described)
    rules = rules_in_force(encodings, encoding or ())
    if cuts and rules.edited:
        raise InputError("--without: edited or added rules are solved without any cut")
    unwritten: UnwrittenError | None = None
    try:
        result = solved(instance, described, limits, out, rules, names, cuts, watched=not json)
    except UnwrittenError as error:
        result, unwritten = error.result, error
    if json:
        notes = remarks(rules.edit)
        print_json(run_object(result, notes, edited=rules.edited, written=unwritten is None))
    else:
        _note(remarks(rules.edit))
        show_run(result, described, edited=rules.edited, written=unwritten is None)
    if unwritten is not None:
        raise unwritten
    if result.interrupted:
        raise typer.Exit(EXIT_CODE)


def compare(
    instance: InstanceArgument,
    time_limit: TimeLimitOption = None,
    threads: ThreadsOption = None,
    seed: SeedOption = None,
    budget: BudgetOption = None,
    encoding: Annotated[
        list[Path] | None, typer.Option(help="A file of rules to add; may be repeated.")
    ] = None,
    encodings: EncodingsOption = None,
    out: Annotated[Path, typer.Option(help="Folder for the strategy files.")] = Path("out"),
    memory_limit: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Solve an instance, and set the plain orders and no reuse at all beside the strategy found.

    INSTANCE is a TOML file, or the name of a shipped instance. Every strategy is written to the
    folder OUT: the one found as NAME.strategy.json, the plain orders as NAME.zigzag.strategy.json
    and so on. Under rules of your own the plan without them is set beside the one that obeys them,
    as NAME.shipped.strategy.json: that is what the rules cost.
    """
    path = find_instance(instance)
    limits = Limits(time_limit, threads, seed, budget, memory_limit)
    require_rules_folder(encodings)
    for file in encoding or ():
        require_file(file)
    require_folder(out)

    from offloadasp.asp.remarks import remarks
    from offloadasp.asp.rules import rules_in_force
    from offloadasp.cli.baselines import rows_beside
    from offloadasp.cli.solving import solved
    from offloadasp.model.instance import load_instance
    from offloadasp.report.text.compare import comparison_object, show_comparison
    from offloadasp.report.text.screen import print_json
    from offloadasp.report.text.words import scope_words

    described = limits.applied(load_instance(path))
    rules = rules_in_force(encodings, encoding or ())
    result = solved(instance, described, limits, out, rules, watched=not json)
    rows = rows_beside(result, out)
    scope = scope_words(described.choice)
    if json:
        print_json(comparison_object(result.strategy, scope, rows))
    else:
        _note(remarks(rules.edit))
        show_comparison(result.strategy, scope, rows)


def _note(remarks: Iterable[str]) -> None:
    """Say on standard error what is odd about the rules: a run that fails says why, and no more."""
    for remark in remarks:
        typer.echo(f"note: {remark}", err=True)
