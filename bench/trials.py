"""Suites of trials: the engines of the tests, run at length, each row by a process of its own."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.child import Children
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured
from offloadasp.asp.shipped import shipped_names

# Complaints of one row that are kept: the first ones are enough to go on with.
_MOST = 20
# Layers, and mutants of each kind and layer; there are about 60 to 80 kinds.
_LAYERS, _MUTANTS = 72, 6
# Files of rules that only include others.
_ENTRIES = {"definition.lp", "solve.lp", "model/definition.lp", "proof/refute.lp"}
# How many cases or trials a seed has in all, and how many of them make a row.
_FUZZED, _FUZZED_A_ROW = 10_000, 500
_MODELS, _MODELS_A_ROW = 20_000, 2_000
_SIGNALS, _SIGNALS_A_ROW = 200, 10
_RULES, _RULES_A_ROW = 500, 25
_QUICK = (
    "a report of 3,000 steps opens",
    "its player goes to a step",
    "its player goes to the slowest step but one",
    "a bound of a VGG-16 layer in full detail",
)


@dataclass(frozen=True)
class Trial:
    """A row: a module of the tests as a program, and its arguments by the seed."""

    name: str
    engine: str
    arguments: Callable[[int], Sequence[object]]


def _work(children: Children, trial: Trial, limits: Limits) -> Row:
    """Run the program, and return the JSON object that it prints."""
    arguments = map(str, trial.arguments(limits.seed))
    ended = children.run(f"tests.engines.{trial.engine}", *arguments)
    if ended.code:
        return {"code": ended.code, "error": ended.last_error}
    found: dict[str, Any] = json.loads(ended.out)
    return {
        **found,
        "complaints": found["complaints"][:_MOST],
        "seconds": round(ended.seconds, 1),
        "peak_bytes": ended.peak_bytes,
    }


def _always(*arguments: object) -> Callable[[int], Sequence[object]]:
    return lambda _: arguments


def _from_the_seed(
    first: int, count: int, size: int, *more: str
) -> Callable[[int], Sequence[object]]:
    return lambda seed: (seed * count + first, size, *more)


def _named(engine: str, names: Iterable[str]) -> list[Trial]:
    return [Trial(name, engine, _always(name)) for name in names]


def _portions(engine: str, word: str, count: int, size: int, *more: str) -> list[Trial]:
    """Return ``count`` numbered trials, ``size`` in each row; the seed says where they begin."""
    return [
        Trial(f"{word} {k} to {k + size - 1}", engine, _from_the_seed(k, count, size, *more))
        for k in range(0, count, size)
    ]


def _mutants() -> list[Trial]:
    return [Trial(f"layer {k}", "mutation", _always(k, _MUTANTS)) for k in range(_LAYERS)]


def complaints(rows: Sequence[Row]) -> list[str]:
    """Return a line for everything that went wrong."""
    return [f"WRONG: {row['name']}: {what}" for row in measured(rows) for what in row["complaints"]]


def total(rows: Sequence[Row], key: str) -> int:
    """Return a sum over all rows that did not fail."""
    return sum(int(row.get(key, 0)) for row in measured(rows))


def count(key: str, head: str | None = None) -> Column:
    """Return a column of counts."""
    return Column(head or key, cell(key))


def tally(key: str) -> Column:
    """Return a column of how often each of some ends was reached."""
    return Column(key, lambda row: " ".join(f"{k}:{v}" for k, v in row[key].items()))


COMPLAINTS = Column("wrong", lambda row: str(len(row["complaints"])))


def _mutants_summary(rows: Sequence[Row]) -> list[str]:
    return [
        f"{total(rows, 'mutants')} mutants of {len(measured(rows))} layers: "
        f"{total(rows, 'refused')} refused at the right step for the right reason by both "
        f"readings, {total(rows, 'equivalent')} still valid and accepted by both, "
        f"{total(rows, 'wrong')} misread.",
        *complaints(rows),
    ]


MUTANTS = Suite(
    name="mutants",
    title="Mutants: broken strategies are refused for the right reason",
    about=(
        "Five valid strategies a layer (lean, thrifty, spilling, preloading, mixed), in just the "
        "memory they take, each changed in one way; kinds: ways of changing one. check.lp and the "
        "simulator must agree with a reference in plain loops (offloadasp/model/reference.py) on "
        "the first wrong step and on the rules broken there, and on the duration where nothing is "
        "wrong; statements of duration, objective, bound and certificate are judged likewise."
    ),
    columns=(
        count("name", "layer"),
        count("layer", "input"),
        count("kinds"),
        count("mutants"),
        count("refused"),
        count("equivalent"),
        COMPLAINTS,
        SECONDS,
    ),
    summary=_mutants_summary,
    cases=_mutants,
    work=_work,
)


def _deletions_summary(rows: Sequence[Row]) -> list[str]:
    refused, noticed = total(rows, "refused"), total(rows, "noticed")
    marked, unseen = total(rows, "marked"), total(rows, "unseen")
    not_judged = total(rows, "not_judged")
    return [
        f"{refused + noticed + marked + unseen + not_judged} deletions: {noticed} change an "
        f"answer, {refused} are refused by clingo, {marked} change nothing and are marked as "
        f"redundant, {not_judged} are not judged, {unseen} go unseen.",
        *complaints(rows),
        *(f"Not judged: {what}" for row in measured(rows) for what in row.get("left_out", ())),
    ]


DELETIONS = Suite(
    name="deletions",
    title="Deletions: no rule and no literal can go unnoticed",
    about=(
        "Each rule, literal and element of an aggregate of encodings/, deleted one at a time. "
        "Noticed: an answer of the rules changes (blocks, verdicts, strategies, costs, walks; see "
        "tests/engines/probes.py). Refused: clingo cannot ground what is left. Marked: no answer "
        "changes, and a comment above the rule says that the part is redundant. Not judged: no "
        "answer changes, but some would take more than 1 GB or 10 s of processor time, or more "
        "conflicts or ground rules than a probe may."
    ),
    columns=(
        count("name", "file"),
        count("noticed"),
        count("refused"),
        count("marked"),
        count("not_judged", "not judged"),
        count("unseen"),
        SECONDS,
    ),
    summary=_deletions_summary,
    cases=lambda: _named("deletion", [name for name in shipped_names() if name not in _ENTRIES]),
    work=_work,
)


def _fuzz_summary(rows: Sequence[Row]) -> list[str]:
    codes: Counter[str] = Counter()
    for row in measured(rows):
        codes.update(row["codes"])
    ends = ", ".join(f"{number} with exit code {code}" for code, number in sorted(codes.items()))
    return [
        f"{total(rows, 'cases')} cases ended, {ends}; "
        f"{sum(len(row['complaints']) for row in measured(rows))} badly.",
        *complaints(rows),
    ]


FUZZ = Suite(
    name="fuzz",
    title="Fuzz: broken files and odd options end with one line",
    about=(
        "Instance, strategy, accelerator, rule, tensor and model files with a few bytes or values "
        "changed, odd values of options, and ONNX models whose attributes, shapes, types, data and "
        "wiring were changed at random. Each command must end within a minute with an exit "
        "code of the manual; with 2, 3 or 4 one line on standard error, nothing on standard "
        "output, and no file left behind."
    ),
    columns=(
        count("name", "cases"),
        tally("codes"),
        COMPLAINTS,
        SECONDS,
        PEAK,
    ),
    summary=_fuzz_summary,
    cases=lambda: [
        *_portions("fuzzing", "cases", _FUZZED, _FUZZED_A_ROW),
        *_portions("fuzzing", "models", _MODELS, _MODELS_A_ROW, "models"),
    ],
    work=_work,
)


def _interruptions_summary(rows: Sequence[Row]) -> list[str]:
    slowest = max((row["slowest"] for row in measured(rows)), default=0)
    return [
        f"{total(rows, 'trials')} trials: {total(rows, 'whole')} left a whole valid file, "
        f"{total(rows, 'none')} none, {total(rows, 'kept')} a better one from before; back "
        f"within {slowest:.2f} s at the latest.",
        *complaints(rows),
    ]


INTERRUPTIONS = Suite(
    name="interruptions",
    title="Interruptions: no file or a whole one, and never a worse one",
    about=(
        "A run gets Ctrl-C, SIGTERM, SIGKILL or a short time limit at a random moment, with no "
        "file, another file or a better file in its place. Whole: the file that it left is "
        "accepted by both readings. Slowest: seconds from the signal to the end, which may be two, "
        "or one more than both readings take; a time limit does not count the start of a process, "
        "for which two more are allowed."
    ),
    columns=(
        count("name", "trials"),
        count("whole"),
        count("none"),
        count("kept"),
        Column("slowest s", cell("slowest", "{:.2f}")),
        COMPLAINTS,
        SECONDS,
    ),
    summary=_interruptions_summary,
    cases=lambda: _portions("interruption", "trials", _SIGNALS, _SIGNALS_A_ROW),
    work=_work,
)


def _rules_summary(rows: Sequence[Row]) -> list[str]:
    outcomes: Counter[str] = Counter()
    for row in measured(rows):
        outcomes.update(row["outcomes"])
    ends = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    return [f"{total(rows, 'cases')} cases: {ends}.", *complaints(rows)]


RULES = Suite(
    name="rules",
    title="Rules: random rules on tiny layers, against plain clingo",
    about=(
        "Random constraints and prices on layers of at most six operations. Plain clingo solves "
        "the whole program in the same decomposition, with as many steps as the plan found has, 6 "
        "at least. equal: the costs are its optimum; worse: they are not, and are not called "
        "optimal; longer: the plan has more than 12 steps; none: neither finds a strategy. Wrong "
        "would be an optimum that is none, a bound above the optimum, infeasible where there is a "
        "strategy, or a plan that the rules forbid."
    ),
    columns=(
        count("name", "cases"),
        tally("outcomes"),
        COMPLAINTS,
        SECONDS,
        PEAK,
    ),
    summary=_rules_summary,
    cases=lambda: _portions("random_rules", "seeds", _RULES, _RULES_A_ROW),
    work=_work,
)


def _quick_summary(rows: Sequence[Row]) -> list[str]:
    there = measured(rows)
    quick = sum(row["taken"] <= row["goal"] for row in there)
    return [f"{quick} of {len(there)} are as quick as they have to be.", *complaints(rows)]


QUICK = Suite(
    name="quick",
    title="Quick: what a reader waits for",
    about=(
        "Taken: seconds from the start of the navigation to the player and the charts of a page "
        "of 3,000 steps; to show a step of it, as the median and as the slowest one but one of "
        "twelve; and of one lower bound. Goal: the seconds that it may take where nothing else "
        "runs. Needs a Chromium."
    ),
    columns=(
        count("name", "what"),
        Column("taken s", cell("taken", "{:.3f}")),
        Column("goal s", cell("goal", "{:g}")),
        COMPLAINTS,
        SECONDS,
        PEAK,
    ),
    summary=_quick_summary,
    cases=lambda: _named("quickness", _QUICK),
    work=_work,
)
