"""The commands on whole networks: import and network."""

import os
from pathlib import Path

import click

from offloadasp.base.errors import InputError, InterruptedEarly
from offloadasp.base.extras import require
from offloadasp.cli.options import (
    MOST_SEED,
    PATH,
    Effort,
    json_option,
    memory_option,
    require_file,
    require_folder,
    time_limit_type,
    whole,
)
from offloadasp.model.catalogue import find_accelerator

_MOST_BATCH = 2**16
_MOST_JOBS = 256

_model_argument = click.argument("model", type=PATH)
_accelerator_option = click.option(
    "--accelerator", required=True, help="A TOML file, or the name of a shipped accelerator."
)
_batch_option = click.option(
    "--batch",
    type=whole(1, _MOST_BATCH),
    help="The size of a symbolic first dimension of an input; default: 1.",
)


@click.command("import")
@_model_argument
@_accelerator_option
@click.option("--out", type=PATH, required=True, help="Folder for the instance files.")
@_batch_option
@json_option
def import_(model: Path, accelerator: str, out: Path, batch: int | None, json: bool) -> None:
    """Write an instance for every distinct convolution of an ONNX model.

    MODEL is an ONNX file.
    """
    machine_file = find_accelerator(accelerator)
    require_folder(out)
    require("onnx", "onnx", "reading ONNX models")
    require_file(model)

    from offloadasp.network.accelerators import load_machine
    from offloadasp.network.pipeline import write_instances
    from offloadasp.report.text.network import import_object, show_import
    from offloadasp.report.text.screen import print_json

    imported, files = write_instances(model, load_machine(machine_file), out, batch)
    if json:
        print_json(import_object(imported, files))
    else:
        show_import(imported, list(files.values()), out)


@click.command()
@_model_argument
@_accelerator_option
@click.option(
    "--time-limit", type=time_limit_type(), default=60.0, help="Seconds of search a layer."
)
@click.option(
    "--jobs",
    type=whole(1, _MOST_JOBS),
    help="Layers planned at the same time; default: one for each processor.",
)
@click.option("--out", type=PATH, help="Folder for the strategy files; default: out/MODEL.")
@_batch_option
@click.option(
    "--seed",
    type=whole(0, MOST_SEED),
    default=0,
    help="Seed of the solver and of the random tensors.",
)
@click.option(
    "--data",
    type=PATH,
    help="An ONNX test data set (input_*.pb, output_*.pb): run the whole network under the plans "
    "and compare with the recorded outputs.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Run the whole network under the plans on random inputs and compare with ONNX's own "
    "evaluator.",
)
@memory_option
@json_option
def network(
    model: Path,
    accelerator: str,
    time_limit: float,
    jobs: int | None,
    out: Path | None,
    batch: int | None,
    seed: int,
    data: Path | None,
    verify: bool,
    memory_limit: int | None,
    json: bool,
) -> None:
    """Plan every convolution of an ONNX model; a run that was interrupted goes on.

    MODEL is an ONNX file. Layers that an earlier run finished in the folder OUT are not planned
    again. The exit code is that of the first layer without a strategy, 5 if an output of the
    network is wrong, else 0.
    """
    machine_file = find_accelerator(accelerator)
    # Layers are planned side by side, each by one thread.
    effort = Effort(time_limit, threads=1, seed=seed, memory_limit=memory_limit)
    out = Path("out") / model.stem if out is None else out
    require_folder(out)
    if data is not None and verify:
        raise InputError("--verify: --data verifies too, on recorded tensors; give one of them")
    require("onnx", "onnx", "reading ONNX models")
    require_file(model)

    from offloadasp.limits.process_memory import require_memory
    from offloadasp.model.instance import SearchOptions
    from offloadasp.network.accelerators import load_machine
    from offloadasp.network.pipeline import plan_network
    from offloadasp.report.text.network import network_object, progress, show_network
    from offloadasp.report.text.screen import print_json

    machine = load_machine(machine_file)
    require_memory(memory_limit)
    try:
        with progress(shown=not json) as tell:
            planned = plan_network(
                model,
                machine,
                out,
                batch,
                effort.options(SearchOptions()),
                jobs or os.cpu_count() or 1,
                tell,
                memory_limit=memory_limit,
                data=data,
                check=verify,
            )
    except KeyboardInterrupt:
        raise InterruptedEarly(
            f"interrupted; finished layers are kept in {out}, and the same command goes on"
        ) from None
    if json:
        print_json(network_object(planned, out))
    else:
        show_network(planned)
    if planned.exit_code:
        raise click.exceptions.Exit(planned.exit_code)
