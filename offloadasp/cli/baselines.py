"""The plans that commands set beside a strategy: the plain orders and no reuse, each replayed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from offloadasp.base.errors import VerificationError
from offloadasp.judge.simulator import Books, keep_books
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Accelerator, Resolved
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy, save
from offloadasp.report.page.sections import Entry, Reference
from offloadasp.report.text.compare import Row
from offloadasp.report.text.words import BASELINES
from offloadasp.result import Result
from offloadasp.search.baselines import baselines, compared, strategy_of


def rows_beside(result: Result, out: Path) -> list[Row]:
    """Return the strategy found and every baseline as rows of a table; write the baselines' files.

    Raises
    ------
    InputError
        A file cannot be written.
    VerificationError
        The simulator refuses a baseline.
    """
    found = result.strategy
    rows = [Row("found", result.replay)]
    for name, plan in compared(result.answer).items():
        # What is proved under a user's rules says nothing of plans that may break them.
        proved = found.rules is None
        strategy = (
            strategy_of(plan, found.lower_bound, found.certificate)
            if proved
            else (strategy_of(plan))
        )
        rows.append(Row(name, _accepted(strategy, name), plan))
        save(strategy, out / f"{found.instance.name}.{name}.strategy.json")
    return rows


def _accepted(strategy: Strategy, name: str) -> Books:
    books = keep_books(strategy)
    if books.violations:
        first = books.violations[0]
        raise VerificationError(f"{strategy.instance.name}: VERIFICATION FAILED: {name}: {first}")
    return books


def references(entries: Sequence[Entry], seconds: float) -> list[Reference]:
    """Return the baselines of every different problem among strategies of one layer.

    Parameters
    ----------
    seconds
        For all of them together; 0: none.
    """
    return list(_references(entries, seconds)) if seconds else []


def _references(entries: Sequence[Entry], seconds: float) -> Iterator[Reference]:
    problems: dict[tuple[Accelerator, Resolved], tuple[str, Problem]] = {}
    for entry in entries:
        problem = entry.strategy.problem
        problems.setdefault((problem.accelerator, problem.decomposition), (entry.label, problem))
    labels = {entry.label for entry in entries}
    for owner, problem in problems.values():
        where = f" (as {owner})" if len(problems) > 1 else ""
        clock = Clock(seconds / len(problems))
        for name, plan in baselines(problem, clock).items():
            label = f"{BASELINES[name]}{where}"
            strategy = strategy_of(plan)
            yield Reference(
                f"{label} (baseline)" if label in labels else label,
                strategy.instance,
                keep_books(strategy),
            )
