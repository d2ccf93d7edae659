"""A suite: rows to measure, the columns that show them, and what they say together."""

import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.child import Children, Stopped
from bench.machine import commit
from bench.record import Record, Row
from offloadasp.base.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What every row of a suite may use, and its seed."""

    time_limit: float
    threads: int
    seed: int

    @property
    def arguments(self) -> list[str]:
        """The same as options of ``offload-asp run``."""
        return [f"--{key.replace('_', '-')}={value}" for key, value in asdict(self).items()]


@dataclass(frozen=True)
class Options:
    """How a suite is run.

    Attributes
    ----------
    only
        Rows whose name it is found in; None: all.
    jobs
        Rows measured at the same time.
    out
        Folder of the JSON file.
    resume
        Whether to keep the rows that the file already holds.
    """

    limits: Limits
    only: re.Pattern[str] | None
    jobs: int
    out: Path
    resume: bool


@dataclass(frozen=True)
class Column:
    """A column: its head, and the cell that it shows of a row."""

    head: str
    cell: Callable[[Row], str]


@dataclass(frozen=True)
class Task:
    """A row to measure: ``work`` returns it."""

    name: str
    work: Callable[[Children], Row]


@dataclass(frozen=True)
class Suite:
    """Cases, what is measured of each, and how it is shown; the rows are in a `Record`.

    Attributes
    ----------
    about
        What the columns mean, exactly.
    summary
        Sentences about all rows together, those that failed included.
    cases
        Everything to measure, each with a ``name``: that of its row.
    work
        What measures a case. A row with ``error`` has no values. It is ``unfit`` if that is
        proved: no strategy exists.
    """

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    summary: Callable[[Sequence[Row]], list[str]]
    cases: Callable[[], Iterable[Any]]
    work: Callable[[Children, Any, Limits], Row]

    def tasks(self, limits: Limits) -> list[Task]:
        """Return a task for every case."""
        return [Task(case.name, self._work(case, limits)) for case in self.cases()]

    def _work(self, case: Any, limits: Limits) -> Callable[[Children], Row]:
        return lambda children: self.work(children, case, limits)


def selected(tasks: Sequence[Task], options: Options) -> list[Task]:
    """Return the tasks whose names are wanted."""
    return [task for task in tasks if options.only is None or options.only.search(task.name)]


def measured(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that did not fail."""
    return [row for row in rows if "error" not in row]


def measure(suite: Suite, tasks: Sequence[Task], options: Options, command: str) -> Record:
    """Measure the rows that are wanted, one after the other or several at once.

    Each row is written to the file as soon as it is there.

    Raises
    ------
    InputError
        No row is wanted; or the file of an earlier run cannot be used to go on.
    KeyboardInterrupt
        By Ctrl-C or SIGTERM, once all processes have ended.
    """
    wanted = selected(tasks, options)
    if not wanted:
        pattern = options.only.pattern if options.only else ""
        raise InputError(f"--only: no row of {suite.name} matches '{pattern}'")
    record = Record.open(
        options.out / f"{suite.name}.json",
        suite.name,
        command,
        asdict(options.limits) | {"jobs": options.jobs},
        resume=options.resume,
    )
    done = {str(row["name"]) for row in measured(list(record.rows.values()))}
    missing = [task for task in wanted if task.name not in done]
    order = [task.name for task in tasks]
    children = Children()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            try:
                _collect(missing, pool, children, lambda row: _keep(suite, record, row, order))
            except BaseException:
                children.stop()
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return record


def _collect(
    tasks: Sequence[Task],
    pool: ThreadPoolExecutor,
    children: Children,
    keep: Callable[[Row], None],
) -> None:
    names = {pool.submit(task.work, children): task.name for task in tasks}
    open_: set[Future[Row]] = set(names)
    while open_:
        done, open_ = wait(open_, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                row = future.result()
            except Stopped:
                raise KeyboardInterrupt from None
            row = {"name": names[future], **row, "at": now(), "commit": commit()}
            keep(row)
            left = f"{len(tasks) - len(open_)} of {len(tasks)}"
            print(f"{left}: {row['name']} {_progress(row)}", file=sys.stderr, flush=True)


def _progress(row: Row) -> str:
    return str(row["error"]) if "error" in row else f"{row.get('seconds', 0):.1f} s"


def _keep(suite: Suite, record: Record, row: Row, order: Sequence[str]) -> None:
    record.add(row, order)
    record.write(suite.summary(list(record.rows.values())))


def now() -> str:
    """Return the time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def cell(key: str, form: str = "{}") -> Callable[[Row], str]:
    """Return what formats one value of a row; a dash where there is none."""

    def show(row: Row) -> str:
        value: Any = row.get(key)
        return "-" if value is None else form.format(value)

    return show


SECONDS = Column("s", cell("seconds", "{:.1f}"))
PEAK = Column("MB", lambda row: f"{row['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in row else "-")
