"""Sentences that compare the values and bounds in a strategy file with what the replays counted."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from rich.text import Text

from offloadasp.base.messages import plural
from offloadasp.judge.by_rules import RuleReading
from offloadasp.judge.simulator import Replay
from offloadasp.model.instance import Described
from offloadasp.model.objectives import DURATION
from offloadasp.model.strategy import Strategy
from offloadasp.report.text.words import amount, error_words, objective_words

# Violations of these rules are false statements of the file; all others are of its steps.
_STATED = ("duration", "objective", "bound")

# Values of the objectives by the replay that counted them.
Counted = Mapping[str, Mapping[str, Fraction]]


def false_values(strategy: Strategy, counted: Counted) -> dict[tuple[str, str], str]:
    """Return a sentence for every stated value from which some replay differs.

    Keys are the rule and the objective, as violations name them.
    """
    stated = [(DURATION, strategy.duration)]
    stated += [(part.name, part.value) for part in strategy.ranking]
    found: dict[tuple[str, str], str] = {}
    for name, value in dict.fromkeys(stated):
        counts = {who: values[name] for who, values in counted.items() if name in values}
        if any(count != value for count in counts.values()):
            key = ("duration", "") if name == DURATION else ("objective", name)
            words = f"a {objective_words(name)} of {amount(strategy.instance, name, value)}"
            words = f"{words} where {_who(strategy.instance, name, counts)}"
            found[key] = (
                f"{found[key]}, and {words}" if key in found else f"the file states {words}"
            )
    return found


def _who(described: Described, name: str, counts: Mapping[str, Fraction]) -> str:
    amounts = list(dict.fromkeys(counts.values()))
    if len(counts) > 1 and len(amounts) == 1:
        return f"both readings count {amount(described, name, amounts[0])}"
    return " and ".join(
        f"{who} counts {amount(described, name, count)}" for who, count in counts.items()
    )


def false_bounds(strategy: Strategy, replay: Replay) -> str:
    """Return a sentence on bounds that contradict a value or the status; else nothing."""
    parts = list(dict.fromkeys(_contradictions(strategy, replay)))
    return f"the file states {', and '.join(parts)}" if parts else ""


def _contradictions(strategy: Strategy, replay: Replay) -> Iterator[str]:
    instance = strategy.instance
    least = amount(instance, DURATION, strategy.lower_bound)
    if strategy.lower_bound > replay.duration:
        duration = amount(instance, DURATION, replay.duration)
        yield f"a lower bound of {least} above the duration of {duration}"
    for part in strategy.ranking:
        bound, value = (amount(instance, part.name, one) for one in (part.lower_bound, part.value))
        name = objective_words(part.name)
        if part.lower_bound > part.value:
            yield f"a lower bound of {bound} above the {name} of {value}"
        if part.lower_bound < part.value and strategy.status == "optimal":
            yield f"the status optimal with a lower bound of {bound} for the {name} of {value}"


def simulator_text(replay: Replay) -> Text:
    """Return the simulator's verdict on the steps, the output and the stated values."""
    output = error_words(replay.max_abs_error, replay.tolerance)
    if replay.verified:
        return Text.assemble(("verified", "green"), f": {output}")
    broken = sum(violation.rule not in _STATED for violation in replay.violations)
    false = len(replay.violations) > broken
    return Text.assemble(("NOT VERIFIED", "bold red"), f": {_verdict(broken, output, false=false)}")


def rules_text(strategy: Strategy, verdict: RuleReading) -> Text:
    """Return the verdict of check.lp on the steps and the stated values."""
    false = any(verdict.contradicted(strategy))
    if verdict.accepted and not false:
        return Text("accepted", "green")
    words = _verdict(len(verdict.violations), "", false=false)
    return Text.assemble(("REFUSED", "bold red"), f": {words}")


def _verdict(broken: int, output: str, *, false: bool) -> str:
    """Describe a strategy in which something is wrong: in its steps, its output or its file."""
    if broken:
        steps = f"{plural(broken, 'violation')} in the steps"
        return f"{steps}; {output}" if output else steps
    right = f"every step is valid and {output}" if output else "every step is valid"
    return f"{right}, but something that the file states is false" if false else right
