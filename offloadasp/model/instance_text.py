"""Instances as the text of their files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from offloadasp.model.instance import Instance


def toml(data: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """Return an instance file: a name and tables of numbers, strings, booleans and lists of them.

    JSON writes such values exactly as TOML does. ``comments`` go before everything, a line each.
    """
    lines = [f"# {comment}" for comment in comments]
    lines.append(f"name = {json.dumps(data['name'])}")
    for table, values in data.items():
        if table != "name":
            lines += ["", f"[{table}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([*lines, ""])


def instance_text(instance: Instance, comments: Sequence[str] = ()) -> str:
    """Return the file of an instance whose decomposition is left open; defaults are written out."""
    return toml(
        instance.model_dump(mode="json", exclude={"decomposition"}, exclude_none=True), comments
    )
