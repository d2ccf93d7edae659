"""Which search answers: it depends on the rules, and on whether transfers overlap."""

from offloadasp.asp.grounding import require_sound
from offloadasp.asp.rules import Rules
from offloadasp.base.errors import InputError
from offloadasp.model.instance import Instance
from offloadasp.model.objectives import DURATION
from offloadasp.search.answer import Answer
from offloadasp.search.edited.search import EditedSearch
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Listener
from offloadasp.search.shipped import shipped_answer


def answer_of(
    instance: Instance, rules: Rules, effort: Effort, names: tuple[str, ...], tell: Listener
) -> Answer:
    """Return the best plan found for an instance, and what is proved of it.

    Raises
    ------
    InputError, InfeasibleError, NoStrategyError
    """
    if instance.accelerator.overlaps and names != (DURATION,):
        raise InputError(
            f"--objective: with overlap only {DURATION} alone is minimised, not '{','.join(names)}'"
        )
    if rules.edited:
        return EditedSearch(instance, rules, effort, names, tell).run()
    if rules.added:
        require_sound(rules, names)
    return shipped_answer(instance, rules, effort, names, tell)
