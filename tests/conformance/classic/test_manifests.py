"""Bad manifests: each field of each built-in kind left out, of a wrong type, or out of its bounds.

There are too many to write down what is expected of each. The same is posted to both servers, as a dry run, and they
have to agree: the status code, the reason, and each cause with its field and its words. The words are those of 1.30:
later releases have others for the same, which the embedded server does not have yet.
"""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.api import Api, Json

CASES = {
    case["manifest"]["kind"]: case
    for case in yaml.safe_load_all((Path(__file__).parent.parent / "manifests.yaml").read_text())
    if case
}
LONG = "x" * 300
WRONG: dict[type, tuple[Any, ...]] = {
    str: ("", "Bad_Name!", 5, LONG, None),
    bool: ("yes", 1),
    int: (-1, "5", 70_000, 1.5, 2**40),
    dict: ({}, "s", [], None),
    list: ([], "s", {}, None),
}
"""By the type of a field's value: what is put in its place."""
Path_ = tuple[str | int, ...]

GO_NAMES = re.compile(r"(?<=of type )(\[\])?(v1|v1alpha2)\.\w+|(?<=of type )(\[\])?string|\(0x[0-9a-f]+\)")
"""OpenAPI does not tell which strings have a type of their own in Go; an address is never the same."""
GO_MAP = re.compile(r"map\[string\]string(\{\}|\(nil\))")
"""A map without keys is not there here, as it is not once it was in etcd; Go's validation still sees it."""
GO_STRUCT = re.compile(r"(?<=Unsupported value: )(apps\.\w+)?\{.*?\}+(?=: supported)")
"""Of a struct that is no choice, Go prints the whole, in its own form."""


def places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where the values in a manifest are, those that hold others included."""
    if at:
        yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


def spoiled(manifest: Json) -> Iterator[tuple[str, Json]]:
    """Manifests with one thing wrong, or at least other, and what that is."""
    for place in places(manifest):
        if place[0] in ("apiVersion", "kind"):
            continue
        name = ".".join(map(str, place))
        *above, last = place
        value = _at(manifest, place)
        kept = [each for each in WRONG[type(value)] if each != value]
        for other in kept:
            changed = copy.deepcopy(manifest)
            _at(changed, above)[last] = other
            yield f"{name} = {str(other)[:20]!r}", changed
        changed = copy.deepcopy(manifest)
        del _at(changed, above)[last]
        yield f"{name} left out", changed
        if isinstance(value, dict):
            for key, other in (("bogus", 1), ("Bad Key!", "v")):
                changed = copy.deepcopy(manifest)
                _at(changed, place)[key] = other
                yield f"{name} with {key!r}", changed
        elif isinstance(value, list):
            changed = copy.deepcopy(manifest)
            _at(changed, place).append(copy.deepcopy(value[0]))
            yield f"{name} with an item twice", changed


def _at(manifest: Json, place: Any) -> Any:
    found: Any = manifest
    for key in place:
        found = found[key]
    return found


def answer(api: Api, path: str, manifest: Json) -> Json:
    """Code, reason and causes."""
    response = api.http.post(path, json=manifest, params={"dryRun": "All", "fieldValidation": "Strict"})
    if response.is_success:
        return {"code": response.status_code}
    status = response.json()
    causes = (status.get("details") or {}).get("causes") or []
    said = sorted((each.get("field", ""), each.get("reason", ""), _plain(each["message"])) for each in causes)
    return {
        "code": response.status_code,
        "reason": status["reason"],
        "message": _plain(status["message"]),
        "causes": said,
    }


def _plain(message: str) -> str:
    """Without what only Go could say."""
    return GO_STRUCT.sub("<struct>", GO_MAP.sub("<no keys>", GO_NAMES.sub("<type>", message)))


@pytest.mark.apiserver
@pytest.mark.parametrize("kind", CASES)
def test_both_servers_say_the_same_of_a_bad_manifest(kind: str, embedded_api: Api, real_api: Api) -> None:
    path, manifest = CASES[kind]["path"], CASES[kind]["manifest"]
    assert answer(real_api, path, manifest) == {"code": 201}, "the manifest itself is right"
    differing = {}
    for what, changed in spoiled(manifest):
        wanted, found = answer(real_api, path, changed), answer(embedded_api, path, changed)
        if wanted != found:
            differing[what] = (wanted, found)
    assert not differing


def test_what_is_spoiled() -> None:
    found = dict(spoiled({"kind": "K", "spec": {"name": "n", "flags": [True]}}))
    assert found["spec.name = ''"] == {"kind": "K", "spec": {"name": "", "flags": [True]}}
    assert found["spec.name left out"] == {"kind": "K", "spec": {"flags": [True]}}
    assert found["spec.flags with an item twice"] == {"kind": "K", "spec": {"name": "n", "flags": [True, True]}}
    assert found["spec.flags.0 = 'yes'"] == {"kind": "K", "spec": {"name": "n", "flags": ["yes"]}}
    assert not [what for what in found if what.startswith("kind")]
