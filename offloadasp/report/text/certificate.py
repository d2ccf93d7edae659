"""Sentences on what proves a lower bound: the arguments of its certificate, and how sure it is."""

from collections.abc import Mapping
from typing import Any

from offloadasp.judge.certificate import Proof
from offloadasp.report.text.words import amount, given_words, objective_words

_LOADS = {
    "compulsory": "every input and every weight that is needed is loaded at least once",
    "cut": "when the first row or column of tiles is complete, inputs that computed and later "
    "tiles share are on chip, or are loaded again",
    "lines": "where the order turns to another row or column of outputs, shared inputs are loaded "
    "again",
    "passes": "only a part of the weights fits, so the inputs are loaded again for each part; or "
    "the other way round",
    "phases": "in each phase of the computation more inputs are needed than the memory can have "
    "kept",
}
_STEPS = {
    "macs": "a compute action does a limited number of multiply-accumulates",
    "size": "a compute action does a limited number of whole operations",
    "memory": "the memory holds the data of a limited number of operations at once",
}
_TOGETHER = {
    "pace": "fewer steps must each hold more, which leaves less room to keep data",
    "step_sizes": "few steps must be full, and full steps need room and load more",
}


def proof_sentences(proof: Proof, certificate: Mapping[str, Any]) -> list[str]:
    """Return the bound, its arguments, and whether it was computed again, a sentence each."""
    given = given_words((part.name, part.value) for part in proof.given)
    stated = amount(proof.name, proof.stated)
    head = f"No strategy has less than {stated} of {objective_words(proof.name)}{given}."
    if proof.stated == 0:
        return [f"Nothing is proved of the {objective_words(proof.name)}."]
    return [head, *_arguments(certificate), _standing(proof)]


def _arguments(certificate: Mapping[str, Any]) -> list[str]:
    parts = (
        ("loads", "Loads", _LOADS),
        ("writes", "Writes", {"compulsory": "every output is written once"}),
        ("steps", "Compute actions", _STEPS),
        ("together", "Loads and compute actions together", _TOGETHER),
    )
    found = []
    for key, what, known in parts:
        entry = certificate.get(key)
        if isinstance(entry, Mapping) and isinstance(name := entry.get("bound"), str):
            found.append(f"{what}: {known.get(name, name)} (bound “{name}”).")
    if "weight" in certificate:
        found.append(
            f"These arguments bound {certificate['weight']} times the earlier objective plus this "
            "one; the most that the earlier one may take is subtracted."
        )
    return found


def _standing(proof: Proof) -> str:
    if proof.verified:
        return f"Computed again from the certificate for this page; it holds for {proof.scope}."
    again = "the certificate alone proves nothing of it"
    if proof.proved is not None:
        proved = amount(proof.name, proof.proved)
        again = f"computed again for this page: {proved}, for {proof.scope}"
    if proof.complete_search:
        return f"The rest is by complete search, which is not repeated here; {again}."
    if proof.assumed:
        return "The most that the edited rules pay, which are not read for this page."
    return f"NOT PROVED by the file’s certificate: {again}."
