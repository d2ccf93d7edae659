"""The search under the shipped rules: which one it is depends on whether transfers overlap."""

from dataclasses import replace

from offloadasp.asp.rules import Rules
from offloadasp.model.instance import Instance
from offloadasp.search.answer import Answer
from offloadasp.search.effort import Effort
from offloadasp.search.lexicographic.lexicographic import Lexicographic
from offloadasp.search.overlap.search import OverlapSearch
from offloadasp.search.pool import Listener, Status


def shipped_answer(
    instance: Instance, rules: Rules, effort: Effort, names: tuple[str, ...], tell: Listener
) -> Answer:
    """Return the best plan found under the shipped rules, whatever those in force are.

    Raises
    ------
    InputError, InfeasibleError, NoStrategyError
    """
    search = OverlapSearch if instance.accelerator.overlaps else Lexicographic
    return search(instance, rules.shipped, effort, names, tell).run()


def before_the_users(tell: Listener) -> Listener:
    """Return a listener that says of a search that it is the one under the shipped rules."""

    def say(status: Status) -> None:
        tell(replace(status, stage=f"shipped rules: {status.stage}"))

    return say
