"""The report: one page that holds everything it shows, and asks no network for anything.

The template, style and scripts are files in ``assets/``. What stands in a table is made here; what
moves is drawn by the scripts from packed arrays.
"""

import base64
import json
import re
import zlib
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from offloadasp import __version__
from offloadasp.report.page.history import history, loads_by_position
from offloadasp.report.page.pack import pack
from offloadasp.report.page.sections import (
    Entry,
    Reference,
    card,
    charts,
    comparison,
    panel,
    proof,
    summary,
)
from offloadasp.report.text.words import layer_words

_ASSETS = Path(__file__).resolve().parent / "assets"
_SCRIPTS = ("data.js", "replay.js", "draw.js", "panel.js", "player.js", "charts.js", "main.js")


def page(entries: Sequence[Entry], references: Sequence[Reference], plotly: str) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    entries
        At least one; all for the same layer.
    references
        Strategies for that layer to compare with.
    plotly
        The source of plotly.js.
    """
    layer = entries[0].strategy.instance.layer
    names = list(dict.fromkeys(entry.strategy.instance.name for entry in entries))
    output = "x".join(map(str, layer.output_shape))
    several = len(entries) > 1
    parts = {
        "title": escape(f"{', '.join(names)}: strategy report"),
        "name": escape(", ".join(names)),
        "lead": escape(f"Input {layer_words(layer)}; output {output}."),
        "cards": "".join(map(card, entries)),
        "summary": summary(entries),
        "proofs": "\n".join(map(proof, entries)),
        "panels": "\n".join(panel(entry, several=several) for entry in entries),
        "panels_class": "panels several" if several else "panels",
        "alone": "" if several else " hidden",
        "charts": charts(entries),
        "comparison": comparison(entries, references),
        "version": __version__,
        "css": _asset("page.css").replace("--across, 1", f"--across, {min(len(entries), 3)}"),
        "script": "\n".join(map(_asset, _SCRIPTS)),
        "data": _json(_data(entries, references)),
        "plotly": _packed(plotly),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _packed(source: str) -> str:
    return base64.b64encode(zlib.compress(source.encode(), 9)).decode()


def _json(value: object) -> str:
    # Nothing in it may end the script element that holds it.
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(entries: Sequence[Entry], references: Sequence[Reference]) -> dict[str, Any]:
    everything = [entry.reference for entry in entries] + list(references)
    loads = {
        f"loads.{k}": loads_by_position(one.instance, one.books) for k, one in enumerate(everything)
    }
    return {
        "entries": [
            {"label": entry.label, "history": history(entry.strategy.instance, entry.replay)}
            for entry in entries
        ],
        "input": entries[0].strategy.instance.layer.input[1:],
        "maps": [one.label for one in everything],
        "loads": pack(loads),
    }
