"""The documents say what is so: links, commands, examples and figures."""

import contextlib
import io
import json
import re
import textwrap
import tomllib
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import clingo
import pytest

from bench.cli import SUITES
from offloadasp.asp.facts import facts
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.resources import encodings_folder
from offloadasp.bounds import arguments
from offloadasp.bounds.view import View
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import RULES, simulate
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import Instance, Precision, SearchOptions, load_instance
from offloadasp.model.objectives import Objective, Prices
from offloadasp.model.problem import finest, problem_of, undivided
from offloadasp.model.reference import read
from offloadasp.model.strategy import Step, Strategy
from offloadasp.network.accelerators import load_machine
from tests.engines.exhaustive import optimal_duration
from tests.engines.mutation import STATED
from tests.support.invoking import UNTIL_PROVED, offload_asp

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(
        ROOT / name
        for name in ("encodings/README.md", "encodings/dictionary.md", "bench/RESULTS.md")
    ),
]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The blocks of code of a language in a document; indentation of a list is taken off."""
    return [body for words, body in every_block(text_of(name)) if words == language]


def every_block(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the body of each block of code."""
    found = re.findall(r"(?ms)^( *)```(\w*)\n(.*?)^\1```$", text)
    yield from ((language, textwrap.dedent(body)) for _, language, body in found)


def block(name: str, language: str, words: str) -> str:
    """The one block of code that holds these words."""
    (found,) = (body for body in blocks(name, language) if words in body)
    return found


def table(name: str, after: str) -> list[list[str]]:
    """The rows of the first table after some words."""
    lines = text_of(name).split(after, 1)[1].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("|---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


# --- Every document ---


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^ *```.*?^ *```$", "", text))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[str]:
    text = without_code(page.read_text(encoding="utf-8"))
    yield from re.findall(r"\]\(([^)\s]+)\)", text)
    yield from re.findall(r"(?m)^\[[^\]]+\]: (\S+)$", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


# The files that the recipes of CONTRIBUTING.md make.
MADE = {"encodings/model/objective/written.lp"}
GONE = {"encodings/traversal/"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:offloadasp|encodings|tests|scripts|instances)/[\w/.-]*)`", text))
    missing = {path for path in named if not (ROOT / path).exists() and "NAME" not in path}
    assert missing - MADE - GONE == set()


def commands() -> set[str]:
    return set(re.findall(r"(?m)^  ([a-z]+)  ", offload_asp("--help").out))


def options_of(command: str) -> set[str]:
    return set(re.findall(r"(?m)^  (--[a-z-]+)", offload_asp(command, "--help").out))


def test_every_command_and_option_that_is_shown_exists() -> None:
    known = {command: options_of(command) for command in commands()}
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for words in re.findall(r"offload-asp ([a-z]+)((?: [^\n`|#]*)?)", text):
            command, rest = words
            used = set(re.findall(r"(--[a-z][a-z-]+)", rest))
            if command not in known:
                wrong += [(page.name, command)] if used else []
            elif not used <= known[command]:
                wrong.append((page.name, f"{command}{rest}"))
    assert wrong == []


def test_every_option_has_its_place_in_a_document() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    options = set().union(*(options_of(command) for command in commands())) - {"--help"}
    assert {"--json", "--budget", "--kind"} <= options
    assert [name for name in sorted(options) if not re.search(rf"{name}[ `]", text)] == []


def test_the_license_is_the_one_that_the_package_states() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    license_, first = text_of("LICENSE"), project["license"]
    assert license_.startswith(f"{first} License")
    assert "offload-asp authors" in license_
    assert f"## {project['version']}\n" in text_of("CHANGELOG.md")


# --- README ---


def test_the_readme_is_short() -> None:
    lines = text_of("README.md").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 100] == []


def labels(summary: str) -> list[str]:
    """The labels of a summary, and its baselines."""
    return re.findall(r"(?m)^(\w[\w ]*?)(?:  +\S.*)?$", summary)


def test_the_run_in_the_readme_is_what_is_printed(tmp_path: Path) -> None:
    shown = block("README.md", "", "$ scripts/run").split("\n", 1)[1]
    name = shown.splitlines()[0]
    printed = offload_asp("run", name, "--budget", "2", "--out", tmp_path).out
    assert labels(shown) == labels(printed)
    for label in ("layer", "lower bound", "bound holds for", "decomposition"):
        line = re.compile(rf"(?m)^{label}  .*$")
        assert line.findall(shown) == line.findall(printed)
    explained = {row[0] for row in table("docs/run.md", "## The summary")}
    words = set(re.findall(r"`([a-z ]+)`", " ".join(explained)))
    head = shown.split("\n\nbaseline")[0]
    assert set(labels(head)) - {name, "step", "accepted by check"} <= words


def test_the_rule_in_the_readme_costs_what_is_said(tmp_path: Path) -> None:
    shown = block("README.md", "sh", "no-reuse.lp")
    (rule,) = re.findall(r"echo '(.*)' > no-reuse.lp", shown)
    (more, less) = re.findall(r"# (\d+) cycles instead of (\d+)", shown)[0]
    assert solved("tiny-2x3", tmp_path)["duration"] == int(less)
    assert solved("tiny-2x3", tmp_path, rule)["duration"] == int(more)
    assert rule in blocks("docs/model.md", "prolog")[0]


def solved(name: str, folder: Path, *rules: str) -> Any:
    """What `run --json` says of an instance under added rules."""
    options: list[str | Path] = []
    for k, rule in enumerate(rules):
        path = folder / f"{k}.lp"
        path.write_text(rule)
        options += ["--encoding", path]
    ran = offload_asp("run", name, *options, "--out", folder / "out", *UNTIL_PROVED, "--json")
    assert ran.code == 0, ran.error
    return ran.json


# --- docs/model.md ---


def instance_of(text: str) -> Instance:
    return Instance.model_validate(tomllib.loads(text, parse_float=Fraction))


def by_hand() -> Strategy:
    """The strategy of the page, as its file would hold it."""
    instance = instance_of(block("docs/model.md", "toml", "tiny-2x3"))
    steps = json.loads(block("docs/model.md", "json", "compute"))
    return Strategy.model_validate(
        {
            "instance": problem_of(instance, undivided(instance.layer)).resolved_instance(),
            "duration": 22,
            "lower_bound": 22,
            "status": "optimal",
            "steps": steps,
        }
    )


def test_the_example_by_hand_is_the_shipped_instance() -> None:
    ours = instance_of(block("docs/model.md", "toml", "tiny-2x3"))
    shipped = load_instance(find_instance("tiny-2x3"))
    assert ours.model_copy(update={"search": shipped.search}) == shipped


def test_the_example_by_hand_is_valid_and_costs_what_the_table_says() -> None:
    strategy = by_hand()
    reading, replay = read(strategy), simulate(strategy)
    assert reading.step is None
    assert replay.verified
    assert read_by_rules(strategy, shipped_rules()).accepted
    rows = table("docs/model.md", "An example to follow by hand")
    on_chip = [int(row[5].split()[0]) for row in rows]
    cycles = [int(row[6].split("=")[-1]) for row in rows]
    assert on_chip == [step.on_chip for step in reading.costs]
    assert on_chip == [row.on_chip for row in replay.trace]
    assert cycles == [step.cycles for step in reading.costs] == [row.cycles for row in replay.trace]
    for row, step in zip(rows, reading.costs, strict=True):
        loads, writes, action = map(int, row[6].split("=")[0].split("+"))
        assert (loads, writes) == (step.loaded, step.written)
        assert action == (5 if step.macs else 0)


def test_the_example_by_hand_has_the_trace_that_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "by-hand.strategy.json"
    path.write_text(by_hand().model_dump_json())
    printed = offload_asp("simulate", path, "--trace").out
    assert printed.startswith(block("docs/model.md", "", "step  freed"))


def test_nothing_is_shorter_than_the_example_by_hand() -> None:
    instance = load_instance(find_instance("tiny-2x3"))
    problem = problem_of(instance, finest(instance.layer))
    assert optimal_duration(problem) == 22
    chip = instance.accelerator.model_copy(update={"memory": 8})
    smaller = instance.model_copy(update={"accelerator": chip})
    assert optimal_duration(problem_of(smaller, finest(instance.layer))) is None


def test_the_example_with_partial_sums_costs_what_the_table_says(tmp_path: Path) -> None:
    path = tmp_path / "two-channels.toml"
    path.write_text(block("docs/model.md", "toml", "two-channels"))
    ran = offload_asp("run", path, "--out", tmp_path, *UNTIL_PROVED, "--json").json
    assert ran["status"] == "optimal"
    reading = read(Strategy.model_validate_json(Path(ran["strategy"]).read_text()))
    rows = table("docs/model.md", "A second one, with partial sums")
    assert [int(row[2].split()[0]) for row in rows] == [step.on_chip for step in reading.costs]
    assert [int(row[3].split("=")[-1]) for row in rows] == [s.cycles for s in reading.costs]
    # Both channels in one step: 5 bytes do.
    text = path.read_text().replace("macs_per_step = 1 ", "macs_per_step = 2 ")
    path.write_text(text.replace("memory = 6", "memory = 5"))
    assert offload_asp("run", path, "--out", tmp_path, "--json").code == 0


def test_the_model_names_every_rule_of_the_readings() -> None:
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", text_of("docs/model.md")))
    section = text_of("docs/model.md").split("## The rules of a step")[1].split("\n## ")[0]
    assert set(RULES) - STATED <= set(re.findall(r"`(\w+)`", section))
    assert not {word for word in words if word.endswith("_absent")} - set(RULES)


def test_the_model_quotes_the_reference() -> None:
    source = text_of("offloadasp/model/reference.py")
    lines = {line.strip() for line in source.splitlines()}
    quoted = block("docs/model.md", "python", "before.get").splitlines()
    assert [line for line in quoted if line.strip() not in lines] == []


# --- docs/rules.md ---


def rule(words: str) -> str:
    return block("docs/rules.md", "prolog", words)


def test_the_what_ifs_cost_what_is_said(tmp_path: Path) -> None:
    forbid, price = rule(":- step(T), #count"), rule("cost(start")
    first = solved("tiny-2x3", tmp_path, forbid)
    second = solved("tiny-2x3", tmp_path, price)
    both = solved("tiny-2x3", tmp_path, forbid, price)
    shown = "".join(blocks("docs/rules.md", ""))
    assert [first["duration"], second["duration"]] == [22, 22]
    stated = re.findall(r"edited objective: (\d+), optimal", shown)
    assert stated == [str(second["objective"]["value"]), str(both["objective"]["value"])]
    assert both["objective"]["status"] == "optimal"


def test_the_larger_what_if_keeps_its_rule() -> None:
    rows = [row.split() for row in block("docs/rules.md", "", "--out limited").splitlines()[3:]]
    loaded, cycles = ([int(row[k]) for row in rows] for k in (3, 6))
    assert sum(cycles) == 65
    pixels_at_once = [bytes_ for bytes_ in loaded[1:] if bytes_ > 3]
    assert pixels_at_once == [11]  # nine weights, and no more than two pixels


@pytest.mark.parametrize("page", ["docs/model.md", "docs/rules.md", "CONTRIBUTING.md"])
def test_every_rule_that_is_shown_is_one_that_clingo_takes_without_a_word(page: str) -> None:
    instance = load_instance(find_instance("tiny-2x3"))
    problem = problem_of(instance, undivided(instance.layer))
    for text in blocks(page, "prolog"):
        messages: list[str] = []
        control = clingo.Control(logger=lambda _, text, m=messages: m.append(text))  # type: ignore[misc]
        control.load(str(shipped("definition.lp")))
        if "cost(" in text:
            control.load(str(shipped("objective/duration.lp")))
        control.add("base", [], facts(problem, 4) + text)
        control.ground([("base", [])])
        assert messages == []
        assert control.solve().satisfiable


def shipped(name: str) -> Path:
    return next(iter(sorted(encodings_folder().rglob(name))))


# --- docs/files.md, docs/run.md ---


def test_the_instance_that_is_shown_has_the_defaults_that_are_said() -> None:
    shown = block("docs/files.md", "toml", "my-layer")
    full = instance_of(shown)
    plain = tomllib.loads(shown.split("strides = ")[0])
    plain["accelerator"] = tomllib.loads(shown)["accelerator"]
    least = Instance.model_validate(plain)
    assert full.layer == least.layer
    assert full.precision == least.precision == Precision()
    assert full.search == least.search == SearchOptions()


def test_the_step_that_is_shown_is_one_of_a_file() -> None:
    step = Step.model_validate(json.loads(block("docs/files.md", "json", "compute")))
    assert step == by_hand().steps[1]


def test_every_key_of_a_strategy_file_is_explained() -> None:
    rows = table("docs/files.md", "## Strategy files")
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows)))
    assert named == set(Strategy.model_fields)


def test_every_key_of_the_json_object_is_explained(tmp_path: Path) -> None:
    found = solved("tiny-2x3", tmp_path)
    rows = table("docs/run.md", "## The JSON object")
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows)))
    assert set(found) <= named
    parts = " ".join(row[1] for row in rows)
    for key in ("loads", "writes", "seconds", "decomposition"):
        assert set(found[key]) <= set(re.findall(r"`(\w+)`", parts))


# --- docs/python.md ---


def run_code(code: str, module: types.ModuleType) -> str:
    """Run code in a module, and return what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, module.__name__, "exec"), module.__dict__)
    return printed.getvalue()


def test_the_examples_of_the_page_on_python_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    printed = ""
    for language, body in every_block(text_of("docs/python.md")):
        if language == "python":
            printed = run_code(body, module)
        else:
            assert printed == body
    assert not list(tmp_path.iterdir())


# --- CONTRIBUTING.md ---


def test_the_recipe_for_an_accelerator_is_one_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my-chip.toml"
    path.write_text(block("CONTRIBUTING.md", "toml", "my-chip"))
    assert load_machine(path).name == "my-chip"


def test_the_recipe_for_an_objective_counts_alike_in_rules_and_in_python() -> None:
    entry = block("CONTRIBUTING.md", "python", "Objective(")
    names = {"Objective": Objective, "Prices": Prices, "Fraction": Fraction}
    objective: Objective = eval(entry, names)
    instance = load_instance(find_instance("tiny-2x3"))
    counts = simulate(by_hand()).counts
    problem = problem_of(instance, undivided(instance.layer))
    control = clingo.Control(["--warn=none"])
    control.load(str(shipped("definition.lp")))
    control.add("base", [], facts(problem, 4) + block("CONTRIBUTING.md", "prolog", "#minimize"))
    control.ground([("base", [])])
    costs: list[int] = []
    control.solve(on_model=lambda model: costs.append(model.cost[0]))
    assert costs[-1] == objective.value(instance, counts) == 2


def test_the_recipe_for_a_bound_is_an_argument_that_holds() -> None:
    code = block("CONTRIBUTING.md", "python", "ARGUMENT")
    module = types.ModuleType("alone")
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    argument = module.__dict__["ARGUMENT"]
    assert argument.name not in {other.name for other in arguments.ARGUMENTS}
    # One patch a step; and two a step, so that nothing is proved.
    for name, actions in (("tiny-2x3", 2), ("tiny-3x3", 0)):
        instance = load_instance(find_instance(name))
        view = View(problem_of(instance, undivided(instance.layer)), finest=False)
        (params,) = argument.propose(view)
        assert argument.value(view, params) == actions
        assert argument.sentence(params)


def test_the_suites_that_are_listed_are_the_suites() -> None:
    rows = table("CONTRIBUTING.md", "## Measure")
    # Three are measured by one command, and one by an option of another.
    others = {"cpsat", "zigzag", "accelforge", "layers-traffic"}
    assert {row[0].strip("`") for row in rows} == {s.name for s in SUITES} - others | {"peers"}


def test_the_scripts_that_are_shown_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"\bscripts/(\w+)", page.read_text(encoding="utf-8")):
            assert (ROOT / "scripts" / name).is_file(), (page.name, name)
