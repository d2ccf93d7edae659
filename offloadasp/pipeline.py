"""From an instance to a verified strategy, in one page: search, judge, write."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError
from offloadasp.judge.earlier import better, keep
from offloadasp.judge.verdict import read, require_verified
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION
from offloadasp.model.strategy import save
from offloadasp.result import Result, UnwrittenError, strategy_of
from offloadasp.search.answering import answer_of
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Listener


def run(
    instance: Instance,
    rules: Rules,
    effort: Effort,
    out: Path | None,
    tell: Listener = lambda _: None,
    names: tuple[str, ...] = (DURATION,),
) -> Result:
    """Find a strategy for an instance, have both readings verify it, and write its file.

    Raises
    ------
    InputError, InfeasibleError, NoStrategyError
    VerificationError
        The rules or the simulator refuse what was found; nothing is written.
    UnwrittenError
        The file cannot be written; the result comes with the error.
    """
    # Search for a plan, and for a proof that none is better.
    answer = answer_of(instance, rules, effort, names, tell)
    strategy = strategy_of(answer, rules.record)
    # A better file of an earlier run counts; a budget promises the same file each time.
    path = None if out is None else out / f"{instance.name}.strategy.json"
    readings = None
    if path is not None and effort.budget is None and not rules.edited:
        readings = better(path, strategy, instance, rules)
    # The rules in force read the strategy, then the simulator executes it.
    if readings is None:
        readings = read(strategy, rules, effort.seed, partial(answer.tell, tell))
    else:
        answer = answer.replaced_by(readings.strategy)
    require_verified(readings, edited=rules.edited)
    result = Result.of(answer, readings, path, effort)
    # Write the file, whole or not at all.
    if path is not None:
        try:
            result = replace(result, kept=keep(path, result.strategy))
            save(result.strategy, path)
        except InputError as error:
            raise UnwrittenError(str(error), result) from None
    return result
