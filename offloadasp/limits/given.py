"""The limits of a search as a user gives them, checked before anything heavy is loaded."""

import numbers
import operator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from offloadasp.base.errors import InputError

# For types only: a wrong value is refused before NumPy and pydantic are loaded.
if TYPE_CHECKING:
    from offloadasp.model.instance import Instance, SearchOptions

# The limits of `offloadasp.model.instance.SearchOptions`; a test holds both together.
MOST_SECONDS = 10**7
MOST_THREADS = 64
MOST_SEED = 2**31 - 1
MOST_BUDGET = 2**31 - 1


@dataclass(frozen=True)
class Limits:
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
        for name in ("threads", "seed", "budget", "memory_limit"):
            object.__setattr__(
                self, name, _whole(f"--{name.replace('_', '-')}", getattr(self, name))
            )
        object.__setattr__(self, "time_limit", _seconds(self.time_limit))
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


def _whole(option: str, value: object) -> int | None:
    """Return a number of Python or NumPy as an integer; None is not given."""
    try:
        return None if value is None else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{option}: must be an integer, not {value!r}") from None


def _seconds(value: object) -> float | None:
    """Return a number of Python or NumPy as seconds; None is not given."""
    if value is not None and not isinstance(value, numbers.Real | Decimal):
        raise InputError(f"--time-limit: must be a number of seconds, not {value!r}")
    return None if value is None else float(value)


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
