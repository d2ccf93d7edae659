"""The table of the shipped instances."""

from collections.abc import Sequence
from typing import Any

from offloadasp.model.instance import Instance
from offloadasp.model.problem import Problem, problem_of, undivided
from offloadasp.report.text.screen import console
from offloadasp.report.text.table import show_table
from offloadasp.report.text.words import choice_words, layer_words

_LEGEND = (
    "layer: channels x height x width, kernels; all data: pixels, kernels, outputs",
    "groups: kernel groups x channel groups; auto: the search chooses; sizes in bytes",
)


def show_instances(instances: Sequence[Instance]) -> None:
    """Print a row an instance: layer, bytes on chip, bytes of all data, decomposition."""
    rows = [
        (
            instance.name,
            layer_words(instance.layer),
            str(instance.accelerator.memory),
            str(data_bytes(instance)),
            choice_words(instance.choice),
        )
        for instance in instances
    ]
    screen = console(wide=True)
    show_table(
        screen,
        ("name", "layer", "memory", "all data", "groups"),
        rows,
        flexible=1,
        spare=("groups",),
    )
    screen.print()
    for line in _LEGEND:
        screen.print(line)


def instances_object(instances: Sequence[Instance]) -> list[dict[str, Any]]:
    """Return the shipped instances as JSON."""
    return [
        {
            "name": instance.name,
            "layer": instance.layer.model_dump(mode="json"),
            "output": list(instance.layer.output_shape),
            "memory": instance.accelerator.memory,
            "data_bytes": data_bytes(instance),
            "decomposition": instance.choice.model_dump(mode="json"),
            "time_limit": instance.search.time_limit,
        }
        for instance in instances
    ]


def data_bytes(instance: Instance) -> int:
    """Return the bytes of all data, each moved once: used pixels, kernels, biases and outputs."""
    # The sum does not depend on the decomposition; with one block of each kind it is quick.
    problem: Problem = problem_of(instance, undivided(instance.layer))
    return problem.input_total + problem.kernel_total + problem.output_total
