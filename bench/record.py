"""The JSON file of a suite: who measured, with what, and every row so far."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import machine, versions
from offloadasp.base.errors import InputError
from offloadasp.base.files import read_text, write_whole

Row = dict[str, Any]

_FORMAT = "offload-asp/bench"


@dataclass
class Record:
    """Everything that one suite measured.

    Attributes
    ----------
    head
        Suite, command line, date, machine, versions and limits.
    rows
        By name, in the order of the suite.
    """

    path: Path
    head: dict[str, Any]
    rows: dict[str, Row] = field(default_factory=dict)

    @staticmethod
    def open(
        path: Path, suite: str, command: str, limits: Mapping[str, Any], *, resume: bool
    ) -> "Record":
        """Begin a file, or go on with one.

        Raises
        ------
        InputError
            The file to go on with is another suite's, or was made under other limits.
        """
        head = {
            "format": _FORMAT,
            "suite": suite,
            "command": command,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "versions": versions(),
            "limits": dict(limits),
        }
        if not (resume and path.exists()):
            return Record(path, head)
        known = Record.load(path)
        for key in ("suite", "limits", "machine"):
            if known.head.get(key) != head[key]:
                raise InputError(
                    f"--resume: {path} was made with {key} {json.dumps(known.head.get(key))}, "
                    f"not {json.dumps(head[key])}"
                )
        return known

    @staticmethod
    def load(path: Path) -> "Record":
        """Read a file.

        Raises
        ------
        InputError
            It cannot be read, or is none.
        """
        try:
            data = json.loads(read_text(path))
        except ValueError as error:
            raise InputError(f"{path}: is not valid JSON: {error}") from None
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise InputError(f"{path}: must be a JSON object with 'format': '{_FORMAT}'")
        rows = {str(row["name"]): row for row in data.pop("rows")}
        data.pop("summary", None)
        return Record(path, data, rows)

    def add(self, row: Row, order: Sequence[str]) -> None:
        """Add a row at its place in the order of names."""
        rows = self.rows | {str(row["name"]): row}
        placed = [name for name in order if name in rows]
        others = [name for name in rows if name not in order]
        self.rows = {name: rows[name] for name in [*placed, *others]}

    def write(self, summary: Sequence[str]) -> None:
        """Write the file whole."""
        content = self.head | {"rows": list(self.rows.values()), "summary": list(summary)}
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_whole(self.path, lambda file: file.write(text.encode()))
