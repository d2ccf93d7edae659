"""Arguments and options that several commands share, and the checks of their values.

Nothing here loads a solver or NumPy: a wrong value is refused at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from offloadasp.base.errors import InputError

if TYPE_CHECKING:
    from offloadasp.model.instance import Instance, SearchOptions

# The limits of `offloadasp.model.instance.SearchOptions`; a test holds both together.
MOST_SECONDS = 10**7
MOST_THREADS = 64
MOST_SEED = 2**31 - 1

_MOST_BUDGET = 2**31 - 1
_MOST_MEGABYTES = 10**9

PATH = click.Path(path_type=Path)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number from a least to a most."""

    def integer(value: str) -> int:
        number = _read(int, value, "a whole number")
        if not least <= number <= most:
            raise click.BadParameter(f"must be from {least} to {most}, not {number}")
        return number

    return integer


def time_limit_type(*, zero: bool = False) -> Callable[[str], float]:
    """Return the type of an option that is a number of seconds above 0, or from 0 on."""

    def seconds(value: str) -> float:
        number = _read(float, value, "a number of seconds")
        above = number >= 0 if zero else number > 0
        if not (above and number <= MOST_SECONDS):
            least = "at least" if zero else "greater than"
            raise click.BadParameter(
                f"must be {least} 0 and at most {MOST_SECONDS} seconds, not {number:g}"
            )
        return number

    return seconds


_Number = TypeVar("_Number", int, float)


def _read(kind: type[_Number], value: str, words: str) -> _Number:
    try:
        return kind(value)
    except ValueError:
        raise click.BadParameter(f"must be {words}, not '{value}'") from None


instance_argument = click.argument("instance")
strategy_argument = click.argument("strategy", type=PATH)
json_option = click.option("--json", is_flag=True, help="Print one JSON object and nothing else.")
encodings_option = click.option(
    "--encodings", type=PATH, help="A folder of rules to use instead of the shipped ones."
)
memory_option = click.option(
    "--memory-limit",
    type=whole(1, _MOST_MEGABYTES),
    help="Megabytes of data that the process of the solver may hold (Linux). The search ends as by "
    "its time limit when it holds three quarters of them.",
)
_effort_options = (
    click.option("--time-limit", type=time_limit_type(), help="Seconds of search."),
    click.option(
        "--threads",
        type=whole(1, MOST_THREADS),
        help=f"Threads of the solver, 1 to {MOST_THREADS}.",
    ),
    click.option(
        "--seed",
        type=whole(0, MOST_SEED),
        help="Seed of the solver and of the random tensors.",
    ),
    click.option(
        "--budget",
        type=whole(1, _MOST_BUDGET),
        help="Deterministic effort instead of a time limit: the same budget gives the same file. "
        "8 to 64 is sensible. Implies one thread.",
    ),
    memory_option,
)


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
        Two of them exclude each other.
    """

    time_limit: float | None = None
    threads: int | None = None
    seed: int | None = None
    budget: int | None = None
    memory_limit: int | None = None

    def __post_init__(self) -> None:
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


def effort_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a search to a command, which gets them as ``effort``."""

    @wraps(command)
    def wrapped(
        time_limit: float | None,
        threads: int | None,
        seed: int | None,
        budget: int | None,
        memory_limit: int | None,
        **others: Any,
    ) -> None:
        effort = Effort(time_limit, threads, seed, budget, memory_limit)
        command(effort=effort, **others)

    for option in reversed(_effort_options):
        option(wrapped)
    return wrapped


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
