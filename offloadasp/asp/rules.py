"""The rules in force: which ``.lp`` files, and whether they are the shipped ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from offloadasp.asp.edit_kinds import DEFINITION, Edit, Kind, edit_of, model_names
from offloadasp.asp.shipped import (
    as_recorded,
    digest,
    is_shipped,
    records,
    shipped_names,
    shipped_source,
)
from offloadasp.asp.vetting.rule_files import MINIMIZE, look_through, resolved
from offloadasp.asp.vetting.sources import Source, unfold
from offloadasp.base.errors import InputError
from offloadasp.base.files import read_text
from offloadasp.base.resources import encodings_folder
from offloadasp.model.strategy import RulesRecord

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
