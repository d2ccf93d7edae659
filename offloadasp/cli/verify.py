"""The commands that verify a strategy file: simulate and check."""

from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import VerificationError
from offloadasp.cli.options import (
    EncodingsOption,
    JsonOption,
    StrategyArgument,
    require_file,
    require_rules_folder,
)
from offloadasp.limits.given import require_between

_MOST_SEED = 2**63 - 1


def simulate(
    strategy: StrategyArgument,
    input: Annotated[  # noqa: A002 (the option's name)
        Path | None, typer.Option(help="Input, (C, H, W) or (B, C, H, W), a .npy file.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights, (M, C/G, Kh, Kw), a .npy file.")
    ] = None,
    bias: Annotated[Path | None, typer.Option(help="Bias, (M,), a .npy file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the output (.npy).")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print a row per step.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the tensors not given; default: the strategy's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Execute a strategy on tensors; those not given are drawn at random."""
    require_between("--seed", seed, 0, _MOST_SEED)
    for path in (strategy, input, weights, bias):
        require_file(path)

    from offloadasp.base.files import load_tensor, save_tensor
    from offloadasp.judge import simulator
    from offloadasp.model.strategy import load
    from offloadasp.report.text.replay import show_simulation, simulation_object
    from offloadasp.report.text.screen import print_json

    loaded = load(strategy)
    x, w, b = (None if path is None else load_tensor(path) for path in (input, weights, bias))
    seed = loaded.instance.search.seed if seed is None else seed
    replay = simulator.simulate(loaded, x, w, b, seed=seed)
    if out is not None and replay.verified:
        save_tensor(out, replay.output)
    if json:
        print_json(simulation_object(loaded, replay, trace=trace))
    else:
        show_simulation(loaded, replay, trace=trace)
    if not replay.verified:
        raise typer.Exit(VerificationError.exit_code)


def check(
    strategy: StrategyArgument, encodings: EncodingsOption = None, json: JsonOption = False
) -> None:
    """Replay a strategy by both readings, check.lp and the simulator, and verify its bound."""
    require_file(strategy)
    require_rules_folder(encodings)

    from offloadasp.asp.rules import rules_in_force
    from offloadasp.judge.verdict import judge
    from offloadasp.model.strategy import load
    from offloadasp.report.text.replay import audit_object, show_audit
    from offloadasp.report.text.screen import print_json

    loaded = load(strategy)
    found = judge(loaded, rules_in_force(encodings, ()))
    if json:
        print_json(audit_object(loaded, found))
    else:
        show_audit(loaded, found)
    if not found.accepted:
        raise typer.Exit(VerificationError.exit_code)
