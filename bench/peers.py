"""The suites of ``peers``: CP-SAT on the flat instances, ZigZag on one layer."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.case import Case, load
from bench.child import Children
from bench.flat import Flat, pixel_loads
from bench.flat import cases as flat_cases
from bench.offload import Run, instance_file, parse, proved, solve, whole
from bench.record import Row
from bench.scale import FIRST_PLAN
from bench.suite import Column, Limits, Suite, cell, measured

# The module whose presence says that a peer is installed, and the package that brings it.
PACKAGES = {"cpsat": ("ortools", "ortools"), "zigzag": ("zigzag", "zigzag-dse")}

# The least time that the command takes for a search.
_LEAST_SECONDS = 0.01


def installed(peer: str) -> bool:
    """Return whether a peer can be run."""
    return find_spec(PACKAGES[peer][0]) is not None


def _cpsat(children: Children, case: Flat, limits: Limits) -> Row:
    ours = pixel_loads(children, case.text, limits)
    if "error" in ours:
        return ours
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instance.toml"
        path.write_text(case.text, encoding="utf-8")
        limit = (str(limits.time_limit), str(limits.threads), str(limits.seed))
        ended = children.run("bench.cpsat", str(path), *limit)
    if ended.code:
        return {"code": ended.code, "error": f"CP-SAT: {ended.last_error}"}
    theirs: dict[str, Any] = json.loads(ended.out)
    no_worse = theirs["found"] is None or ours["found"] <= theirs["found"]
    return {
        **ours,
        "theirs": theirs,
        "no_worse": no_worse,
        "proof": theirs["status"] != "optimal" or ours["status"] == "optimal",
    }


def _cpsat_summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    fewer = sum(
        row["theirs"]["found"] is None or row["found"] < row["theirs"]["found"] for row in found
    )
    proofs, theirs = (
        sum(part["status"] == "optimal" for part in parts)
        for parts in (found, [row["theirs"] for row in found])
    )
    worse = [str(row["name"]) for row in found if not (row["no_worse"] and row["proof"])]
    return [
        f"Of {len(found)} rows ours has fewer loads in {fewer}; proofs: ours {proofs}, "
        f"CP-SAT {theirs}.",
        f"Rows with more loads than CP-SAT, or without a proof where it has one: "
        f"{', '.join(worse) or 'none'}.",
    ]


def _theirs(key: str, form: str = "{}") -> Callable[[Row], str]:
    return lambda row: cell(key, form)(row["theirs"])


CPSAT = Suite(
    name="cpsat",
    title="Peers: CP-SAT on the flat instances",
    about=(
        "The cases of flat, each by offload-asp and then by CP-SAT with the same time limit, as "
        "many workers as threads, and the same seed. CP-SAT's model: patches assigned to the "
        "fewest steps, pixels that stay on chip, loads minimised, and each used pixel loaded at "
        "least once. Pixel loads found and proven; s: ours for the whole process, CP-SAT's for "
        "model and search."
    ),
    columns=(
        Column("case", cell("name")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        Column("s", cell("seconds", "{:.1f}")),
        Column("CP-SAT", _theirs("found")),
        Column("proven", _theirs("proven")),
        Column("status", _theirs("status")),
        Column("s", _theirs("seconds", "{:.1f}")),
    ),
    summary=_cpsat_summary,
    cases=flat_cases,
    work=_cpsat,
)


class Memory(Case):
    """Bytes of memory, and the elements that ZigZag 3.9.1 was reported to move."""

    memory: int
    reported: int

    @property
    def name(self) -> str:
        """The bytes."""
        return str(self.memory)

    @property
    def text(self) -> str:
        """The instance of the layer; partial sums take the schema's four bytes."""
        return instance_file(
            f"zigzag-layer-{self.memory}",
            {
                "input": [16, 32, 32],
                "kernels": 16,
                "kernel_shape": [3, 3],
                "pads": [1, 1, 1, 1],
            },
            memory=self.memory,
            macs=2304,
            compute=9,
        )


def _zigzag(children: Children, case: Memory, limits: Limits) -> Row:
    """Run ZigZag, then ours in the time that ZigZag took."""
    ended = children.run("bench.zigzag_layer", case.name)
    if ended.code:
        return {"code": ended.code, "error": f"ZigZag: {ended.last_error}"}
    theirs: dict[str, Any] = json.loads(ended.out)
    # What the first plan takes besides the search is left for checking the last one.
    first = solve(children, case.text, replace(limits, time_limit=FIRST_PLAN))
    if not first.report:
        return first.row
    search = round(max(_LEAST_SECONDS, theirs["seconds"] - _besides(first)), 3)
    run = solve(children, case.text, replace(limits, time_limit=search))
    if not run.report:
        return run.row
    return {
        **run.row,
        **_moved(case.text, run, first),
        "time_limit": search,
        "theirs": theirs | {"process_seconds": ended.seconds},
        "reported": case.reported,
    }


def _besides(run: Run) -> float:
    inside = run.report["seconds"]
    return float(inside["total"] - inside["ground"] - inside["solve"])


def _moved(text: str, run: Run, first: Run) -> Row:
    def moved(report: dict[str, Any]) -> int:
        return int(report["loads"]["bytes"] + report["writes"]["bytes"])

    report = run.report
    parts = proved(whole(parse(text)), report["certificate"])
    return {
        "moved": moved(report),
        "proven": parts.loads + parts.writes,
        "total": report["seconds"]["total"],
        "first_moved": moved(first.report),
        "first_total": first.report["seconds"]["total"],
    }


def _zigzag_summary(rows: Sequence[Row]) -> list[str]:
    found = measured(rows)
    more = [str(row["name"]) for row in found if row["moved"] >= row["theirs"]["moved_net"]]
    longer = [str(row["name"]) for row in found if row["total"] > row["theirs"]["seconds"]]
    other = [str(row["name"]) for row in found if row["theirs"]["moved"] != row["reported"]]
    return [
        f"Memories at which ours moves as many bytes or more: {', '.join(more) or 'none'}.",
        f"Memories at which ours takes longer: {', '.join(longer) or 'none'}.",
        f"Memories at which ZigZag's figure is not the one reported: {', '.join(other) or 'none'}.",
    ]


ZIGZAG = Suite(
    name="zigzag",
    title="Peers: ZigZag",
    about=(
        "Input 16x32x32, 16 kernels 3x3, pad 1, one byte an element; a step of ours does one "
        "output position (2304 multiply-accumulates, 9 cycles). ZigZag: its processing array does "
        "16 kernels x 16 channels at once, which fixes part of the mapping; one memory for all "
        "operands under main memory; only accesses to main memory cost, and the cost is minimised. "
        "Moved: elements, as its cost model charges them; net: without the first reading of "
        "partial sums, which it also charges. Ours: bytes loaded and written, where a partial sum "
        "takes four bytes and in ZigZag one; proven: no plan moves less, by the certificate. s: "
        "ZigZag's call without the import of its modules; ours from the start of the "
        "search to the verified file, with a time limit such that both take as long."
    ),
    columns=(
        Column("memory", cell("name")),
        Column("ZigZag", _theirs("moved")),
        Column("net", _theirs("moved_net")),
        Column("reported", cell("reported")),
        Column("s", _theirs("seconds", "{:.2f}")),
        Column("ours", cell("moved")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        Column("s", cell("total", "{:.2f}")),
        Column("limit", cell("time_limit", "{:.2f}")),
    ),
    summary=_zigzag_summary,
    cases=partial(load, "zigzag", Memory),
    work=_zigzag,
)
