"""Finds shipped rules and instances: inside a wheel, or at the top of a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _folder(name: str) -> Path:
    # A wheel carries the folder inside the package. An editable install and a checkout do not,
    # and importlib.resources would find nothing there: the folder is beside the package.
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def encodings_folder() -> Path:
    """Return the folder of the shipped ``.lp`` files."""
    return _folder("encodings")


def model_folder() -> Path:
    """Return the folder of those ``.lp`` files that people copy to edit."""
    return encodings_folder() / "model"


def instances_folder() -> Path:
    """Return the folder of the shipped instance files."""
    return _folder("instances")


def accelerators_folder() -> Path:
    """Return the folder of the shipped accelerator files."""
    return instances_folder() / "accelerators"


def network_instances_folder() -> Path:
    """Return the folder of the instance files that are layers of whole networks."""
    return instances_folder() / "networks"
