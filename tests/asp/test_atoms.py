"""The atoms of a plan are those of the stable model of the definition that is this plan."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import clingo
import pytest

from offloadasp.asp.atoms import Atoms
from offloadasp.asp.edit_kinds import DEFINITION
from offloadasp.asp.facts import facts
from offloadasp.asp.grounding import ground
from offloadasp.asp.rules import shipped_rules
from offloadasp.model.instance import Layer, Precision
from offloadasp.model.plan import Plan
from offloadasp.search.overlap.pipelined import pipelined
from tests.engines.overlapped import overlapping
from tests.engines.plans import HABITS, fitted, problem, random_plan
from tests.support.layers import on_accelerator

NAMES: tuple[str, ...] = (
    "step",
    "compute",
    "on_chip",
    "load",
    "free",
    "write",
    "done",
    "started",
    "complete",
)
NAMES += ("form", "occupies", "computing", "active", "moved")
LAYERS = [
    (Layer(input=(2, 3, 3), kernels=2, kernel_shape=(2, 2)), 2, 2, None),
    (Layer(input=(2, 4, 3), kernels=3, kernel_shape=(3, 2), bias=True, group=1), 2, 1, None),
    (Layer(input=(4, 3, 4), kernels=4, kernel_shape=(2, 2), group=2, bias=True), 4, 2, None),
    (
        Layer(input=(3, 3, 3), kernels=2, kernel_shape=(2, 2)),
        1,
        3,
        Precision(input=2, output=4, partial_sum=3),
    ),
]


def derived(text: str) -> set[str]:
    control = clingo.Control()
    control.add("base", [], text)
    control.ground([("base", [])])
    return {str(atom.symbol) for atom in control.symbolic_atoms}


def stable_model(plan: Plan, entry: Sequence[str] = (DEFINITION,)) -> set[str]:
    """Return the atoms of the definition's model with exactly the actions of a plan."""
    actions = sorted(derived(Atoms(plan).text(("compute", "load", "free", "write"))))
    forced = "".join(f":- not {action}. wanted({action})." for action in actions)
    forced += "".join(
        f":- {name}(X, T), not wanted({name}(X, T))."
        for name in ("compute", "load", "free", "write")
    )
    control = ground(shipped_rules(), entry, facts(plan.problem, plan.steps) + forced)
    models: list[set[str]] = []
    control.solve(on_model=lambda model: models.append(set(map(str, model.symbols(atoms=True)))))
    (model,) = models
    return {atom for atom in model if atom.partition("(")[0] in {*NAMES, "waits"}}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("layer", "kernels", "channels", "precision"), LAYERS)
def test_atoms_of_random_plans(
    layer: Layer, kernels: int, channels: int, precision: Precision | None, seed: int
) -> None:
    whole = problem(layer, kernel_groups=kernels, channel_groups=channels, precision=precision)
    plan = random_plan(whole, seed)
    found = derived(Atoms(plan).text(NAMES))
    assert found == stable_model(plan)


@pytest.mark.parametrize(("seed", "overlap"), [(0, "dma"), (1, "duplex")])
@pytest.mark.parametrize(("layer", "kernels", "channels", "precision"), LAYERS)
def test_atoms_of_overlapped_plans(
    layer: Layer,
    kernels: int,
    channels: int,
    precision: Precision | None,
    seed: int,
    overlap: Literal["dma", "duplex"],
) -> None:
    serial = problem(layer, kernel_groups=kernels, channel_groups=channels, precision=precision)
    made = random_plan(serial, seed, HABITS["thrifty"])
    rates = {"mac_cycles": Fraction(1, 3), "memory": fitted(serial, made).memory + 5}
    chip = serial.accelerator.model_copy(update=rates)
    plan = pipelined(made, overlapping(on_accelerator(serial, chip), overlap))
    found = derived(Atoms(plan).text((*NAMES, "waits")))
    assert found == stable_model(plan, (DEFINITION, "model/objective/duration.lp"))
