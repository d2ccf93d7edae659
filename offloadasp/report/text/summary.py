"""The summary of a run: the strategy found, its gap, and its verification."""

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rich.text import Text

from offloadasp.base.wording import plural
from offloadasp.judge.simulator import Replay
from offloadasp.model.cost import DURATION, Goal
from offloadasp.model.instance import Instance, exact_number
from offloadasp.model.plan import Planned
from offloadasp.model.strategy import Strategy, dumps
from offloadasp.pipeline import Result
from offloadasp.report.text.screen import Rows, console, show_path, show_rows
from offloadasp.report.text.table import show_table
from offloadasp.report.text.words import (
    BASELINES,
    amount,
    by_kind,
    cycles,
    decomposition_words,
    error_words,
    given_words,
    layer_words,
    mixed,
    objective_words,
    percent,
    scope_words,
)


def show_run(result: Result, instance: Instance, *, edited: bool, written: bool = True) -> None:
    """Print the summary of a run; and the strategy itself if its file could not be written."""
    screen = console()
    screen.print(Text(instance.name, "bold"))
    screen.print()
    rows: Rows = [
        ("layer", f"{layer_words(instance.layer)}; output {_output(instance)}"),
        ("status", _status(result)),
        *_objectives(result.goals),
        ("duration", cycles(result.strategy.duration)),
        *_bound(result, instance, edited=edited),
        *moved_rows(result.strategy, result.replay),
        ("decomposition", decomposition_words(result.found.problem.decomposition)),
        ("found by", result.found.method),
        ("numeric check", _verified(result.replay)),
        ("seconds", ", ".join(f"{name} {value:.1f}" for name, value in result.seconds.items())),
    ]
    show_rows(screen, rows)
    if written:
        show_path(screen, "strategy", str(result.path), rows)
    if result.found.baselines:
        screen.print()
        head = ("baseline", "cycles", "longer by")
        table = _baselines(result.found.baselines, result.strategy.duration)
        show_table(console(wide=True), head, table)
    if not written:
        print(f"\n{dumps(result.strategy)}", end="")


def run_object(result: Result, *, edited: bool, written: bool = True) -> dict[str, Any]:
    """Return the summary as JSON; with the strategy itself if its file could not be written."""
    strategy, found, replay = result.strategy, result.found, result.replay
    decomposition = found.problem.decomposition
    return {
        "name": strategy.instance.name,
        "status": strategy.status,
        "duration": exact_number(strategy.duration),
        "lower_bound": exact_number(strategy.lower_bound),
        "gap": float(result.gap),
        "objective": _objective_object(result.goals),
        **moved_object(strategy, replay),
        "verified": replay.verified and result.verdict.accepted,
        "max_abs_error": replay.max_abs_error,
        "baselines": {name: exact_number(one.duration) for name, one in found.baselines.items()},
        "decomposition": decomposition.model_dump(mode="json"),
        "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
        "strategy": str(result.path) if written else None,
        "method": found.method,
        "scope": found.scope,
        "edited": edited,
        "interrupted": result.interrupted,
        "certificate": strategy.certificate,
        **({} if written else {"unwritten": json.loads(dumps(strategy))}),
    }


def moved_rows(strategy: Strategy, replay: Replay) -> Rows:
    """Return steps, bytes moved and the peak of memory."""
    loads, writes = replay.loads, replay.writes
    memory = strategy.instance.accelerator.memory
    steps = plural(replay.compute_steps, "compute action")
    if len(strategy.steps) > replay.compute_steps:
        steps += f", {len(strategy.steps) - replay.compute_steps} more to move data only"
    return [
        ("steps", steps),
        ("loaded", by_kind(loads.total, **vars(loads))),
        ("written", by_kind(writes.total, **vars(writes))),
        ("peak memory", f"{replay.peak_memory} of {plural(memory, 'byte')}"),
    ]


def moved_object(strategy: Strategy, replay: Replay) -> dict[str, Any]:
    """Return steps, bytes moved and the peak of memory as JSON."""
    return {
        "steps": replay.compute_steps,
        "loads": vars(replay.loads) | {"bytes": replay.loads.total},
        "writes": vars(replay.writes) | {"bytes": replay.writes.total},
        "peak_memory": replay.peak_memory,
        "memory": strategy.instance.accelerator.memory,
    }


def _output(instance: Instance) -> str:
    return "x".join(map(str, instance.layer.output_shape))


def _status(result: Result) -> Text:
    optimal = result.strategy.status == "optimal"
    text = Text("optimal" if optimal else "feasible", "green" if optimal else "yellow")
    if not _only_duration(result.goals):
        text.append(f" in {_list_words(result.goals)}")
    if result.interrupted:
        text.append(" (interrupted: the best strategy so far)")
    return text


def _bound(result: Result, instance: Instance, *, edited: bool) -> Rows:
    strategy, scope = result.strategy, scope_words(instance.choice)
    if edited and result.found.scope:
        scope = f"{scope}; {result.found.scope}"
    return [
        ("lower bound", cycles(strategy.lower_bound)),
        ("gap", percent(result.gap)),
        ("bound holds for", scope),
    ]


def _only_duration(goals: Sequence[Goal]) -> bool:
    return [goal.name for goal in goals] == [DURATION]


def _list_words(goals: Sequence[Goal]) -> str:
    return ", then ".join(objective_words(goal.name) for goal in goals)


def _objectives(goals: Sequence[Goal]) -> Rows:
    """Return a row for each objective: value, bound and gap; none if that is the duration alone."""
    rows: Rows = []
    for k, goal in enumerate(() if _only_duration(goals) else goals):
        given = given_words((other.name, other.value) for other in goals[:k])
        words = f"{objective_words(goal.name)}: {amount(goal.name, goal.value)}, "
        if goal.value == goal.lower_bound:
            words += f"optimal{given}"
        else:
            least = amount(goal.name, goal.lower_bound)
            words += f"at least {least}{given}, gap {percent(goal.gap)}"
        rows.append(("then" if k else "objective", words))
    return rows


def _objective_object(goals: Sequence[Goal]) -> dict[str, Any]:
    """Return what was minimised as JSON: the first objective, and under ``then`` the others."""
    first, *others = (
        {
            "name": goal.name,
            "value": exact_number(goal.value),
            "lower_bound": exact_number(goal.lower_bound),
            "gap": float(goal.gap),
            "status": "optimal" if goal.value == goal.lower_bound else "feasible",
        }
        for goal in goals
    )
    first["name"] = ",".join(goal.name for goal in goals)
    return first | ({"then": others} if others else {})


def _verified(replay: Replay) -> Text:
    words = error_words(replay.max_abs_error, replay.tolerance)
    return Text.assemble(("verified", "green"), f": {words}; accepted by check.lp")


def _baselines(baselines: dict[str, Planned], duration: Fraction) -> list[tuple[str, str, str]]:
    def longer(value: Fraction) -> str:
        return percent((value - duration) / duration) if duration else "-"

    return [
        (BASELINES.get(name, name), mixed(one.duration), longer(one.duration))
        for name, one in baselines.items()
    ]
