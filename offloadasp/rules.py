"""The rules in force: which ``.lp`` files, whether they are the shipped ones, and grounding them.

Users edit and add rules, so every file that is not shipped is parsed and looked through before
clingo loads it: nothing in it is ever executed, and it includes nothing from elsewhere.
"""

import filecmp
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import clingo
import clingo.ast

from offloadasp.errors import InputError, NoStrategyError
from offloadasp.files import read_text
from offloadasp.resources import encodings_folder

# What decides the value of each objective: predicates in heads, and every minimize statement.
_MINIMIZE = "#minimize"
_PRICES = {
    "duration": {_MINIMIZE, "cost", "moved", "computing"},
    "traffic": {_MINIMIZE, "moved"},
    "peak_memory": {_MINIMIZE, "occupies", "all_bytes", "power", "room", "filled"},
}


@dataclass(frozen=True)
class Rules:
    """The folder of encodings and the files of added rules.

    Attributes
    ----------
    folder
        Holds ``definition.lp``, ``solve.lp``, ``check.lp``, ``traversal/`` and ``objective/``.
    added
        Files of the user, loaded beside the encodings.
    edited
        Whether anything differs from the shipped rules. Then only the definition itself is
        solved: bounds, dominance and symmetry breaking may no longer hold.
    heads
        Predicates in the heads of rules that differ, and ``#minimize``.
    """

    folder: Path
    added: tuple[Path, ...] = ()
    edited: bool = False
    heads: frozenset[str] = frozenset()

    def reprices(self, objective: str) -> bool:
        """Whether what an objective counts may differ from the shipped rules."""
        return bool(self.heads & _PRICES[objective])


def shipped_rules() -> Rules:
    """Return the rules as shipped."""
    return Rules(encodings_folder())


def rules_in_force(folder: Path | None, added: Sequence[Path]) -> Rules:
    """Return the shipped rules, or a user's copy of them, with added files.

    Raises
    ------
    InputError
        A file is missing, cannot be parsed, holds a script, an ``@`` term, an ``#external`` of
        what the encodings or the instance define, a ``#program`` part (which would not be solved)
        or a theory (which nobody would decide), or includes a file outside the folders given.
    """
    shipped = encodings_folder()
    folder = shipped if folder is None else folder
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; --encodings takes a folder of .lp files")
    theirs = sorted(path.relative_to(shipped) for path in shipped.rglob("*.lp"))
    changed = []
    for name in theirs:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder / name}: is missing; 'offload-asp encodings DIR' copies all files"
            )
        if not filecmp.cmp(folder / name, shipped / name, shallow=False):
            changed.append(folder / name)
    allowed = [folder.resolve(), *(path.resolve().parent for path in added)]
    heads = [_look_through(path, allowed) for path in [*changed, *added]]
    return Rules(folder, tuple(added), bool(heads), frozenset().union(*heads))


def _look_through(path: Path, allowed: Sequence[Path]) -> frozenset[str]:
    """Refuse a file that may not be loaded; return the predicates in its heads."""
    if not path.is_file():
        raise InputError(f"{path}: is no file of rules (.lp)")
    _scan(path, allowed, set())
    messages: list[str] = []
    findings: list[str] = []
    heads: set[str] = set()

    def visit(node: clingo.ast.AST) -> None:
        heads.update(_heads(node))
        place = f"{node.location.begin.filename}:{node.location.begin.line}"
        source = Path(node.location.begin.filename)
        if not any(source.resolve().is_relative_to(folder) for folder in allowed):
            findings.append(f"{path}: includes {source}, which is outside the folders given")
        elif node.ast_type == clingo.ast.ASTType.Script:
            findings.append(f"{place}: scripts are not allowed in rules")
        elif _holds_external_function(node):
            findings.append(f"{place}: @ terms are not allowed in rules")
        elif complaint := _complaint(node):
            findings.append(f"{place}: {complaint}")

    try:
        clingo.ast.parse_files([str(path)], visit, logger=lambda _, text: messages.append(text))
    except RuntimeError as error:
        raise InputError(_one_line(messages[0] if messages else f"{path}: {error}")) from None
    if findings:
        raise InputError(findings[0])
    return frozenset(heads)


def _scan(path: Path, allowed: Sequence[Path], seen: set[Path]) -> None:
    """Refuse, before clingo opens anything, includes from elsewhere and odd characters.

    clingo ends the process where it has to quote a character outside ASCII byte by byte.
    """
    if path.resolve() in seen:
        return
    seen.add(path.resolve())
    code = _TOKENS.sub(_blank_comment, read_text(path))
    for number, line in enumerate(_TOKENS.sub(_blank, code).splitlines(), start=1):
        wrong = re.search(r"[^\x00-\x7f]", line)
        if wrong:
            raise InputError(
                f"{path}:{number}: {wrong.group()!a} is allowed in strings and comments only"
            )
    for name in re.findall(r"#include\s*([\"<][^\">]*)", code):
        inner = path.parent / name[1:]
        inside = any(inner.resolve().is_relative_to(folder) for folder in allowed)
        if name.startswith("<") or not inside:
            raise InputError(f"{path}: includes {name[1:]}, which is outside the folders given")
        if not inner.is_file():
            raise InputError(f"{path}: includes {name[1:]}, which is no file beside it")
        _scan(inner, allowed, seen)


_TOKENS = re.compile(r'%\*.*?\*%|%[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def _blank(token: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", token.group())


def _blank_comment(token: re.Match[str]) -> str:
    return _blank(token) if token.group().startswith("%") else token.group()


def _heads(node: clingo.ast.AST) -> set[str]:
    if node.ast_type == clingo.ast.ASTType.Minimize:
        return {_MINIMIZE}
    if node.ast_type != clingo.ast.ASTType.Rule:
        return set()
    # Terms inside an atom are among them; their names are no predicates of objectives.
    return set(re.findall(r"\b[a-z]\w*(?=\()", str(node.head)))


def _complaint(node: clingo.ast.AST) -> str:
    """Return why a statement may not be in rules, or nothing."""
    kinds = clingo.ast.ASTType
    if node.ast_type == kinds.External:
        name = str(node.atom.symbol).split("(", maxsplit=1)[0].lstrip("-")
        if name in _vocabulary():
            return f"#external of {name} is not allowed: the encodings or the instance define it"
    if node.ast_type == kinds.Program and (node.name != "base" or node.parameters):
        return f"#program {node.name} is not allowed: only the base program is solved"
    if node.ast_type in (kinds.TheoryDefinition, kinds.TheoryAtom):
        return "#theory is not allowed: nothing would decide its atoms"
    return ""


@cache
def _vocabulary() -> frozenset[str]:
    """Return the predicates that the shipped encodings define or take as facts."""
    names: set[str] = set()

    class Visitor(clingo.ast.Transformer):
        def visit_SymbolicAtom(self, atom: clingo.ast.AST) -> clingo.ast.AST:  # noqa: N802
            names.add(str(atom.symbol).split("(", maxsplit=1)[0])
            return atom

    visitor = Visitor()
    for path in sorted(encodings_folder().rglob("*.lp")):
        clingo.ast.parse_files([str(path)], visitor.visit)
    return frozenset(names)


def _holds_external_function(node: clingo.ast.AST) -> bool:
    found = False

    class Visitor(clingo.ast.Transformer):
        def visit_Function(self, function: clingo.ast.AST) -> clingo.ast.AST:  # noqa: N802 (clingo's name)
            nonlocal found
            found = found or bool(function.external)
            return function.update(**self.visit_children(function))

    Visitor().visit(node)
    return found


def _one_line(message: str) -> str:
    return re.sub(r"\s+", " ", message).strip()


class _Meter(clingo.Observer):
    """Counts ground rules, and stops grounding at a limit or when asked to.

    clingo cannot be interrupted while it grounds; an exception raised here reaches the caller.
    """

    def __init__(self, limit: int, stop: Callable[[], bool]) -> None:
        self.limit, self.stop, self.count = limit, stop, 0

    def rule(self, choice: bool, head: Sequence[int], body: Sequence[int]) -> None:  # noqa: ARG002
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
        self.rule(choice, head, [])


class GroundingStoppedError(NoStrategyError):
    """Grounding took more rules than allowed, or more time."""


def ground(
    rules: Rules,
    entry: Sequence[str],
    program: str,
    *,
    arguments: Sequence[str] = (),
    limit: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> clingo.Control:
    """Load files of the rules in force, add a program (facts), and ground.

    Parameters
    ----------
    rules
        Where the files are. Added rules are loaded if ``entry`` holds the definition.
    entry
        Names of files in the folder.
    program
        Facts and, possibly, constraints, as text.
    arguments
        Options of clingo.
    limit
        Number of ground rules allowed; None: not counted, which is faster.
    stop
        Asked now and then while rules are counted; True ends grounding.

    Raises
    ------
    InputError
        A file is wrong: clingo's first message, or a predicate that nothing defines.
    GroundingStoppedError
        The limit was reached.
    """
    messages: list[tuple[clingo.MessageCode, str]] = []
    control = clingo.Control(
        list(arguments), logger=lambda code, text: messages.append((code, text))
    )
    meter = _Meter(limit, stop) if limit is not None else None
    if meter is not None:
        control.register_observer(meter)
    try:
        for name in entry:
            control.load(str(rules.folder / name))
        if any(name in _SEMANTICS for name in entry):
            for path in rules.added:
                control.load(str(path))
        control.add("base", [], program)
        control.ground([("base", [])])
    except (GroundingStoppedError, RuntimeError) as error:
        if (
            isinstance(error, GroundingStoppedError)
            or (meter and meter.count > meter.limit)
            or stop()
        ):
            raise GroundingStoppedError("the ground program is too large") from None
        text = messages[0][1] if messages else str(error)
        raise InputError(_one_line(text)) from None
    for code, text in messages:
        if code in (clingo.MessageCode.AtomUndefined, clingo.MessageCode.OperationUndefined):
            raise InputError(_one_line(text))
    return control


_SEMANTICS = ("definition.lp", "solve.lp")
