"""The commands that verify a strategy file: simulate and check."""

from pathlib import Path

import click

from offloadasp.base.errors import VerificationError
from offloadasp.cli.options import (
    PATH,
    encodings_option,
    json_option,
    require_file,
    require_rules_folder,
    strategy_argument,
    whole,
)

_MOST_SEED = 2**63 - 1


@click.command()
@strategy_argument
@click.option("--input", type=PATH, help="Input, (C, H, W) or (B, C, H, W), a .npy file.")
@click.option("--weights", type=PATH, help="Weights, (M, C/G, Kh, Kw), a .npy file.")
@click.option("--bias", type=PATH, help="Bias, (M,), a .npy file.")
@click.option("--out", type=PATH, help="Where to write the output (.npy).")
@click.option("--trace", is_flag=True, help="Print a row per step.")
@click.option(
    "--seed",
    type=whole(0, _MOST_SEED),
    help="Seed of the tensors not given; default: the strategy's.",
)
@json_option
def simulate(
    strategy: Path,
    input: Path | None,  # noqa: A002 (the option's name)
    weights: Path | None,
    bias: Path | None,
    out: Path | None,
    trace: bool,
    seed: int | None,
    json: bool,
) -> None:
    """Execute a strategy on tensors, and compare the output with direct convolution.

    STRATEGY is a file that 'run' wrote. Tensors are integers, float16, float32 or float64; those
    not given are drawn at random. Integers are computed exactly, floats are compared within a
    tolerance that is printed.
    """
    for path in (strategy, input, weights, bias):
        require_file(path)

    from offloadasp.base.tensor_files import load_tensor, save_tensor
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
        raise click.exceptions.Exit(VerificationError.exit_code)


@click.command()
@strategy_argument
@encodings_option
@json_option
def check(strategy: Path, encodings: Path | None, json: bool) -> None:
    """Replay a strategy by the rules of check.lp and by the simulator, and verify its bounds.

    STRATEGY is a file that 'run' wrote. Every violation is named by step, rule and block, with the
    replay that found it. The value that the file states of each objective is compared with both
    replays, and each lower bound is computed again from the file's certificate.
    """
    require_file(strategy)
    require_rules_folder(encodings)

    from offloadasp.asp.rules import rules_in_force
    from offloadasp.judge.verdict import audit
    from offloadasp.model.strategy import load
    from offloadasp.report.text.replay import audit_object, show_audit
    from offloadasp.report.text.screen import print_json

    loaded = load(strategy)
    found = audit(loaded, rules_in_force(encodings, ()))
    if json:
        print_json(audit_object(loaded, found))
    else:
        show_audit(loaded, found)
    if not found.accepted:
        raise click.exceptions.Exit(VerificationError.exit_code)
