"""The commands on whole networks: import and network."""

import os
from pathlib import Path
from typing import Annotated

import typer

from offloadasp.base.errors import InputError, InterruptedEarly
from offloadasp.base.extras import require
from offloadasp.cli.options import JsonOption, MemoryOption, require_file, require_folder
from offloadasp.limits.given import Limits, require_between
from offloadasp.model.catalogue import find_accelerator

_MOST_BATCH = 2**16
_MOST_JOBS = 256

_Model = Annotated[Path, typer.Argument(metavar="MODEL")]
_Accelerator = Annotated[
    str, typer.Option(help="A TOML file, or the name of a shipped accelerator.")
]
_Batch = Annotated[
    int | None, typer.Option(help="What a symbolic first dimension of an input is; default 1.")
]


def import_(
    model: _Model,
    accelerator: _Accelerator,
    out: Annotated[Path, typer.Option(help="Folder for the instance files.")],
    batch: _Batch = None,
    json: JsonOption = False,
) -> None:
    """Write an instance for every distinct convolution of an ONNX model.

    MODEL is an ONNX file.
    """
    machine_file = find_accelerator(accelerator)
    require_between("--batch", batch, 1, _MOST_BATCH)
    require_folder(out)
    require("onnx", "onnx", "reading ONNX models")
    require_file(model)

    from offloadasp.network.accelerators import load_machine
    from offloadasp.network.whole_model import write_instances
    from offloadasp.report.text.network import import_object, show_import
    from offloadasp.report.text.screen import print_json

    written = write_instances(model, load_machine(machine_file), out, batch)
    if json:
        print_json(import_object(written))
    else:
        show_import(written, out)


def network(
    model: _Model,
    accelerator: _Accelerator,
    time_limit: Annotated[float, typer.Option(help="Seconds of search for each layer.")] = 60,
    jobs: Annotated[
        int | None,
        typer.Option(help="Layers planned at the same time; default: one for each processor."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the strategy files; default: out/MODEL.")
    ] = None,
    batch: _Batch = None,
    seed: Annotated[int, typer.Option(help="Seed of the solver and of what is drawn.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            help="An ONNX test data set (input_*.pb, output_*.pb): run the whole network under "
            "the plans and compare with the recorded outputs."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Run the whole network under the plans on random inputs and compare with ONNX's "
            "own evaluator.",
        ),
    ] = False,
    memory_limit: MemoryOption = None,
    json: JsonOption = False,
) -> None:
    """Plan every convolution of an ONNX model; a run that was interrupted goes on.

    MODEL is an ONNX file. Layers that an earlier run finished in the folder OUT are not planned
    again. The exit code is that of the first layer without a strategy, 5 if a node computes
    something else than ONNX's evaluator or an output something else than was recorded, else 0.
    """
    machine_file = find_accelerator(accelerator)
    # Layers are planned side by side, each by one thread.
    limits = Limits(time_limit, threads=1, seed=seed, memory_limit=memory_limit)
    require_between("--batch", batch, 1, _MOST_BATCH)
    require_between("--jobs", jobs, 1, _MOST_JOBS)
    out = Path("out") / model.stem if out is None else out
    require_folder(out)
    if data is not None and verify:
        raise InputError("--verify: --data verifies too, on recorded tensors; give one of them")
    require("onnx", "onnx", "reading ONNX models")
    require_file(model)

    from offloadasp.limits.process_memory import require_memory
    from offloadasp.model.instance import SearchOptions
    from offloadasp.network.accelerators import load_machine
    from offloadasp.network.whole_model import plan_network
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
                limits.options(SearchOptions()),
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
        raise typer.Exit(planned.exit_code)
