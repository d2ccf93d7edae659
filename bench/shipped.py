"""Writes the shipped instances of whole networks: ``python -m bench.shipped``."""

from collections.abc import Iterator
from pathlib import Path

from bench.networks import shipped
from offloadasp.base.files import write_text
from offloadasp.base.resources import network_instances_folder
from offloadasp.model.catalogue import find_accelerator
from offloadasp.model.instance import Instance, Precision
from offloadasp.model.instance_text import instance_text
from offloadasp.network.accelerators import load_machine


def files() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file."""
    for network, name, layer in shipped():
        machine = load_machine(find_accelerator(str(network.machine)))
        instance = Instance.model_validate(
            {
                "name": name,
                "layer": layer,
                "accelerator": machine.accelerator,
                "precision": machine.precision or Precision(),
            }
        )
        comments = (
            f"A layer of {network.name} on the accelerator {machine.name}.",
            "Written by scripts/instances; not to be edited.",
        )
        yield f"{name}.toml", instance_text(instance, comments)


def main() -> None:
    """Write all files, and remove those of other names."""
    folder: Path = network_instances_folder()
    found = dict(files())
    for path in folder.glob("*.toml"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        write_text(folder / name, text)


if __name__ == "__main__":
    main()
