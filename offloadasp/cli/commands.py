"""The commands of ``offload-asp``."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from offloadasp import __version__
from offloadasp.asp.facts import facts as facts_of
from offloadasp.asp.facts import fits_clingo
from offloadasp.asp.rules import Rules, rules_in_force
from offloadasp.base.errors import InputError
from offloadasp.base.resources import model_folder
from offloadasp.base.tensor_files import load_tensor, save_tensor
from offloadasp.base.wording import did_you_mean
from offloadasp.cli.network import import_, network
from offloadasp.cli.options import search_options
from offloadasp.cli.usage import (
    Commands,
    MemoryOption,
    require_folder,
    without_strategy,
)
from offloadasp.cli.views import compare, export, plot, report
from offloadasp.judge.simulator import simulate as simulate_strategy
from offloadasp.judge.verdict import audit as audit_strategy
from offloadasp.limits.clock import Clock
from offloadasp.limits.interrupt import EXIT_CODE, Interrupts
from offloadasp.limits.process_memory import MemoryLimit
from offloadasp.model.catalogue import find_instance, load_shipped
from offloadasp.model.cost import DURATION, objectives
from offloadasp.model.instance import load_instance
from offloadasp.model.problem import problem_of
from offloadasp.model.strategy import load as load_strategy
from offloadasp.pipeline import UnwrittenError
from offloadasp.pipeline import run as run_pipeline
from offloadasp.report.instances import instances_object, show_instances
from offloadasp.report.live import LiveLine
from offloadasp.report.replay import (
    audit_object,
    show_audit,
    show_simulation,
    simulation_object,
)
from offloadasp.report.screen import print_json
from offloadasp.report.summary import run_object, show_run
from offloadasp.search.construct.decompose import scope
from offloadasp.search.refute.refute import cut_files
from offloadasp.search.result import Limits
from offloadasp.search.size_limits import operations

_REFUSED = 5

app = typer.Typer(
    name="offload-asp",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Optimal offloading of convolution layers to small accelerators.",
)

_Instance = Annotated[str, typer.Argument(help="A TOML file, or the name of a shipped instance.")]
_Strategy = Annotated[Path, typer.Argument(help="A strategy file, as 'run' writes it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
_Encodings = Annotated[
    Path | None, typer.Option(help="A folder of rules to use instead of the shipped ones.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offload-asp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    instance: _Instance,
    time_limit: Annotated[float | None, typer.Option(help="Seconds of search.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the solver.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the solver and the tensors.")] = None,
    objective: Annotated[
        str,
        typer.Option(
            help="What to minimise: duration, traffic (bytes moved) or peak_memory (most bytes on "
            "chip); several with commas, the one that matters most first."
        ),
    ] = DURATION,
    encoding: Annotated[
        list[Path] | None, typer.Option(help="A file of rules to add; may be repeated.")
    ] = None,
    encodings: _Encodings = None,
    out: Annotated[Path, typer.Option(help="Folder for the strategy file.")] = Path("out"),
    json: _Json = False,
    budget: Annotated[
        int | None,
        typer.Option(help="Deterministic effort instead of a time limit; implies one thread."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CUT", help="A cut to search without; may be repeated."),
    ] = None,
    memory_limit: MemoryOption = None,
) -> None:
    """Find a strategy of least duration, or of another objective, verify it, and write it."""
    names = objectives(objective)
    described = load_instance(find_instance(instance))
    options = search_options(described, time_limit, threads, seed, budget)
    described = described.model_copy(update={"search": options})
    rules = rules_in_force(encodings, encoding or ())
    _require_cuts(rules, without or ())
    require_folder(out)
    clock = Clock() if budget is not None else Clock(options.time_limit)
    limits = Limits(options.threads, options.seed, budget, frozenset(without or ()))
    line = LiveLine(clock, shown=not json)
    unwritten: UnwrittenError | None = None
    told = without_strategy(instance, described.name, clock, memory_limit)
    with MemoryLimit(memory_limit, clock), Interrupts(clock), line.shown(), told:
        try:
            result = run_pipeline(described, rules, limits, clock, out, line.tell, names)
        except UnwrittenError as error:
            result, unwritten = error.result, error
    if json:
        print_json(run_object(result, edited=rules.edited, written=unwritten is None))
    else:
        show_run(result, described, edited=rules.edited, written=unwritten is None)
    if unwritten is not None:
        raise unwritten
    if result.interrupted:
        raise typer.Exit(EXIT_CODE)


@app.command()
def simulate(
    strategy: _Strategy,
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
    json: _Json = False,
) -> None:
    """Execute a strategy on tensors; those not given are drawn at random."""
    loaded = load_strategy(strategy)
    if seed is not None and not 0 <= seed < 2**63:
        raise InputError(f"--seed: must be from 0 to 2^63 - 1, not {seed}")
    x, w, b = (None if path is None else load_tensor(path) for path in (input, weights, bias))
    if seed is None:
        seed = loaded.instance.search.seed
    replay = simulate_strategy(loaded, x, w, b, seed=seed)
    if out is not None and replay.verified:
        save_tensor(out, replay.output)
    if json:
        print_json(simulation_object(loaded, replay, trace=trace))
    else:
        show_simulation(loaded, replay, trace=trace)
    if not replay.verified:
        raise typer.Exit(_REFUSED)


@app.command()
def check(strategy: _Strategy, encodings: _Encodings = None, json: _Json = False) -> None:
    """Replay a strategy by both readings, check.lp and the simulator, and verify its bound."""
    loaded = load_strategy(strategy)
    found = audit_strategy(loaded, rules_in_force(encodings, ()))
    if json:
        print_json(audit_object(loaded, found))
    else:
        show_audit(loaded, found)
    if not found.accepted:
        raise typer.Exit(_REFUSED)


@app.command()
def facts(instance: _Instance) -> None:
    """Print the facts of an instance, for: ... | clingo - encodings/solve.lp."""
    described = load_instance(find_instance(instance))
    problem = problem_of(described, scope(described))
    # The last write-back takes a step of its own.
    steps = operations(problem) + 1
    if not fits_clingo(problem, steps):
        typer.echo(
            f"% Costs of {steps} steps can leave clingo's 32-bit integers: they wrap silently."
        )
    typer.echo(facts_of(problem, steps), nl=False)


@app.command()
def encodings(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Copy the shipped model out, to be edited and used with 'run --encodings DIR'."""
    try:
        _copy_encodings(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    typer.echo(f"copied the model to {folder}", err=True)


@app.command()
def instances(json: _Json = False) -> None:
    """List the shipped instances with layer, memory, bytes of all data, and decomposition."""
    shipped = load_shipped()
    if json:
        print_json(instances_object(shipped))
    else:
        show_instances(shipped)


app.command("import")(import_)
app.command()(network)
for _command in (report, plot, export, compare):
    app.command()(_command)


def _require_cuts(rules: Rules, names: Sequence[str]) -> None:
    known = cut_files(rules)
    for name in names:
        if name not in known:
            allowed = f"must be {' or '.join(known)}, not '{name}'"
            raise InputError(f"--without: {allowed}{did_you_mean(name, known)}")
    if names and rules.edited:
        raise InputError("--without: edited or added rules are solved without any cut")


def _copy_encodings(folder: Path) -> None:
    """Copy the encodings into a folder, whole or not at all."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not an empty folder; nothing was copied")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    moved: list[Path] = []
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            ours = Path(name) / "encodings"
            shutil.copytree(model_folder(), ours, ignore=_not_encodings)
            for path in sorted(ours.iterdir()):
                moved.append(folder / path.name)
                path.rename(moved[-1])
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if made:
            folder.rmdir()
        raise


def _not_encodings(folder: str, names: list[str]) -> list[str]:
    kept = {".lp", ".md"}
    return [
        name
        for name in names
        if not (Path(folder) / name).is_dir() and Path(name).suffix not in kept
    ]


if __name__ == "__main__":
    sys.exit(app())
