"""The report: one page that holds everything it shows, and asks no network for anything.

Template (Jinja2), style and scripts are files in ``assets/``. The template lays out the figures and
sentences of `sections`; what moves is drawn by the scripts from packed arrays.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from offloadasp import __version__
from offloadasp.report.page.history import history, loads_by_position
from offloadasp.report.page.pack import pack
from offloadasp.report.page.sections import Entry, Reference, compared, shown, summary
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
    output = "x".join(map(str, layer.output_shape))
    ruled = any(entry.strategy.rules is not None for entry in entries)
    everything = [*(entry.reference for entry in entries), *references]
    template = Environment(autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    return template.from_string(_asset("page.html")).render(
        name=", ".join(dict.fromkeys(entry.strategy.instance.name for entry in entries)),
        lead=f"Input {layer_words(layer)}; output {output}.",
        entries=[shown(entry, ruled=ruled) for entry in entries],
        ruled=ruled,
        summary=summary(entries),
        compared=compared(everything),
        version=__version__,
        css=_asset("page.css").replace("--across, 1", f"--across, {min(len(entries), 3)}"),
        script="\n".join(map(_asset, _SCRIPTS)),
        data=_json(_data(entries, everything)),
        plotly=_packed(plotly),
    )


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _packed(source: str) -> str:
    return base64.b64encode(zlib.compress(source.encode(), 9)).decode()


def _json(value: object) -> str:
    # Nothing in it may end the script element that holds it.
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(entries: Sequence[Entry], everything: Sequence[Reference]) -> dict[str, Any]:
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
