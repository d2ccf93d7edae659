"""The cuts of the complete search: files of rules that rule out more, and may be left out."""

from collections.abc import Iterable
from pathlib import Path

from offloadasp.base.errors import InputError
from offloadasp.base.messages import did_you_mean

_PATTERNS = ("proof/*_cut.lp", "proof/symmetry.lp")


def cut_files(folder: Path) -> dict[str, str]:
    """Return the files of cuts in a folder of rules by name: ``live-cut`` and so on."""
    paths = sorted(path for pattern in _PATTERNS for path in folder.glob(pattern))
    return {path.stem.replace("_", "-"): path.relative_to(folder).as_posix() for path in paths}


def known_cuts(names: Iterable[str], folder: Path) -> frozenset[str]:
    """Return the names of cuts to do without, each of which must be one in a folder of rules.

    Raises
    ------
    InputError
        A name is unknown; one line that lists what is allowed.
    """
    known = cut_files(folder)
    found = frozenset(names)
    for name in sorted(found):
        if name not in known:
            allowed = f"must be {' or '.join(known)}, not '{name}'"
            raise InputError(f"--without: {allowed}{did_you_mean(name, known)}")
    return found
