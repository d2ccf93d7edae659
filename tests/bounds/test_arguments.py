"""Arguments as a registry: what is proved for which semantics, what files say, and sentences."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings

from offloadasp.base.errors import InputError
from offloadasp.bounds import arguments, entry, lower_bound, verify_certificate
from offloadasp.bounds.argument import Argument, JointArgument, Quantity
from offloadasp.bounds.arguments import ARGUMENTS
from offloadasp.bounds.entry import sentence
from offloadasp.bounds.parameters import Count, Params
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer, Precision
from offloadasp.model.problem import Problem, finest
from offloadasp.model.semantics import SERIAL, Semantics
from tests.support.layers import accelerator, problem_with, problems

MADE_UP = Semantics("made up")
Registry = Sequence[Argument[Any] | JointArgument[Any]]


def conv() -> Problem:
    layer = Layer(input=(2, 6, 6), kernels=2, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    chip = accelerator(memory=60, compute=30, macs=36)
    return problem_with(layer, chip, Precision(), finest(layer))


def registered(known: Registry) -> Any:
    return mock.patch.object(entry, "ARGUMENTS", tuple(known))


def test_every_file_of_an_argument_is_registered_under_a_name_of_its_own() -> None:
    files = {path.stem for path in Path(arguments.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(arguments._FILES)
    assert len({(argument.quantity, argument.name) for argument in ARGUMENTS}) == len(files)


def test_no_argument_is_used_for_a_semantics_it_is_not_proved_for() -> None:
    problem = replace(conv(), semantics=MADE_UP)
    bound = lower_bound(problem)
    assert bound.value == 0
    assert bound.certificate == {}
    assert verify_certificate(problem, {}) == 0
    certificate = lower_bound(conv()).certificate
    for quantity in certificate:
        with pytest.raises(InputError) as raised:
            verify_certificate(problem, {quantity: certificate[quantity]})
        expected = f"certificate.{quantity}.bound: not proved for the semantics 'made up'"
        assert str(raised.value) == expected


def test_arguments_that_are_proved_for_a_semantics_are_used_without_the_others() -> None:
    proved = {"compulsory", "lines", "macs"}
    both = frozenset({SERIAL, MADE_UP})
    known = [
        replace(argument, holds_for=both) if argument.name in proved else argument
        for argument in ARGUMENTS
    ]
    problem = replace(conv(), semantics=MADE_UP)
    with registered(known):
        bound = lower_bound(problem)
        assert verify_certificate(problem, bound.certificate) == bound.value > 0
        assert lower_bound(conv()).value >= bound.value
        for quantity, other in (("loads", "phases"), ("steps", "memory")):
            assert bound.certificate[quantity]["bound"] in proved
            forged = bound.certificate | {quantity: {"bound": other}}
            with pytest.raises(InputError, match=f"^certificate.{quantity}.bound: not proved for"):
                verify_certificate(problem, forged)


class Guess(Params):
    bytes_more: Count


def test_a_new_argument_is_used_and_verified_once_it_is_registered() -> None:
    def propose(view: View) -> Iterator[Guess]:
        yield Guess(bytes_more=10**6)

    new = Argument(
        name="guess",
        quantity=Quantity.LOADS,
        params=Guess,
        propose=propose,
        value=lambda view, guess: guess.bytes_more,
        sentence=lambda guess: f"{guess.bytes_more} bytes are guessed",
        holds_for=frozenset({SERIAL}),
    )
    with registered([*ARGUMENTS, new]):
        bound = lower_bound(conv())
        view = {"decomposition": "finest", "inner": False}
        assert bound.load_bytes == 10**6
        assert bound.certificate["loads"] == {"bound": "guess", **view, "bytes_more": 10**6}
        assert verify_certificate(conv(), bound.certificate) == bound.value
        assert sentence(Quantity.LOADS, bound.certificate["loads"]) == "1000000 bytes are guessed"
    with pytest.raises(InputError, match=r"^certificate.loads.bound: must be .* or 'passes'$"):
        verify_certificate(conv(), bound.certificate)


@given(problems())
@settings(max_examples=25, deadline=None)
def test_every_argument_of_a_certificate_has_a_sentence(problem: Problem) -> None:
    certificate = json.loads(json.dumps(lower_bound(problem).certificate))
    for quantity, said in certificate.items():
        clause = sentence(Quantity(quantity), said)
        assert clause
        assert clause[0].islower()
        assert not clause.endswith(".")


@pytest.mark.parametrize(
    "said",
    [{}, {"bound": "oracle"}, {"bound": ["phases"]}, {"bound": "phases", "phases": "4x1"}],
)
def test_an_entry_that_proves_nothing_has_no_sentence(said: dict[str, Any]) -> None:
    assert sentence(Quantity.LOADS, said) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "group: must be a positive integer of at most 2^62, not 0"),
        (None, "group: must be a positive integer of at most 2^62"),
        ("many\nlines", r'group: must be a positive integer of at most 2^62, not "many\nlines"'),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed_and_the_value(
    value: object, expected: str
) -> None:
    entry = {"bound": "memory", "decomposition": "given", "inner": False, "group": value}
    certificate = lower_bound(conv()).certificate | {"steps": entry}
    with pytest.raises(InputError) as raised:
        verify_certificate(conv(), certificate)
    assert str(raised.value) == f"certificate.steps.{expected}"


def test_of_arguments_that_prove_the_same_the_simplest_is_named() -> None:
    layer = Layer(input=(1, 4, 4), kernels=1, kernel_shape=(1, 1))
    ample = problem_with(layer, accelerator(memory=10**6), Precision(), finest(layer))
    assert lower_bound(ample).certificate["loads"] == {"bound": "compulsory"}
