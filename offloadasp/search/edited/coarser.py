"""Coarser tiles, where the rules cannot be read at single output positions in time.

A reading takes an atom for every block on chip and every operation done, in every step. With tiles
of four positions there are a quarter of the operations and about a quarter of the steps.
"""

from collections.abc import Iterator

from offloadasp.model.instance import Instance
from offloadasp.model.plan import Plan
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.size_limits import fits

READABLE = 2_000_000
"""Atoms of a reading at most: it takes about 4 s and 300 MB then."""


def coarser(instance: Instance, plan: Plan, atoms: int) -> Iterator[Instance]:
    """Yield the instance with square tiles that may do, small ones first.

    Nothing where steps are so full that there have to be about as many.

    Parameters
    ----------
    plan, atoms
        A plan at single positions, and how many atoms its reading takes.
    """
    full = plan.problem.total_macs / plan.problem.accelerator.macs_per_step
    if atoms * full / plan.steps > READABLE:
        return
    for found in coarser_tiles(instance):
        height, width = scope(found).tile
        if atoms <= READABLE * height * width:
            yield found


def coarser_tiles(instance: Instance) -> Iterator[Instance]:
    """Yield an instance with square tiles, small ones first, as far as operations fit.

    Nothing where the instance fixes its tile.
    """
    if instance.choice.tile != "auto":
        return
    _, height, width = instance.layer.output_shape
    side = 2
    while side < 2 * max(height, width):
        tile = (min(side, height), min(side, width))
        choice = instance.choice.model_copy(update={"tile": tile})
        found = instance.model_copy(update={"decomposition": choice})
        if fits(problem_of(found, scope(found))):
            yield found
        side *= 2


def in_tiles(coarse: Instance | None) -> str:
    """Say that operations are larger than they had to be; nothing where they are not."""
    if coarse is None:
        return ""
    height, width = scope(coarse).tile
    return f", in tiles of {height}x{width}, as there are too many operations with smaller ones"
