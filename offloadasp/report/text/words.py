"""Numbers, layers and decompositions in a reader's words."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from offloadasp.base.messages import in_steps, plural
from offloadasp.model.instance import Accelerator, Choice, Described, Layer, Resolved, exact_number
from offloadasp.model.objectives import EDITED, OBJECTIVES
from offloadasp.model.strategy import RulesRecord

BASELINES = {
    "row_by_row": "row by row",
    "zigzag": "zigzag",
    "strips": "best strip",
    "loop_nest": "best loop nest",
    "no_reuse": "no reuse",
    "pipelined": "serial, pipelined",
    "shipped": "without your rules",
}
"""The baselines by the names of their traversals, no reuse, and other plans to compare with."""

NONE_PROVED = "none proved"
"""Stands for a lower bound of 0."""

_KINDS = {
    "restriction": "a restriction: they only forbid, so all lower bounds hold",
    "repricing": "a repricing: what is minimised differs, what is possible does not",
    "both": "a restriction and a repricing: they forbid, and what is minimised differs",
    "redefinition": "a redefinition: nothing that is proved for the shipped rules holds",
}
_LISTED_STATEMENTS = 6
_LISTED_SIZES = 8
_LISTED_OBJECTIVES = 4
_BESIDE = {
    "dma": "writes, then loads, beside the compute action",
    "duplex": "writes and loads, each beside the compute action",
}
_PARTS = {"tile": "tile", "kernel_groups": "kernel groups", "channel_groups": "channel groups"}


def mixed(value: Fraction, *, grouped: bool = False) -> str:
    """Return a number that is not negative, exactly: whole ones first, then the fraction left.

    Parameters
    ----------
    grouped
        Whether commas separate the thousands.
    """
    whole, rest = divmod(value.numerator, value.denominator)
    fraction = f"{rest}/{value.denominator}"
    text = f"{whole:,}" if grouped else str(whole)
    if rest == 0:
        return text
    return f"{text} {fraction}" if whole else fraction


def cycles(value: Fraction | int) -> str:
    """Return a duration, exactly."""
    value = Fraction(value)
    return f"{mixed(value)} {'cycle' if value == 1 else 'cycles'}"


def amount(described: Described, name: str, value: Fraction) -> str:
    """Return the value of an objective for an instance in its unit, exactly."""
    unit = OBJECTIVES[name].unit(described) if name in OBJECTIVES else ""
    if unit == "bytes" and value.denominator == 1:
        return plural(int(value), "byte")
    return cycles(value) if unit == "cycles" else f"{exact_number(value)} {unit}".rstrip()


def objective_words(name: str) -> str:
    """Return an objective's name in a reader's words."""
    if name in OBJECTIVES:
        return name.replace("_", " ")
    # A file may name an objective that there is none of.
    return "edited objective" if name == EDITED else f"objective '{name}'"


def given_words(described: Described, earlier: Iterable[tuple[str, Fraction]]) -> str:
    """Return the condition under which the bound of a later objective holds; empty if none."""
    known = list(earlier)
    if len(known) > _LISTED_OBJECTIVES:
        return f" where the {len(known)} objectives before are at most what they are here"
    parts = [
        f"{objective_words(name)} is at most {amount(described, name, value)}"
        for name, value in known
    ]
    return f" where {' and '.join(parts)}" if parts else ""


def percent(share: Fraction) -> str:
    """Return a share in percent; one above 0 never reads as 0."""
    # No float: a file may state what is beyond the largest one.
    hundredths = round(share * 10_000)
    return "< 0.01 %" if share > 0 and not hundredths else f"{Decimal(hundredths) / 100:.2f} %"


def by_kind(total: int, **kinds: int) -> str:
    """Return bytes in total, and of each kind that occurs."""
    parts = [f"{name.replace('_', ' ')} {size}" for name, size in kinds.items() if size]
    detail = f" ({', '.join(parts)})" if parts else ""
    return f"{plural(total, 'byte')}{detail}"


def layer_words(layer: Layer) -> str:
    """Return a layer's shape, and of its attributes those that are not the default."""
    (sh, sw), (dh, dw), pads = layer.strides, layer.dilations, layer.pads
    words = [
        f"{_times(*layer.input)}, {plural(layer.kernels, 'kernel')} {_times(*layer.kernel_shape)}"
    ]
    if (sh, sw) != (1, 1):
        words.append(f"stride {_one_or_both(sh, sw)}")
    if any(pads):
        words.append(f"pad {pads[0] if len(set(pads)) == 1 else ' '.join(map(str, pads))}")
    if (dh, dw) != (1, 1):
        words.append(f"dilation {_one_or_both(dh, dw)}")
    if layer.group > 1:
        depthwise = layer.group == layer.input[0]
        words.append("depthwise" if depthwise else f"{layer.group} convolution groups")
    if layer.bias:
        words.append("bias")
    return ", ".join(words)


def accelerator_words(accelerator: Accelerator) -> str:
    """Return an accelerator's memory, rates and width."""
    width = plural(accelerator.macs_per_step, "multiply-accumulate")
    rates = [
        (accelerator.load_cycles, "byte loaded"),
        (accelerator.write_cycles, "byte written"),
        (accelerator.compute_cycles, f"compute action of at most {width}"),
    ]
    if accelerator.mac_cycles:
        rates.append((accelerator.mac_cycles, "multiply-accumulate"))
    cycles = ", ".join(f"{exact_number(rate)} a {what}" for rate, what in rates)
    beside = f"; {_BESIDE[accelerator.overlap]}" if accelerator.overlaps else ""
    return f"{plural(accelerator.memory, 'byte')} of memory; cycles: {cycles}{beside}"


def decomposition_words(decomposition: Resolved) -> str:
    """Return groups and tile of a decomposition."""
    return "; ".join(
        (
            _groups(decomposition.kernel_groups, "kernel"),
            _groups(decomposition.channel_groups, "channel"),
            f"tile {_times(*decomposition.tile)}",
        )
    )


def choice_words(choice: Choice) -> str:
    """Return kernel groups x channel groups as far as an instance fixes them, else ``auto``."""
    kernels, channels = _sizes(choice.kernel_groups), _sizes(choice.channel_groups)
    groups = kernels if kernels == channels == "auto" else f"{kernels} x {channels}"
    return groups if choice.tile == "auto" else f"{groups}, tile {_times(*choice.tile)}"


def scope_words(choice: Choice) -> str:
    """Return the decompositions to which bound, gap and status refer."""
    free = [name for part, name in _PARTS.items() if getattr(choice, part) == "auto"]
    if not free:
        return "this decomposition"
    if len(free) == len(_PARTS):
        return "every decomposition"
    return f"every choice of {' and '.join(free)}"


def rules_words(rules: RulesRecord) -> str:
    """Return what kind of edit rules are, and which statements decided it."""
    places = [f"{place.file}:{place.line}" for place in rules.statements]
    listed = ", ".join(places[:_LISTED_STATEMENTS])
    if len(places) > _LISTED_STATEMENTS:
        listed += f" and {len(places) - _LISTED_STATEMENTS} more"
    return f"{_KINDS[rules.kind]} ({listed})"


def breaches_words(rules: RulesRecord) -> str:
    """Return which rules the plan breaks that was found without them; empty if none is known."""
    broken = rules.shipped_breaks or ()
    return ", and ".join(in_steps(one.rule, one.steps) for one in broken)


def error_words(error: int | float, tolerance: int | float) -> str:
    """Return how the output compares with direct convolution."""
    if error == float("inf"):
        return "output is incomplete"
    if error > tolerance:
        return f"output differs from direct convolution, max abs error {error:g}"
    if tolerance == 0:
        return f"output equals direct convolution, max abs error {error:g}"
    return f"output within {error:.3g} of direct convolution (rounding explains {tolerance:.3g})"


def _groups(spans: Sequence[tuple[int, int]], what: str) -> str:
    sizes = [stop - start for start, stop in spans]
    groups = plural(len(sizes), f"{what} group")
    if len(set(sizes)) == 1:
        return f"{groups} of {sizes[0]}"
    if len(sizes) <= _LISTED_SIZES:
        return f"{groups} of {', '.join(map(str, sizes))}"
    return f"{groups} of {min(sizes)} to {max(sizes)}"


def _sizes(groups: int | str | tuple[int, ...]) -> str:
    return "+".join(map(str, groups)) if isinstance(groups, tuple) else str(groups)


def _times(*sizes: int) -> str:
    return "x".join(map(str, sizes))


def _one_or_both(first: int, second: int) -> str:
    return str(first) if first == second else _times(first, second)
