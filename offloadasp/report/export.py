"""The timeline of a strategy for other programs: Trace Event JSON, and CSV."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any, TextIO

from offloadasp.base.messages import plural
from offloadasp.judge.simulator import Books
from offloadasp.model.instance import exact_number
from offloadasp.model.strategy import Strategy
from offloadasp.report.actions import COMPUTE, FREE, LOAD, WRITE, Action, actions_of
from offloadasp.report.choices import TimelineFormat

_COLUMNS = ("step", "action", "kind", "n", "q", "r0", "r1", "c0", "c1", "size", "start", "end")
_TRACKS = {LOAD: (1, "DMA in"), COMPUTE: (2, "compute"), WRITE: (3, "DMA out")}
_PROCESS = 1


def write_csv(strategy: Strategy, books: Books, file: TextIO) -> None:
    """Write a row an action, with exact times.

    ``size`` is bytes, of ``compute`` multiply-accumulates; ``start`` and ``end`` are cycles, as
    integers or fractions. Columns that a kind of block does not have (n, q, a place) are empty.
    """
    table = csv.writer(file, lineterminator="\n")
    table.writerow(_COLUMNS)
    for one in actions_of(strategy.instance, books):
        place = one.place or ("",) * 4
        groups = ("" if group is None else group for group in (one.n, one.q))
        times = (exact_number(one.start), exact_number(one.end))
        table.writerow((one.step, one.action, one.kind, *groups, *place, one.size, *times))


def write_trace_events(strategy: Strategy, books: Books, file: TextIO) -> None:
    """Write Trace Event JSON, which Perfetto opens: a cycle is shown as a microsecond.

    Tracks are DMA in, compute and DMA out; counters the bytes on chip by kind. Free actions take
    no time and are arguments of their step.
    """
    name = strategy.instance.name
    file.write('{"displayTimeUnit": "ms", "otherData": ')
    json.dump({"strategy": name, "unit": "1 us is 1 cycle"}, file)
    file.write(', "traceEvents": [\n')
    for number, event in enumerate(_events(strategy, books)):
        file.write(",\n" if number else "")
        json.dump(event, file)
    file.write("\n]}\n")


FORMATS: dict[TimelineFormat, Callable[[Strategy, Books, TextIO], None]] = {
    TimelineFormat.PERFETTO: write_trace_events,
    TimelineFormat.CSV: write_csv,
}
"""What writes a timeline, by format."""


def _events(strategy: Strategy, books: Books) -> Iterator[dict[str, Any]]:
    yield _named("process_name", 0, strategy.instance.name)
    for track, words in _TRACKS.values():
        yield _named("thread_name", track, words)
        yield _event("thread_sort_index", "M", track, args={"sort_index": track})
    end = 0.0
    for step, actions in groupby(actions_of(strategy.instance, books), lambda one: one.step):
        listed = list(actions)
        start, end = float(listed[0].start), float(max(one.end for one in listed))
        held = books.accounts[step - 1].held
        yield _event("bytes on chip", "C", 0, ts=start, args=asdict(held))
        computed = [one for one in listed if one.action == COMPUTE]
        for one in listed:
            if one.action not in (FREE, COMPUTE):
                yield _slice(f"{one.action} {_words(one)}", one, _arguments(one))
        if computed:
            words = f"compute {plural(sum(map(_positions, computed)), 'operation')}"
            macs = sum(one.size for one in computed)
            freed = books.accounts[step - 1].freed
            yield _slice(words, computed[0], {"step": step, "MACs": macs, "bytes freed": freed})
    empty = dict.fromkeys(("pixels", "kernels", "partial_sums", "outputs"), 0)
    yield _event("bytes on chip", "C", 0, ts=end, args=empty)


def _event(name: str, phase: str, track: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "ph": phase, "pid": _PROCESS, "tid": track, **more}


def _named(kind: str, track: int, name: str) -> dict[str, Any]:
    return _event(kind, "M", track, args={"name": name})


def _slice(words: str, one: Action, arguments: dict[str, Any]) -> dict[str, Any]:
    start, end = float(one.start), float(one.end)
    track = _TRACKS[one.action][0]
    return _event(words, "X", track, cat=one.action, ts=start, dur=end - start, args=arguments)


def _words(one: Action) -> str:
    return one.kind.replace("_", " ")


def _arguments(one: Action) -> dict[str, Any]:
    found: dict[str, Any] = {"step": one.step, "bytes": one.size}
    if one.n is not None:
        found["kernel group"] = one.n
    if one.q is not None:
        found["channel group"] = one.q
    if one.place is not None:
        r0, r1, c0, c1 = one.place
        found |= {"rows": f"{r0} to {r1 - 1}", "columns": f"{c0} to {c1 - 1}"}
    return found


def _positions(one: Action) -> int:
    assert one.place is not None  # operations have one
    r0, r1, c0, c1 = one.place
    return (r1 - r0) * (c1 - c0)
