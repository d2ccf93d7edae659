"""The rules in force: which ``.lp`` files, whether they are the shipped ones, how they ground."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import clingo
import clingo.ast

from offloadasp.asp.edit_kinds import DEFINITION, Edit, Kind, edit_of, model_names, vocabulary
from offloadasp.asp.shipped import (
    as_recorded,
    digest,
    is_shipped,
    records,
    shipped_names,
    shipped_source,
)
from offloadasp.asp.vetting.overflow import Watch
from offloadasp.asp.vetting.rule_files import MINIMIZE, look_through, one_line, resolved
from offloadasp.asp.vetting.sources import Source, unfold
from offloadasp.asp.vetting.undefined import undefined_words
from offloadasp.base.errors import InputError, NoStrategyError
from offloadasp.base.files import read_text
from offloadasp.base.resources import encodings_folder
from offloadasp.limits.abandonable import LeftAloneError, aside
from offloadasp.model.problem import CLINGO_LIMIT
from offloadasp.model.strategy import RulesRecord

# What to do where a program is too large for the memory.
SMALLER = "choose a coarser tile or fewer groups: fewer operations and steps"

# What decides the value of an objective: predicates in heads, and every minimize statement. Of
# linear objectives that have no entry: whatever moves, is computed or costs.
_LINEAR = {MINIMIZE, "cost", "moved", "bytes", "computing", "lane", "beside", "busy", "waits"}
_PRICES = {
    "traffic": {MINIMIZE, "moved", "bytes"},
    "energy": {MINIMIZE, "energy", "moved", "bytes", "computing", "lane", "busy", "waits"},
    "peak_memory": {MINIMIZE, "occupies", "form", "bytes", "all_bytes", "power", "room", "filled"},
}


@dataclass(frozen=True)
class Rules:
    """The folder of encodings and the files of added rules.

    Attributes
    ----------
    folder
        The encodings: ``definition.lp``, ``model/``, ``proof/`` and ``check/``.
    added
        Files of the user, loaded beside the encodings.
    copy
        A user's copy of ``model/`` to use in its place, or None.
    heads
        Predicates in the heads of rules that differ, and ``#minimize``.
    differing
        The files that differ from the shipped ones, as they were looked through. They are not
        read again.
    edit
        What differs.
    """

    folder: Path
    added: tuple[Path, ...] = ()
    copy: Path | None = None
    heads: frozenset[str] = frozenset()
    differing: tuple[Source, ...] = ()
    edit: Edit = field(default_factory=Edit)

    @property
    def kind(self) -> Kind:
        """What the edit changes, and so what it keeps."""
        return self.edit.kind

    @property
    def edited(self) -> bool:
        """Whether any rule differs from the shipped ones."""
        return self.kind != Kind.NONE

    @property
    def shipped(self) -> "Rules":
        """The rules as they were shipped, whatever the folder holds."""
        if not self.differing and not self.added and self.copy is None:
            return self
        changed = [name for name in shipped_names() if not _as_recorded(name, self.folder / name)]
        return Rules(self.folder, differing=tuple(map(shipped_source, changed)))

    @property
    def record(self) -> RulesRecord | None:
        """What a strategy file says of the rules; None where no rule differs."""
        if not self.edited:
            return None
        return RulesRecord.model_validate(
            {
                "kind": str(self.kind),
                "statements": [{"file": o.file, "line": o.line} for o in self.edit.deciding],
                "files": [{"name": name, "sha256": sha} for name, sha in self.files.items()],
            }
        )

    @property
    def files(self) -> dict[str, str]:
        """The files whose rules differ, by the names in messages, with digests of their texts."""
        return {self.name(source.path): digest(source.whole) for source in self.differing}

    def name(self, path: Path) -> str:
        """Return what messages and strategy files call a file: no folder of the machine."""
        for name in shipped_names():
            if path.resolve() == self.path(name).resolve():
                return name
        return path.name

    @property
    def model(self) -> Path:
        """The folder of the model in force."""
        return self.folder / "model" if self.copy is None else self.copy

    def path(self, name: str) -> Path:
        """Return where a file of the encodings is, given its name from ``encodings/`` on."""
        inside = name.removeprefix("model/")
        ours = self.copy is None or (inside == name and name != DEFINITION)
        return self.folder / name if ours else self.model / inside

    def ships(self, path: Path) -> bool:
        """Whether a file does not differ from a shipped one."""
        return path.resolve() not in self.read

    def reprices(self, objective: str) -> bool:
        """Whether what an objective counts may differ from the shipped rules."""
        return bool(self.heads & _PRICES.get(objective, _LINEAR))

    @property
    def edited_in_folder(self) -> bool:
        """Whether a file of the folder itself differs, added files apart."""
        return any(
            source.path.is_relative_to(self.copy or self.folder) and source.path not in self.added
            for source in self.differing
        )

    @cached_property
    def read(self) -> dict[Path, Source]:
        """`differing` by the files' paths without links."""
        return {source.path.resolve(): source for source in self.differing}


def shipped_rules() -> Rules:
    """Return the rules of the package; they count as edited if someone edited its folder."""
    return rules_in_force(None, ())


def rules_in_force(folder: Path | None, added: Sequence[Path]) -> Rules:
    """Return the shipped rules, or a user's copy of them, with added files.

    Raises
    ------
    InputError
        A file is missing, cannot be parsed, holds a script, an ``@`` term, an ``#external`` of
        what the encodings or the instance define, a ``#program`` part (which would not be solved)
        or a theory (which nobody would decide), or includes a file outside the folders given.
    """
    places = _places(folder)
    homes = [resolved(encodings_folder()), *([resolved(folder)] if folder else [])]
    named = {resolved(path): name for name, path in places.items()}

    def trusted(path: Path) -> bool:
        name = named.get(resolved(path))
        return name is not None and is_shipped(name, path)

    changed = [path for name, path in places.items() if not is_shipped(name, path)]
    allowed = [*homes, *(resolved(path).parent for path in added)]
    vetted = [one for path in [*changed, *added] for one in look_through(path, allowed, trusted)]
    differing = {one.source.path.resolve(): one.source for one in vetted}
    heads = frozenset[str]().union(*(one.heads for one in vetted))
    rules = Rules(encodings_folder(), tuple(added), folder, heads, tuple(differing.values()))
    return replace(rules, edit=_edit(rules)) if vetted else rules


def _edit(rules: Rules) -> Edit:
    """Compare rules with the shipped ones, statement by statement."""
    entry = [rules.path(name) for name in model_names() if name not in _reached()]
    program = [
        (rules.name(source.path), source) for source in unfold([*entry, *rules.added], rules.read)
    ]
    inside = {source.path.resolve() for _, source in program}
    outside = [
        (rules.name(source.path), source)
        for path, source in rules.read.items()
        if path not in inside and rules.name(source.path) in records()
    ]
    return edit_of(program, outside)


def _reached() -> set[str]:
    """Return the files of the model that its definition includes: only what it reaches counts."""
    return {name for name in model_names() if "/" in name and "objective/" not in name}


def _as_recorded(name: str, path: Path) -> bool:
    return path.is_file() and as_recorded(name, read_text(path))


def _places(copy: Path | None) -> dict[str, Path]:
    """Return where each shipped file is expected, and refuse folders without them.

    Parameters
    ----------
    copy
        A user's copy of the model, or None.
    """
    ours = encodings_folder()
    if copy is None:
        return {name: ours / name for name in shipped_names()}
    if not copy.is_dir():
        raise InputError(f"{copy}: is not a folder; --encodings takes a folder of .lp files")
    if (copy / "check.lp").exists() or (copy / "lean.lp").exists():
        raise InputError(
            f"{copy}: is a copy of an earlier layout; 'offload-asp encodings NEW' copies today's "
            "model: make your edits of step.lp or of other files again in NEW"
        )
    if (copy / "model").is_dir() and not (copy / "step.lp").exists():
        raise InputError(f"{copy}: holds the model in a folder of its own; give {copy / 'model'}")
    places = {
        name: copy / name.removeprefix("model/") if name.startswith("model/") else ours / name
        for name in shipped_names()
    }
    for path in places.values():
        if not path.is_file():
            raise InputError(f"{path}: is missing; 'offload-asp encodings DIR' copies all files")
    return places


class Meter(clingo.Observer):
    """Counts ground rules and sums of costs, and stops grounding at a limit or when asked to.

    clingo cannot be interrupted while it grounds; an exception raised here reaches the caller.

    Attributes
    ----------
    limit
        Number of ground rules allowed.
    stop
        Asked now and then; True ends grounding.
    least
        No stable model costs less at a priority: the sum of what is below 0. Of other priorities
        nothing is minimised.
    """

    def __init__(self, limit: int, stop: Callable[[], bool]) -> None:
        self.limit, self.stop, self.count = limit, stop, 0
        self.largest = 0
        self.least: dict[int, int] = {}

    def minimize(self, priority: int, literals: Sequence[tuple[int, int]]) -> None:
        """Note the amounts that a sum can reach; called once a priority."""
        self.largest = max(self.largest, sum(abs(weight) for _, weight in literals))
        self.least[priority] = sum(min(weight, 0) for _, weight in literals)

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
            raise GroundingStoppedError("the ground program is too large") from None
        wrong = [text for code, text in messages if code == clingo.MessageCode.RuntimeError]
        text = wrong[0] if wrong else str(error)
        if "Integer overflow" in text:
            watch.require_fit(control)
            text = "a sum of the rules can leave clingo's 32-bit integers; use smaller weights"
        raise InputError(one_line(text)) from None
    watch.require_fit(control)
    _require_sound(rules, messages, 0 if meter is None else meter.largest)
    return control


# The smallest layer: one pixel, one kernel, one output.
_SMALLEST = """
input(1,1,1). kernels(1). kernel_shape(1,1). strides(1,1). pads(0,0,0,0). dilations(1,1). group(1).
input_bytes(1). weight_bytes(1). output_bytes(1). partial_sum_bytes(1). memory(3).
windows_per_step(1). load_cycles(1). write_cycles(1). compute_cycles(1). load_energy(1).
write_energy(1). compute_energy(1). tile(1,1). kernel_group(0,0,1). channel_group(0,0,1). steps(2).
"""


def require_sound(rules: Rules, objectives: Sequence[str]) -> None:
    """Ground the rules for the smallest layer, so that mistakes show at once.

    Raises
    ------
    InputError
        A file is wrong; see `ground`.
    """
    entry = [DEFINITION, *(f"model/objective/{name}.lp" for name in objectives)]
    ground(rules, entry, _SMALLEST)


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


def _require_sound(
    rules: Rules, messages: Sequence[tuple[clingo.MessageCode, str]], largest: int
) -> None:
    """Refuse what clingo only notes, and sums of costs that it would let wrap."""
    if largest > CLINGO_LIMIT:
        raise InputError(
            f"{rules.model}: what the rules minimise can reach {largest}; clingo's integers "
            f"end at {CLINGO_LIMIT}: use smaller weights"
        )
    for code, text in messages:
        if code in (clingo.MessageCode.AtomUndefined, clingo.MessageCode.OperationUndefined):
            raise InputError(undefined_words(one_line(text), vocabulary() | rules.edit.derived))
