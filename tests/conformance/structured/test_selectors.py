"""Selectors: which expressions are taken, and with which words the others are refused.

``selectors.json`` has some hundred expressions with the answers of a real API server 1.37.2, which every run against
one compares again. After a syntax error ANTLR goes on in ways of its own, so only the first one is compared.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tests.conformance.api import Api
from tests.conformance.structured.objects import device_class, path

_TABLE = json.loads(Path(__file__).with_name("selectors.json").read_text(encoding="utf-8"))
_AT_ONCE = 32
"""How many selectors a class may have."""
_SYNTAX_ERROR = "Syntax error: "

Answer = tuple[str, str]
"""The reason, and the message without what it repeats of the expression."""


def test_expressions_that_are_taken(api: Api) -> None:
    for expressions in _groups(_TABLE["accepted"]):
        api.post(path("deviceclasses"), _with_selectors(expressions), dryRun="All")


def test_expressions_that_are_refused(api: Api) -> None:
    wanted = {each["expression"]: (each["reason"], each["message"]) for each in _TABLE["refused"]}
    found: dict[str, Answer] = {}
    for expressions in _groups(list(wanted)):
        body = _with_selectors(expressions)
        status = api.refused(422, "Invalid", "POST", path("deviceclasses"), body, dryRun="All")
        for cause in status["details"]["causes"]:
            at = re.fullmatch(r"spec\.selectors\[(\d+)\]\.cel\.expression", cause["field"])
            assert at is not None, cause
            found[expressions[int(at[1])]] = cause["reason"], _without_value(cause)
    assert found == wanted


def _groups(expressions: Sequence[str]) -> Iterator[list[str]]:
    waiting = iter(expressions)
    while group := list(islice(waiting, _AT_ONCE)):
        yield group


def _with_selectors(expressions: Sequence[str]) -> dict[str, Any]:
    return device_class("selectors.example.com", selectors=[{"cel": {"expression": each}} for each in expressions])


def _without_value(cause: dict[str, Any]) -> str:
    message = str(cause["message"])
    if cause["reason"] == "FieldValueInvalid":
        found = re.match(r'Invalid value: "(?:[^"\\]|\\.)*": ', message)
        assert found is not None, message
        message = message[found.end() :]
    else:
        message = message.partition(": ")[2]
    return message.partition("\nERROR:")[0] if _SYNTAX_ERROR in message else message
