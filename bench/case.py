"""The cases of a suite: ``bench/cases/SUITE.toml``, read into typed rows."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from offloadasp.base.files import read_text

FOLDER = Path(__file__).parent / "cases"


class Case(BaseModel):
    """A row of a file of cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Case = TypeVar("_Case", bound=Case)


def load(file: str, kind: type[_Case], key: str = "cases") -> list[_Case]:
    """Return the rows that a file lists under a key.

    Raises
    ------
    pydantic.ValidationError
        A row lacks a value, or has one that ``kind`` does not know.
    """
    found = tomllib.loads(read_text(FOLDER / f"{file}.toml"))[key]
    return [kind.model_validate(row) for row in found]
