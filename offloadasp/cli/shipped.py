"""The commands on what is shipped: instances, facts and encodings."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import InputError
from offloadasp.base.resources import model_folder
from offloadasp.cli.options import InstanceArgument, JsonOption
from offloadasp.model.catalogue import find_instance, load_shipped


def instances(json: JsonOption = False) -> None:
    """List the shipped instances with layer, memory, bytes of all data, and decomposition."""
    from offloadasp.report.text.instances import instances_object, show_instances
    from offloadasp.report.text.screen import print_json

    shipped = load_shipped()
    if json:
        print_json(instances_object(shipped))
    else:
        show_instances(shipped)


def facts(
    instance: InstanceArgument,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**31 - 1,  # clingo's largest integer
            metavar="N",
            help="Steps to plan with; default: one an operation, and one more.",
        ),
    ] = None,
) -> None:
    """Print the facts of an instance, which 'clingo - encodings/solve.lp' solves.

    INSTANCE is a TOML file, or the name of a shipped instance.
    """
    path = find_instance(instance)

    from offloadasp.asp import facts as facts_of
    from offloadasp.model.instance import load_instance
    from offloadasp.model.problem import problem_of
    from offloadasp.search.construct.decompose import scope
    from offloadasp.search.size_limits import operations

    described = load_instance(path)
    problem = problem_of(described, scope(described))
    if steps is None:
        steps = operations(problem) + 1  # the last write-back takes a step of its own
    if not facts_of.fits_clingo(problem, steps):
        typer.echo(
            f"% Costs of {steps} steps can leave clingo's 32-bit integers: they wrap silently."
        )
    typer.echo(facts_of.facts(problem, steps), nl=False)


def encodings(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
) -> None:
    """Copy the shipped model out, to be edited and used with 'run --encodings DIR'.

    DIR is a new or empty folder.
    """
    try:
        _copy_encodings(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"copied the encodings to {folder}", err=True)


def _copy_encodings(folder: Path) -> None:
    """Copy the encodings into a folder, whole or not at all."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not an empty folder; nothing was copied")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    moved: list[Path] = []
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            ours = Path(name) / "encodings"
            shutil.copytree(model_folder(), ours, ignore=_not_encodings)
            for path in sorted(ours.iterdir()):
                moved.append(folder / path.name)
                path.rename(moved[-1])
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if made:
            folder.rmdir()
        raise


def _not_encodings(folder: str, names: list[str]) -> list[str]:
    kept = {".lp", ".md"}
    return [
        name
        for name in names
        if not (Path(folder) / name).is_dir() and Path(name).suffix not in kept
    ]
