"""What a simulation and a check of a strategy file print."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from offloadasp.judge.certificate import Proof
from offloadasp.judge.simulator import RULES, Replay, TraceRow
from offloadasp.judge.verdict import Finding, Verdict
from offloadasp.model.instance import exact_number
from offloadasp.model.objectives import DURATION
from offloadasp.model.strategy import Strategy
from offloadasp.report.text.false_statements import (
    Counted,
    false_bounds,
    false_values,
    rules_text,
    simulator_text,
)
from offloadasp.report.text.screen import Rows, console, show_rows
from offloadasp.report.text.summary import moved_object, moved_rows, rules_rows
from offloadasp.report.text.table import aligned
from offloadasp.report.text.words import (
    amount,
    cycles,
    decomposition_words,
    given_words,
    layer_words,
    mixed,
    objective_words,
)

# Of more violations the text says only how many; --json lists all.
_SHOWN = 50

_TRACE = ("step", "freed", "written", "loaded", "on chip", "MACs", "cycles")


def show_simulation(strategy: Strategy, replay: Replay, *, trace: bool) -> None:
    """Print totals, the verdict, and, if asked for, a row a step."""
    screen = console()
    if trace:
        screen.file.writelines(f"{line}\n" for line in trace_lines(replay.trace))
        screen.print()
    show_rows(screen, _head(strategy, replay))
    false = _false(strategy, replay, {"the simulator": replay.measured})
    _show_findings([(v.step, v.rule, v.block, "") for v in replay.violations], false)


def simulation_object(strategy: Strategy, replay: Replay, *, trace: bool) -> dict[str, Any]:
    """Return the simulation as JSON."""
    found: dict[str, Any] = {
        "name": strategy.instance.name,
        "duration": exact_number(replay.duration),
        **moved_object(strategy, replay),
        "verified": replay.verified,
        "max_abs_error": _finite(replay.max_abs_error),
        "tolerance": replay.tolerance,
        "violations": [vars(violation) for violation in replay.violations],
    }
    if trace:
        found["trace"] = [
            asdict(row) | {"cycles": exact_number(row.cycles)} for row in replay.trace
        ]
    return found


def show_audit(strategy: Strategy, found: Verdict) -> None:
    """Print the verdicts of both replays and on the bounds, and every violation."""
    screen = console()
    head = _head(strategy, found.replay)
    rules = rules_text(strategy, found.by_rules)
    bounds: Rows = [("lower bound", _bound_words(strategy, found.proof))]
    if strategy.objective is not None and strategy.objective.name != DURATION:
        bounds += [
            (f"of {objective_words(proof.name)}", _bound_words(strategy, proof))
            for proof in found.proofs
        ]
    show_rows(
        screen,
        [*head, ("check.lp", rules), *rules_rows(strategy), *_users_rows(found), *bounds],
    )
    counted = {"check.lp": found.by_rules.measured, "the simulator": found.replay.measured}
    false = _false(strategy, found.replay, counted)
    rows = [(f.step, f.rule, f.block, ", ".join(f.readings)) for f in found.findings]
    _show_findings(rows, false)


def audit_object(strategy: Strategy, found: Verdict) -> dict[str, Any]:
    """Return the audit as JSON."""
    proof, verdict = found.proof, found.by_rules
    return {
        "name": strategy.instance.name,
        "accepted": found.accepted,
        "verified": found.replay.verified,
        "accepted_by_rules": verdict.accepted,
        "status": strategy.status,
        "duration": exact_number(strategy.duration),
        "replayed": {
            "rules": exact_number(verdict.duration),
            "simulator": exact_number(found.replay.duration),
        },
        **moved_object(strategy, found.replay),
        "max_abs_error": _finite(found.replay.max_abs_error),
        "lower_bound": _proof_object(proof),
        **_users_object(strategy, found),
        "objectives": [{"name": part.name} | _proof_object(part) for part in found.proofs],
        "violations": [_finding_object(finding) for finding in found.findings],
    }


def _users_rows(found: Verdict) -> Rows:
    """Return a row on the user's rules; none where the strategy has none and none are at hand."""
    users = found.users
    if users.obeyed is None and not users.unchecked:
        return []
    parts: list[str | tuple[str, str]] = []
    if users.obeyed is not None:
        parts.append(("obeyed", "green") if users.obeyed else ("BROKEN", "bold red"))
    if users.unchecked:
        words = f"rules not checked: {', '.join(users.unchecked)}"
        parts += [*(["; "] if parts else []), (words, "yellow")]
    return [("your rules", Text.assemble(*parts))]


def _users_object(strategy: Strategy, found: Verdict) -> dict[str, Any]:
    """Return what the user's rules say as JSON; empty where no rule differs."""
    users = found.users
    if strategy.rules is None and users.obeyed is None:
        return {}
    recorded = None if strategy.rules is None else strategy.rules.described
    rules = {"rules": recorded} if recorded else {}
    return {**rules, "rules_obeyed": users.obeyed, "rules_not_checked": list(users.unchecked)}


def trace_lines(trace: Sequence[TraceRow]) -> Iterable[str]:
    """Yield a line a step, flush right; bytes, multiply-accumulates and cycles."""
    durations = aligned([mixed(row.cycles) for row in trace])
    rows = [
        (r.step, r.freed, r.written, r.loaded, r.on_chip, r.macs, cycles)
        for r, cycles in zip(trace, durations, strict=True)
    ]
    table = [_TRACE, *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _head(strategy: Strategy, replay: Replay) -> Rows:
    instance = strategy.instance
    return [
        ("strategy", f"{instance.name}: {layer_words(instance.layer)}"),
        ("decomposition", decomposition_words(instance.decomposition)),
        ("duration", f"{cycles(replay.duration)} replayed, {cycles(strategy.duration)} stated"),
        *moved_rows(strategy, replay),
        ("simulator", simulator_text(replay)),
    ]


def _proof_object(proof: Proof) -> dict[str, Any]:
    return {
        "stated": exact_number(proof.stated),
        "proved": None if proof.proved is None else exact_number(proof.proved),
        "scope": proof.scope,
        "verified": proof.verified,
        "complete_search": proof.complete_search,
    }


def _bound_words(strategy: Strategy, proof: Proof) -> Text:
    instance = strategy.instance
    given = given_words(instance, ((part.name, part.value) for part in proof.given))
    stated = f"{amount(instance, proof.name, proof.stated)} stated{given}"
    proved = ""
    if proof.proved is not None:
        proved = f"; {amount(instance, proof.name, proof.proved)} proved for {proof.scope}"
    if proof.verified:
        verdict = ("verified", "green")
    elif proof.complete_search:
        verdict = ("not repeated", "yellow")
        proved += "; the rest is by complete search, which is not repeated here"
    elif proof.assumed:
        verdict = ("not repeated", "yellow")
        proved = "; it is the most that the edited rules pay, which are not read here"
    else:
        verdict = ("REFUSED", "bold red")
        proved = proved or "; the certificate proves nothing"
    return Text.assemble(verdict, f": {stated}{proved}")


def _false(strategy: Strategy, replay: Replay, counted: Counted) -> dict[tuple[str, str], str]:
    """Return a sentence for every false statement of the file, by rule and objective."""
    bounds = false_bounds(strategy, replay)
    return false_values(strategy, counted) | ({("bound", ""): bounds} if bounds else {})


_OF_THE_USER = "a rule of yours is broken"


def _show_findings(
    findings: Sequence[tuple[int, str, str, str]], false: Mapping[tuple[str, str], str]
) -> None:
    screen = console(wide=True)
    if findings:
        screen.print()
        screen.print(Text(f"violations: {len(findings)}", "bold red"))
    for step, rule, block, readings in findings[:_SHOWN]:
        where = f"step {step}" if step else "the whole strategy"
        words = RULES.get(rule, _OF_THE_USER if rule == "users_rule" else rule)
        what = f"{block}: {words}" if block else words
        if not step:
            unproved = f"the certificate does not prove the lower bound stated{_of(block)}"
            what = false.get((rule, block), unproved if rule == "bound" else what)
        source = f" [{readings}]" if readings else ""
        screen.print(Text(f"  {where}: {what} ({rule}){source}"))
    if len(findings) > _SHOWN:
        screen.print(Text(f"  and {len(findings) - _SHOWN} more; --json lists all"))


def _of(objective: str) -> str:
    return f" of the {objective_words(objective)}" if objective else ""


def _finding_object(finding: Finding) -> dict[str, Any]:
    return vars(finding) | {"readings": list(finding.readings)}


def _finite(error: int | float) -> int | float | None:
    """Return an error, or None for infinity, which JSON cannot say."""
    return None if error == float("inf") else error
