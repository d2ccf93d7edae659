"""Arguments and options that several commands share, and the checks of their values.

Nothing here loads a solver or NumPy: a wrong value is refused at once.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import InputError
from offloadasp.limits.given import MOST_THREADS

# Arguments are described in the text of each command: the help of an argument itself is lost
# between this typer and click 8.5.
InstanceArgument = Annotated[str, typer.Argument(metavar="INSTANCE")]
StrategyArgument = Annotated[Path, typer.Argument(metavar="STRATEGY")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
EncodingsOption = Annotated[
    Path | None, typer.Option(help="A folder of rules to use instead of the shipped ones.")
]
TimeLimitOption = Annotated[
    float | None, typer.Option(help="Seconds of search; default: the instance's, else 60.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(help=f"Threads of the solver, at most {MOST_THREADS}; default: 2."),
]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed of the solver and of the random tensors; default: 0.")
]
BudgetOption = Annotated[
    int | None,
    typer.Option(
        help="Effort instead of a time limit, 8 to 64 is sensible: the same file on every run. "
        "Implies one thread."
    ),
]
MemoryOption = Annotated[
    int | None,
    typer.Option(
        help="Megabytes of data that the process of the solver may hold (Linux). The search ends "
        "as by its time limit when it holds three quarters of them."
    ),
]


def require_name(option: str, name: str, allowed: Sequence[str]) -> None:
    """Refuse a word that an option does not know."""
    if name not in allowed:
        raise InputError(f"{option}: must be one of {', '.join(allowed)}, not '{name}'")


def require_file(path: Path | None) -> None:
    """Refuse a file that cannot be read before the programs that read it are loaded."""
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def require_folder(out: Path) -> None:
    """Refuse a folder that cannot be written before the search rather than after it."""
    existing = next((path for path in (out, *out.parents) if path.exists()), Path())
    if not existing.is_dir():
        raise InputError(f"--out: {existing} is not a folder")
    try:
        # Permissions do not tell: a file system may be read-only or full.
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"0")
    except OSError as error:
        raise InputError(f"--out: {existing} cannot be written: {error.strerror}") from None


def require_rules_folder(folder: Path | None) -> None:
    """Refuse a folder of rules that does not exist."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; --encodings takes a folder of .lp files")
