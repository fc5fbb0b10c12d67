"""Regular expressions in the schemas of custom kinds, and the rules about them."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from fake_dra_driver.re2 import PatternError, compile_pattern
from tests.conformance.api import Api, Json
from tests.conformance.objects import CRD_PATH, crd
from tests.support.patterns import PIECES, REFUSED

_RANDOM = 150
"""Patterns that a real server is asked for."""


@pytest.mark.parametrize(("pattern", "problem"), REFUSED.items())
def test_refused_pattern(api: Api, pattern: str, problem: str) -> None:
    detail = f"must be a valid regular expression, but isn't: error parsing regexp: {problem}"
    status = api.refused(422, "Invalid", "POST", CRD_PATH, _definition(pattern))
    causes = [each for each in status["details"]["causes"] if each["field"].endswith(".pattern")]
    assert [each["message"].endswith(f": {detail}") for each in causes] == [True]


@pytest.mark.apiserver
def test_both_servers_accept_the_same_patterns(real_api: Api) -> None:
    """A class with a letter that is no category is known to some releases of Go."""
    patterns = [each for each in _random_patterns() if r"\pz" not in each and r"\pk" not in each]
    answers = {pattern: _answer(real_api, pattern) for pattern in patterns}
    assert answers == {pattern: _ours(pattern) for pattern in patterns}


def _random_patterns() -> Iterator[str]:
    choices = random.Random(20)
    for _ in range(_RANDOM):
        yield "".join(choices.choices(PIECES, k=choices.randint(1, 9)))


def _answer(api: Api, pattern: str) -> str:
    answer = api.call("POST", f"{CRD_PATH}?dryRun=All", _definition(pattern))
    causes: list[Any] = answer.json().get("details", {}).get("causes", [])
    found = [each["message"].partition("but isn't: ")[2] for each in causes if each["field"].endswith(".pattern")]
    assert bool(found) is (answer.status_code == 422), answer.text
    return found[0] if found else ""


def _ours(pattern: str) -> str:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return str(error)
    return ""


def _definition(pattern: str) -> Json:
    definition = crd("patterns.example.com")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["matched"] = {"type": "string", "pattern": pattern}
    return definition
