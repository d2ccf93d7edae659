"""The cuts of the complete search: files of rules that rule out more, and may be left out."""

from pathlib import Path

_PATTERNS = ("proof/*_cut.lp", "proof/symmetry.lp")


def cut_files(folder: Path) -> dict[str, str]:
    """Return the files of cuts in a folder of rules by name: ``live-cut`` and so on."""
    paths = sorted(path for pattern in _PATTERNS for path in folder.glob(pattern))
    return {path.stem.replace("_", "-"): path.relative_to(folder).as_posix() for path in paths}
