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
    """Execute a strategy on tensors, and compare the output with direct convolution.

    STRATEGY is a file that 'run' wrote. Tensors are integers, float16, float32 or float64; those
    not given are drawn at random. Integers are computed exactly, floats are compared within a
    tolerance that is printed.
    """
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
    strategy: StrategyArgument,
    encoding: Annotated[
        list[Path] | None,
        typer.Option(help="A file of rules that it was found under; may be repeated."),
    ] = None,
    encodings: EncodingsOption = None,
    json: JsonOption = False,
) -> None:
    """Replay a strategy by the rules of check.lp and by the simulator, and verify its bounds.

    STRATEGY is a file that 'run' wrote. Every violation is named by step, rule and block, with the
    replay that found it. The value that the file states of each objective is compared with both
    replays, and each lower bound is computed again from the file's certificate. A strategy that
    was found under rules of your own is read by them where they are given.
    """
    require_file(strategy)
    for file in encoding or ():
        require_file(file)
    require_rules_folder(encodings)

    from offloadasp.asp.rules import rules_in_force
    from offloadasp.judge.verdict import judge
    from offloadasp.model.strategy import load
    from offloadasp.report.text.replay import audit_object, show_audit
    from offloadasp.report.text.screen import print_json

    loaded = load(strategy)
    found = judge(loaded, rules_in_force(encodings, encoding or ()))
    if json:
        print_json(audit_object(loaded, found))
    else:
        show_audit(loaded, found)
    if not found.accepted:
        raise typer.Exit(VerificationError.exit_code)
