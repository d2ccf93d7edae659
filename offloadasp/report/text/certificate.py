"""Sentences on what proves a lower bound: the arguments of its certificate, and how sure it is."""

from collections.abc import Mapping
from typing import Any

from offloadasp.bounds.argument import Quantity
from offloadasp.bounds.entry import sentence
from offloadasp.judge.certificate import Proof
from offloadasp.model.instance import Described
from offloadasp.report.text.words import amount, given_words, objective_words

_TITLES = {
    Quantity.LOADS: "Loads",
    Quantity.WRITES: "Writes",
    Quantity.STEPS: "Compute actions",
    Quantity.TOGETHER: "Loads and compute actions together",
}

# What a user's prices are paid for; offloadasp/asp/priced.py.
_PAID = {
    "pixels": "pixel block",
    "kernels": "kernel block",
    "outputs": "output block",
    "operations": "operation",
    "load": "byte loaded",
    "write": "byte written",
    "compute": "compute action",
}


def proof_sentences(
    described: Described, proof: Proof, certificate: Mapping[str, Any]
) -> list[str]:
    """Return the bound, its arguments, and whether it was computed again, a sentence each."""
    given = given_words(described, ((part.name, part.value) for part in proof.given))
    stated = amount(described, proof.name, proof.stated)
    head = f"No strategy has a smaller {objective_words(proof.name)} than {stated}{given}."
    if proof.stated == 0:
        return [f"Nothing is proved of the {objective_words(proof.name)}."]
    return [head, *_arguments(certificate), _standing(described, proof)]


def _arguments(certificate: Mapping[str, Any]) -> list[str]:
    found = []
    for quantity, title in _TITLES.items():
        entry = certificate.get(quantity)
        if isinstance(entry, Mapping) and isinstance(name := entry.get("bound"), str):
            found.append(f"{title}: {sentence(quantity, entry) or name} (bound “{name}”).")
    priced = certificate.get("priced")
    if isinstance(priced, Mapping):
        paid = [f"{price} for each {_PAID.get(kind, kind)}" for kind, price in priced.items()]
        found.append(f"Prices of the edited rules: {', '.join(paid)}.")
    weight = certificate.get("weight")
    if isinstance(weight, list):
        found.append(
            f"These arguments bound the sum of this objective and the earlier ones times "
            f"{' and '.join(map(str, weight))}; the most that these may take is subtracted."
        )
    elif weight is not None:
        found.append(
            f"These arguments bound {weight} times the earlier objective plus this one; the most "
            "that the earlier one may take is subtracted."
        )
    return found


def _standing(described: Described, proof: Proof) -> str:
    if proof.verified:
        return f"Computed again from the certificate for this page; it holds for {proof.scope}."
    again = "the certificate alone proves nothing of it"
    if proof.proved is not None:
        proved = amount(described, proof.name, proof.proved)
        again = f"computed again for this page: {proved}, for {proof.scope}"
    if proof.complete_search:
        return f"The rest is by complete search, which is not repeated here; {again}."
    if proof.assumed:
        return "The most that the edited rules pay, which are not read for this page."
    return f"NOT PROVED by the file’s certificate: {again}."
