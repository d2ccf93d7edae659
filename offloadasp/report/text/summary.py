"""The summary of a run: the strategy found, its gap, and its verification."""

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rich.text import Text

from offloadasp.base.messages import plural
from offloadasp.judge.simulator import Replay
from offloadasp.model.claim import Claim
from offloadasp.model.instance import Described, Instance, exact_number
from offloadasp.model.objectives import DURATION
from offloadasp.model.plan import Plan
from offloadasp.model.strategy import Strategy, dumps
from offloadasp.report.stalls import overlap_of
from offloadasp.report.text.screen import Rows, console, show_path, show_rows
from offloadasp.report.text.table import show_table
from offloadasp.report.text.words import (
    BASELINES,
    NONE_PROVED,
    amount,
    breaches_words,
    by_kind,
    cycles,
    decomposition_words,
    error_words,
    given_words,
    layer_words,
    mixed,
    objective_words,
    percent,
    rules_words,
    scope_words,
)
from offloadasp.result import Result
from offloadasp.search.nests.family import BestNest
from offloadasp.search.nests.family import words as nest_words


def show_run(result: Result, instance: Instance, *, edited: bool, written: bool = True) -> None:
    """Print the summary of a run; and the strategy itself if its file could not be written."""
    screen = console()
    screen.print(Text(instance.name, "bold"))
    screen.print()
    rows: Rows = [
        ("layer", f"{layer_words(instance.layer)}; output {_output(instance)}"),
        ("status", _status(result)),
        *_objectives(instance, result.claims),
        ("duration", cycles(result.strategy.duration)),
        *_bound(result, instance, edited=edited),
        *moved_rows(result.strategy, result.replay),
        *rules_rows(result.strategy),
        ("decomposition", decomposition_words(result.strategy.instance.decomposition)),
        ("found by", result.answer.method),
        ("numeric check", _verified(result.replay)),
        ("seconds", ", ".join(f"{name} {value:.1f}" for name, value in result.seconds.items())),
    ]
    if result.kept is not None:
        kept = f"{cycles(result.kept.duration)} under the shipped rules"
        rows.append(("earlier file", f"{kept}; kept as {result.kept.path.name}"))
    show_rows(screen, rows)
    if written:
        show_path(screen, "strategy", str(result.path), rows)
    if result.answer.baselines:
        screen.print()
        head = ("baseline", "cycles", "longer by")
        table = _baselines(result.answer.baselines, result.strategy.duration)
        show_table(console(wide=True), head, table)
    if result.answer.nest is not None:
        screen.print()
        show_rows(screen, [("best loop nest", _nest(result.answer.nest))])
    if not written:
        print(f"\n{dumps(result.strategy)}", end="")


def run_object(
    result: Result, notes: Sequence[str] = (), *, edited: bool, written: bool = True
) -> dict[str, Any]:
    """Return the summary as JSON; with the strategy itself if its file could not be written.

    Parameters
    ----------
    notes
        What is odd about the rules.
    """
    strategy, answer, replay = result.strategy, result.answer, result.replay
    decomposition = strategy.instance.decomposition
    return {
        "name": strategy.instance.name,
        "status": strategy.status,
        "duration": exact_number(strategy.duration),
        "lower_bound": exact_number(strategy.lower_bound),
        "gap": float(result.gap),
        "objective": _objective_object(result.claims),
        **moved_object(strategy, replay),
        "verified": replay.verified and result.by_rules.accepted,
        "max_abs_error": replay.max_abs_error,
        "baselines": {name: exact_number(one.duration) for name, one in answer.baselines.items()},
        **_nest_object(answer.nest),
        "decomposition": decomposition.model_dump(mode="json"),
        "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
        "strategy": str(result.path) if written else None,
        **({} if result.kept is None else {"kept": str(result.kept.path)}),
        "method": answer.method,
        "scope": answer.scope,
        "edited": edited,
        **rules_object(strategy),
        **({"notes": list(notes)} if notes else {}),
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
        *_overlap_rows(replay),
    ]


def _overlap_rows(replay: Replay) -> Rows:
    """Return what of the transfers is hidden, and what steps wait for; nothing without overlap."""
    if not replay.instance.accelerator.overlaps or not replay.compute_steps:
        return []
    found = overlap_of(replay)
    waits = [
        f"{cycles(value)} {words}"
        for value, words in (
            (found.prologue, "before the first compute action"),
            (found.loads, "for loads"),
            (found.writes, "for writes"),
            (found.epilogue, "after the last one"),
        )
        if value
    ]
    rows: Rows = [("waits", ", ".join(waits) or "none")]
    if found.hidden is not None:
        hidden = f"{percent(found.hidden)} of the cycles of transfers"
        rows.insert(0, ("hidden", f"{hidden}; one after the other {cycles(found.serial)}"))
    return rows


def moved_object(strategy: Strategy, replay: Replay) -> dict[str, Any]:
    """Return steps, bytes moved and the peak of memory as JSON."""
    return {
        "steps": replay.compute_steps,
        "loads": vars(replay.loads) | {"bytes": replay.loads.total},
        "writes": vars(replay.writes) | {"bytes": replay.writes.total},
        "peak_memory": replay.peak_memory,
        "memory": strategy.instance.accelerator.memory,
        **_overlap_object(replay),
    }


def _overlap_object(replay: Replay) -> dict[str, Any]:
    if not replay.instance.accelerator.overlaps or not replay.compute_steps:
        return {}
    found = overlap_of(replay)
    stalls = ("prologue", "loads", "writes", "epilogue")
    return {
        "overlap": {
            "hidden": None if found.hidden is None else float(found.hidden),
            "serial": exact_number(found.serial),
            "perfect": exact_number(found.perfect),
            "stalls": {name: exact_number(getattr(found, name)) for name in stalls},
        }
    }


def rules_rows(strategy: Strategy) -> Rows:
    """Return a row that says what kind of edit the rules are; none where no rule differs."""
    if strategy.rules is None:
        return []
    rows: Rows = [("rules", rules_words(strategy.rules))]
    broken = breaches_words(strategy.rules)
    return [*rows, ("without them", f"the plan breaks {broken}")] if broken else rows


def rules_object(strategy: Strategy) -> dict[str, Any]:
    """Return what a strategy says of its rules as JSON; empty where no rule differs."""
    return {} if strategy.rules is None else {"rules": strategy.rules.described}


def _output(instance: Instance) -> str:
    return "x".join(map(str, instance.layer.output_shape))


def _status(result: Result) -> Text:
    optimal = result.strategy.status == "optimal"
    text = Text("optimal" if optimal else "feasible", "green" if optimal else "yellow")
    if not _only_duration(result.claims):
        text.append(f" in {_list_words(result.claims)}")
    if result.interrupted and not optimal:
        text.append(" (interrupted: the best strategy so far)")
    return text


def _bound(result: Result, instance: Instance, *, edited: bool) -> Rows:
    strategy, scope = result.strategy, scope_words(instance.choice)
    if edited and result.answer.scope:
        scope = result.answer.scope
    if not strategy.lower_bound and strategy.duration:
        return [("lower bound", NONE_PROVED)]
    return [
        ("lower bound", cycles(strategy.lower_bound)),
        ("gap", percent(result.gap)),
        ("bound holds for", scope),
    ]


def _only_duration(claims: Sequence[Claim]) -> bool:
    return [claim.objective for claim in claims] == [DURATION]


def _list_words(claims: Sequence[Claim]) -> str:
    return ", then ".join(objective_words(claim.objective) for claim in claims)


def _objectives(described: Described, claims: Sequence[Claim]) -> Rows:
    """Return a row for each objective: value, bound and gap; none if that is the duration alone."""
    rows: Rows = []
    for k, claim in enumerate(() if _only_duration(claims) else claims):
        given = given_words(described, ((other.objective, other.value) for other in claims[:k]))
        value = amount(described, claim.objective, claim.value)
        words = f"{objective_words(claim.objective)}: {value}, "
        if claim.proved:
            words += f"optimal{given}"
        else:
            least = amount(described, claim.objective, claim.lower_bound)
            words += f"at least {least}{given}, gap {percent(claim.gap)}"
            if not claim.lower_bound:
                words = f"{objective_words(claim.objective)}: {value}, no bound proved"
        rows.append(("then" if k else "objective", words))
    return rows


def _objective_object(claims: Sequence[Claim]) -> dict[str, Any]:
    """Return what was minimised as JSON: the first objective, and under ``then`` the others."""
    first, *others = (
        {
            "name": claim.objective,
            "value": exact_number(claim.value),
            "lower_bound": exact_number(claim.lower_bound),
            "gap": float(claim.gap),
            "status": "optimal" if claim.proved else "feasible",
        }
        for claim in claims
    )
    first["name"] = ",".join(claim.objective for claim in claims)
    return first | ({"then": others} if others else {})


def _verified(replay: Replay) -> Text:
    words = error_words(replay.max_abs_error, replay.tolerance)
    return Text.assemble(("verified", "green"), f": {words}; accepted by check.lp")


def _nest_object(nest: BestNest | None) -> dict[str, Any]:
    if nest is None:
        return {}
    mapping, complete = nest_words(nest.mapping), nest.complete
    return {"loop_nest": {"mapping": mapping, "complete": complete, "tried": nest.tried}}


def _nest(nest: BestNest) -> str:
    """Return a loop nest and what is known of its family, which is all that this says."""
    known = "no other nest of that family costs less"
    if not nest.complete:
        known = f"the best of {nest.tried} tried"
    return f"{nest_words(nest.mapping)}: {known}"


def _baselines(baselines: dict[str, Plan], duration: Fraction) -> list[tuple[str, str, str]]:
    def longer(value: Fraction) -> str:
        return percent((value - duration) / duration) if duration else "-"

    return [
        (BASELINES.get(name, name), mixed(one.duration), longer(one.duration))
        for name, one in baselines.items()
    ]
