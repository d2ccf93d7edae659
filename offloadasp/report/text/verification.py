"""What the check of a whole network prints. Needs the package onnx, as the check does."""

from typing import Any

from rich.text import Text

from offloadasp.base.messages import plural
from offloadasp.network.verify import Compared, Verification
from offloadasp.report.text.screen import Rows


def verification_rows(found: Verification | None) -> Rows:
    """Return a row with the verdict; none where there was no check."""
    if found is None:
        return []
    expected = "the recorded outputs" if found.against == "recorded" else "ONNX's own evaluator"
    words = f"{plural(len(found.executed), 'node')} executed step by step by the simulator; "
    if found.drawn:
        words += f"weights of {len(found.drawn)} drawn at random, as the model has constant ones; "
    words += f"against {expected}: "
    words += ", ".join(map(_compared_words, found.outputs))
    if found.inner:
        worst = max(found.inner, key=lambda entry: entry.excess)
        words += f"; of the outputs of these nodes the farthest is {_compared_words(worst)}"
    verdict = ("verified", "green") if found.verified else ("NOT VERIFIED", "bold red")
    return [("whole network", Text.assemble(verdict, f": {words}"))]


def _compared_words(entry: Compared) -> str:
    return (
        f"{entry.name}: max abs error {entry.max_abs_error:.3g} (allowed {entry.tolerance:.3g}, "
        f"values spread over {entry.spread:.3g})"
    )


def verification_object(found: Verification | None) -> dict[str, Any] | None:
    """Return the check as JSON; None where there was none."""
    if found is None:
        return None
    return {
        "against": found.against,
        "verified": found.verified,
        "executed": list(found.executed),
        "drawn": list(found.drawn),
        "outputs": [_compared_object(entry) for entry in found.outputs],
        "inner": [_compared_object(entry) for entry in found.inner],
    }


def _compared_object(entry: Compared) -> dict[str, Any]:
    error = entry.max_abs_error
    return {
        "name": entry.name,
        "equal": entry.equal,
        "max_abs_error": None if error == float("inf") else error,
        "tolerance": entry.tolerance,
        "spread": entry.spread,
    }
