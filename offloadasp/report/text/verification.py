"""What the check of a whole network prints. Needs the package onnx, as the check does."""

from typing import Any

from rich.text import Text

from offloadasp.base.messages import one_line, plural
from offloadasp.network.compare import Compared
from offloadasp.network.verify import Verification
from offloadasp.report.text.screen import Rows


def verification_rows(found: Verification | None) -> Rows:
    """Return a row with the verdict; none where there was no check."""
    if found is None:
        return []
    expected = "the recorded outputs" if found.against == "recorded" else "ONNX's own evaluator"
    words = f"{plural(len(found.executed), 'node')} executed step by step by the simulator; "
    if found.drawn:
        words += f"weights of {len(found.drawn)} drawn at random, as the model has constant ones; "
    if found.inner:
        worst = max(found.inner, key=_urgency)
        words += "on the inputs that ONNX's own evaluator gives them the farthest from it is "
        words += f"{_compared_words(worst)}; "
    words += f"the whole against {expected}: {', '.join(map(_compared_words, found.outputs))}"
    verdict = {
        True: ("verified", "green"),
        False: ("NOT VERIFIED", "bold red"),
        None: ("not judged", "bold yellow"),
    }[found.verified]
    rows: Rows = [("whole network", Text.assemble(verdict, f": {words}"))]
    return rows + [("", Text(one_line(f"note: {note}"))) for note in found.notes]


def _urgency(entry: Compared) -> tuple[int, float]:
    """Return what makes one tensor more important to name than another."""
    return (2 if entry.equal is False else 1 if entry.equal is None else 0), entry.excess


def _compared_words(entry: Compared) -> str:
    note = f"; {entry.note}" if entry.note else ""
    if entry.equal is None:
        return one_line(f"{entry.name}: not judged{note}")
    steps = f", {entry.differing} differ" if entry.differing and entry.tolerance == 1 else ""
    return one_line(
        f"{entry.name}: max abs error {entry.max_abs_error:.3g} (allowed {entry.tolerance:.3g}, "
        f"values spread over {entry.spread:.3g}{steps}){note}"
    )


def verification_object(found: Verification | None) -> dict[str, Any] | None:
    """Return the check as JSON; None where there was none."""
    if found is None:
        return None
    notes = {"notes": list(found.notes)} if found.notes else {}
    return {
        "against": found.against,
        "verified": found.verified,
        "executed": list(found.executed),
        "drawn": list(found.drawn),
        "outputs": [_compared_object(entry) for entry in found.outputs],
        "inner": [_compared_object(entry) for entry in found.inner],
    } | notes


def _compared_object(entry: Compared) -> dict[str, Any]:
    error = entry.max_abs_error
    return {
        "name": entry.name,
        "equal": entry.equal,
        "max_abs_error": None if error == float("inf") else error,
        "tolerance": entry.tolerance,
        "spread": entry.spread,
        "differing": entry.differing,
    } | ({"note": entry.note} if entry.note else {})
