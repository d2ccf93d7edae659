"""The options of the search that several commands share, read and checked."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.explain import explain
from offloadasp.model.instance import Instance, SearchOptions

_BUDGET_LIMIT = 2**31 - 1


def search_options(
    instance: Instance,
    time_limit: float | None,
    threads: int | None,
    seed: int | None,
    budget: int | None,
) -> SearchOptions:
    """Join the command line with the instance's ``[search]`` table."""
    given: dict[str, Any] = {"time_limit": time_limit, "threads": threads, "seed": seed}
    given = {key: value for key, value in given.items() if value is not None}
    if budget is not None:
        if not 1 <= budget <= _BUDGET_LIMIT:
            raise InputError(f"--budget: must be from 1 to {_BUDGET_LIMIT}, not {budget}")
        if given.setdefault("threads", 1) != 1:
            raise InputError(f"--threads: must be 1 with --budget, not {threads}")
        if time_limit is not None:
            raise InputError("--time-limit: --budget replaces it; give one of them")
    return checked(instance.search.model_dump() | given)


def checked(given: Mapping[str, Any]) -> SearchOptions:
    """Return options of the search.

    Raises
    ------
    InputError
        One line names an option that is wrong.
    """
    try:
        return SearchOptions.model_validate(given)
    except ValidationError as error:
        key, reason = explain(error, SearchOptions).split(":", 1)
        raise InputError(f"--{key.replace('_', '-')}:{reason}") from None
