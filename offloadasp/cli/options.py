"""Arguments and options that several commands share, and the checks of their values.

Nothing here loads a solver or NumPy: a wrong value is refused at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offloadasp.base.errors import InputError

if TYPE_CHECKING:
    from offloadasp.model.instance import Instance, SearchOptions

# The limits of `offloadasp.model.instance.SearchOptions`; a test holds both together.
MOST_SECONDS = 10**7
MOST_THREADS = 64
MOST_SEED = 2**31 - 1
MOST_BUDGET = 2**31 - 1

InstanceArgument = Annotated[
    str,
    typer.Argument(metavar="INSTANCE", help="A TOML file, or the name of a shipped instance."),
]
StrategyArgument = Annotated[
    Path, typer.Argument(metavar="STRATEGY", help="A strategy file, as 'run' writes it.")
]
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
    typer.Option(help="Megabytes of data that the process of the solver may hold (Linux)."),
]


@dataclass(frozen=True)
class Effort:
    """How long and on what a search may work; None: as the instance says.

    Attributes
    ----------
    time_limit
        Seconds.
    budget
        Deterministic effort instead of a time limit, with one thread.
    memory_limit
        Megabytes of data.

    Raises
    ------
    InputError
        A value is out of range, or two of them exclude each other; one line names the option.
    """

    time_limit: float | None = None
    threads: int | None = None
    seed: int | None = None
    budget: int | None = None
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        require_seconds(self.time_limit)
        require_between("--threads", self.threads, 1, MOST_THREADS)
        require_between("--seed", self.seed, 0, MOST_SEED)
        require_between("--budget", self.budget, 1, MOST_BUDGET)
        if self.budget is not None:
            if self.threads not in (None, 1):
                raise InputError(f"--threads: must be 1 with --budget, not {self.threads}")
            if self.time_limit is not None:
                raise InputError("--time-limit: --budget replaces it; give one of them")

    def options(self, default: "SearchOptions") -> "SearchOptions":
        """Return the options of a search: what is given here, else the default's."""
        threads = 1 if self.budget is not None else self.threads
        given = {"time_limit": self.time_limit, "threads": threads, "seed": self.seed}
        update = {key: value for key, value in given.items() if value is not None}
        return default.model_copy(update=update)

    def applied(self, instance: "Instance") -> "Instance":
        """Return an instance with these options in its ``[search]`` table."""
        return instance.model_copy(update={"search": self.options(instance.search)})


def require_between(option: str, value: int | None, least: int, most: int) -> None:
    """Refuse a number out of range; None is not given."""
    if value is not None and not least <= value <= most:
        raise InputError(f"{option}: must be from {least} to {most}, not {value}")


def require_seconds(value: float | None) -> None:
    """Refuse a time limit that is not above 0 and finite; None is not given."""
    if value is not None and not 0 < value <= MOST_SECONDS:
        raise InputError(
            f"--time-limit: must be greater than 0 and at most {MOST_SECONDS} seconds, "
            f"not {value:g}"
        )


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


def require_rules_folder(folder: Path | None) -> None:
    """Refuse a folder of rules that does not exist."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; --encodings takes a folder of .lp files")
