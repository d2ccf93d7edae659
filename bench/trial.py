"""Trials: the engines of the tests, run at length, each row by a process of its own."""

import json
from collections.abc import Sequence
from typing import Any

from bench.child import Children
from bench.record import Row
from bench.suite import Column, cell, measured

# Complaints of one row that are kept: the first ones are enough to go on with.
_MOST = 20

COMPLAINTS = Column("wrong", lambda row: str(len(row["complaints"])))


def trial(children: Children, engine: str, *arguments: str) -> Row:
    """Run a module of the tests as a program, and return the JSON object that it prints."""
    ended = children.run(f"tests.engines.{engine}", *arguments)
    if ended.code:
        return {"code": ended.code, "error": ended.last_error}
    found: dict[str, Any] = json.loads(ended.out)
    return {
        **found,
        "complaints": found["complaints"][:_MOST],
        "seconds": round(ended.seconds, 1),
        "peak_bytes": ended.peak_bytes,
    }


def complaints(rows: Sequence[Row]) -> list[str]:
    """Return a line for everything that went wrong."""
    return [f"WRONG: {row['name']}: {what}" for row in measured(rows) for what in row["complaints"]]


def total(rows: Sequence[Row], key: str) -> int:
    """Return a sum over all rows that did not fail."""
    return sum(int(row.get(key, 0)) for row in measured(rows))


def count(key: str, head: str | None = None) -> Column:
    """Return a column of counts."""
    return Column(head or key, cell(key))
