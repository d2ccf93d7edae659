"""Grounding the rules in force, with what is noted and refused meanwhile."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import clingo
import clingo.ast

from offloadasp.asp.edit_kinds import DEFINITION, vocabulary
from offloadasp.asp.rules import Rules
from offloadasp.asp.vetting.overflow import Watch
from offloadasp.asp.vetting.rule_files import one_line
from offloadasp.asp.vetting.sources import unfold
from offloadasp.asp.vetting.undefined import undefined_words
from offloadasp.base.errors import InputError, NoStrategyError
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.model.problem import CLINGO_LIMIT

# What to do where a program is too large for the memory.
SMALLER = "choose a coarser tile or fewer groups: fewer operations and steps"


class Sums(clingo.Observer):
    """Notes the range of the sums that a program minimises, as it is grounded.

    Attributes
    ----------
    largest
        The sum of all weights of a priority without their signs, of the priority with the most: no
        cost is further from 0.
    least
        For each priority the sum of its negative weights: no stable model costs less. A priority
        at which no term can hold is missing, as clingo drops it.
    """

    def __init__(self) -> None:
        """Begin with nothing that is minimised."""
        self.largest = 0
        self.least: dict[int, int] = {}

    def minimize(self, priority: int, literals: Sequence[tuple[int, int]]) -> None:
        """Note the terms of a priority; called once for each."""
        self.largest = max(self.largest, sum(abs(weight) for _, weight in literals))
        self.least[priority] = sum(min(weight, 0) for _, weight in literals)

    def require_fit(self, where: str = "") -> None:
        """Refuse sums that clingo's 32-bit integers do not hold.

        Raises
        ------
        InputError
            One of them can be larger.
        """
        if self.largest > CLINGO_LIMIT:
            raise InputError(
                f"{where}what the rules minimise can reach {self.largest}; clingo's integers end "
                f"at {CLINGO_LIMIT}: use smaller weights"
            )


class Meter(Sums):
    """Counts ground rules, and stops grounding at a limit or when asked to.

    clingo cannot be interrupted while it grounds; an exception raised here reaches the caller.

    Attributes
    ----------
    limit
        Number of ground rules allowed.
    stop
        Asked now and then; True ends grounding.
    """

    def __init__(self, limit: int, stop: Callable[[], bool]) -> None:
        super().__init__()
        self.limit, self.stop, self.count = limit, stop, 0

    def rule(self, choice: bool, head: Sequence[int], body: Sequence[int]) -> None:  # noqa: ARG002
        """Count a rule."""
        self.count += 1
        if self.count > self.limit or (self.count % 4096 == 0 and self.stop()):
            raise GroundingStoppedError

    def weight_rule(
        self,
        choice: bool,
        head: Sequence[int],
        lower_bound: int,  # noqa: ARG002
        body: Sequence[tuple[int, int]],  # noqa: ARG002
    ) -> None:
        """Count a rule with weights."""
        self.rule(choice, head, [])


class GroundingStoppedError(NoStrategyError):
    """Grounding took more rules than allowed, or more time."""


def ground(
    rules: Rules,
    entry: Sequence[str],
    program: str,
    *,
    arguments: Sequence[str] = (),
    meter: Meter | None = None,
) -> clingo.Control:
    """Load files of the rules in force, add a program (facts), and ground.

    Parameters
    ----------
    rules
        Where the files are. Added rules are loaded if ``entry`` holds the definition.
    entry
        Names of files, from ``encodings/`` on.
    program
        Facts and, possibly, constraints, as text.
    arguments
        Options of clingo.
    meter
        Limits the grounding; None: nothing is counted, which is faster.

    Raises
    ------
    InputError
        A file is wrong: clingo's first message, or a predicate that nothing defines; or a sum can
        leave clingo's 32-bit integers, in which it would wrap silently.
    GroundingStoppedError
        The limit was reached.
    """
    messages: list[tuple[clingo.MessageCode, str]] = []
    control = clingo.Control(
        list(arguments), logger=lambda code, text: messages.append((code, text))
    )
    if meter is not None:
        control.register_observer(meter)
    stop = _never if meter is None else meter.stop
    paths = [rules.path(name) for name in entry]
    if DEFINITION in entry:
        paths += rules.added
    watch = Watch()
    try:
        _load(rules, paths, control, watch)
        control.add("base", [], program)
        aside(lambda: control.ground([("base", [])]), stop)
    except MemoryError:
        raise GroundingStoppedError(
            f"the ground program takes too much memory; {SMALLER}"
        ) from None
    except (GroundingStoppedError, LeftAloneError, RuntimeError) as error:
        exceeded = meter is not None and meter.count > meter.limit
        if not isinstance(error, RuntimeError) or exceeded or stop():
            # What nothing defines, clingo notes before it grounds.
            _require_defined(rules, messages)
            raise GroundingStoppedError("the ground program is too large") from None
        wrong = [text for code, text in messages if code == clingo.MessageCode.RuntimeError]
        text = wrong[0] if wrong else str(error)
        if "Integer overflow" in text:
            watch.require_fit(control)
            text = "a sum of the rules can leave clingo's 32-bit integers; use smaller weights"
        raise InputError(one_line(text)) from None
    watch.require_fit(control)
    if meter is not None:
        meter.require_fit(f"{rules.model}: ")
    _require_defined(rules, messages)
    return control


# The smallest layer: one pixel, one kernel, one output.
_SMALLEST = """
input(1,1,1). kernels(1). kernel_shape(1,1). strides(1,1). pads(0,0,0,0). dilations(1,1). group(1).
input_bytes(1). weight_bytes(1). output_bytes(1). partial_sum_bytes(1). memory(3).
windows_per_step(1). load_cycles(1). write_cycles(1). compute_cycles(1). load_energy(1).
write_energy(1). compute_energy(1). tile(1,1). kernel_group(0,0,1). channel_group(0,0,1). steps(2).
"""


# Ground rules for the smallest layer at most: a mistake in more shows when a plan is read.
_MOST_AT_FIRST = 50_000


class _Glance(Meter):
    """A meter for a layer that nothing is minimised for."""

    def require_fit(self, where: str = "") -> None:
        """Leave sums for the layer itself."""


def require_sound(rules: Rules, objectives: Sequence[str]) -> None:
    """Ground the rules for the smallest layer, so that mistakes show at once.

    Rules that have very many instances even there are grounded when a plan is read: once.

    Raises
    ------
    InputError
        A file is wrong; see `ground`.
    """
    entry = [DEFINITION, *(f"model/objective/{name}.lp" for name in objectives)]
    with contextlib.suppress(GroundingStoppedError):
        ground(rules, entry, _SMALLEST, meter=_Glance(_MOST_AT_FIRST, _never))


def _never() -> bool:
    return False


def _load(rules: Rules, paths: Sequence[Path], control: clingo.Control, watch: Watch) -> None:
    """Load files and what they include; watch the arithmetic of those that differ."""
    statements: list[clingo.ast.AST] = []

    def visit(node: clingo.ast.AST) -> None:
        statements.append(node)
        watch.add(node)

    for source in unfold(paths, rules.read):
        if not rules.ships(source.path):
            source.parse(visit)
        elif source.included:
            control.add("base", [], source.text)
        else:
            control.load(str(source.path.absolute()))
    with clingo.ast.ProgramBuilder(control) as builder:
        for statement in [*statements, *watch.rules]:
            builder.add(statement)


def _require_defined(rules: Rules, messages: Sequence[tuple[clingo.MessageCode, str]]) -> None:
    """Refuse what clingo only notes."""
    for code, text in messages:
        if code in (clingo.MessageCode.AtomUndefined, clingo.MessageCode.OperationUndefined):
            raise InputError(undefined_words(one_line(text), vocabulary() | rules.edit.derived))
