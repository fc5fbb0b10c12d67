"""Every kind of a cluster with classic DRA is the same object in protobuf and in JSON."""

from pathlib import Path

import pytest

from tests.conformance.api import Api
from tests.conformance.objects import core
from tests.conformance.protobufs import made_each_way, manifests

_RELEASE = "1.30"
_FOLDER = Path(__file__).parent.parent
_CASES = {**manifests((_FOLDER / "manifests.yaml").read_text()), **manifests((_FOLDER / "protobufs.yaml").read_text())}


@pytest.fixture(scope="session")
def default_account(api: Api) -> None:
    """The one of the manifests' pods; a controller would make it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    assert api.call("POST", core("default", "serviceaccounts"), account).status_code in (201, 409)


@pytest.mark.parametrize("kind", _CASES)
def test_an_object_is_the_same_as_in_json(api: Api, default_account: None, kind: str) -> None:
    (in_json, *others) = made_each_way(api, *_CASES[kind], release=_RELEASE).values()
    for other in others:
        assert other == in_json
