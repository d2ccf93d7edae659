"""Convolutions of published networks, as ``[layer]`` tables of instance files."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from bench.case import Case, load

LayerTable = dict[str, Any]


class Network(Case):
    """A published network, with its distinct convolutions; see ``bench/cases/layers.toml``.

    ``repeated``: how often those occur in a row that occur more than once.
    """

    name: str
    measured: bool = False
    machine: str | None = None
    repeated: dict[str, int] = Field(default_factory=dict)
    layers: dict[str, LayerTable]


def networks() -> Iterator[tuple[str, LayerTable]]:
    """Yield name and layer of the networks that are measured: LeNet-5, ResNet-8, VGG-16."""
    for network in load("layers", Network, "networks"):
        if network.measured:
            yield from network.layers.items()


def chain(name: str) -> list[LayerTable]:
    """Return the convolutions of a network without branches, one after the other."""
    found = next(network for network in load("layers", Network, "networks") if network.name == name)
    return [layer for key, layer in found.layers.items() for _ in range(found.repeated.get(key, 1))]


def shipped() -> Iterator[tuple[Network, str, LayerTable]]:
    """Yield network, name and layer of every distinct convolution of the networks shipped.

    Batch normalisation is folded into weights and biases, so that every layer has a bias.
    """
    for network in load("layers", Network, "networks"):
        known: list[LayerTable] = []
        for name, layer in network.layers.items():
            if network.machine and layer not in known:
                known.append(layer)
                yield network, name, layer | {"bias": True}
