"""What admission makes of the service accounts of pods: servers of their own, since all other tests go without."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import core, pod
from tests.conformance.target import Target, connected, with_service_accounts
from tests.support.apiserver import ASSETS_VARIABLE

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with the admission plugin ServiceAccount."""
    named = os.environ.get(ASSETS_VARIABLE)
    folder = tmp_path_factory.mktemp("accounts")
    with with_service_accounts(request.param, folder, Path(named) if named else None) as target:
        yield target


@pytest.fixture(scope="session")
def api(target: Target) -> Iterator[Api]:
    """A client of it, as its administrator."""
    with connected(target) as client:
        yield client


@pytest.fixture
def pods(api: Api, namespace: str) -> str:
    """The pods of the test's namespace, which has the account that a controller would have made."""
    account(api, namespace, "default")
    return core(namespace, "pods")


def account(api: Api, namespace: str, name: str, **fields: Any) -> None:
    """Makes a service account."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}, **fields}
    api.post(core(namespace, "serviceaccounts"), body)


def claims_in(token: str) -> Json:
    """What a token says."""
    middle = token.split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


def volume_of(created: Json) -> str:
    """The name of the only volume of a pod."""
    (volume,) = created["spec"]["volumes"]
    return str(volume["name"])


def test_a_pod_gets_the_default_account_and_its_token(api: Api, pods: str) -> None:
    created = api.post(pods, pod("a"))
    spec = created["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    name = volume_of(created)
    assert name.startswith("kube-api-access-")
    assert len(name) == len("kube-api-access-") + 5
    assert spec["volumes"] == [
        {
            "name": name,
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {
                        "downwardAPI": {
                            "items": [
                                {
                                    "path": "namespace",
                                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                                }
                            ]
                        }
                    },
                ],
                "defaultMode": 420,
            },
        }
    ]
    assert spec["containers"][0]["volumeMounts"] == [{"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
    managed = created["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert not {"f:volumes", "f:serviceAccountName"} & set(managed)


def test_every_container_mounts_it_but_those_that_have_something_there(api: Api, pods: str) -> None:
    own = {"name": "own", "mountPath": MOUNT_PATH}
    first, second = {"name": "first", "image": "i"}, {"name": "second", "image": "i", "volumeMounts": [own]}
    body = pod("a", {"containers": [first, second], "initContainers": [{"name": "init", "image": "i"}]})
    body["spec"]["volumes"] = [{"name": "own", "emptyDir": {}}]
    spec = api.post(pods, body)["spec"]
    name = spec["volumes"][1]["name"]
    mounts = [[mount["name"] for mount in each["volumeMounts"]] for each in spec["initContainers"] + spec["containers"]]
    assert mounts == [[name], [name], ["own"]]


def test_a_mounted_volume_of_that_name_is_used_again(api: Api, pods: str) -> None:
    """As in a pod that is copied from another one."""
    body = pod("a", {"volumes": [{"name": "kube-api-access-abcde", "emptyDir": {}}]})
    created = api.post(pods, body)
    assert volume_of(created) == "kube-api-access-abcde"
    assert [each["name"] for each in created["spec"]["containers"][0]["volumeMounts"]] == ["kube-api-access-abcde"]


@pytest.mark.parametrize(
    ("of_account", "of_pod", "is_mounted"),
    [(None, False, False), (False, None, False), (False, True, True), (True, False, False)],
)
def test_the_token_can_be_left_out(
    api: Api, pods: str, namespace: str, of_account: bool | None, of_pod: bool | None, is_mounted: bool
) -> None:
    account(api, namespace, "own", automountServiceAccountToken=of_account)
    created = api.post(pods, pod("a", {"serviceAccountName": "own", "automountServiceAccountToken": of_pod}))
    assert ("volumes" in created["spec"]) is is_mounted
    assert created["spec"]["serviceAccount"] == "own"


def test_a_pod_gets_the_pull_secrets_of_its_account(api: Api, pods: str, namespace: str) -> None:
    account(api, namespace, "own", imagePullSecrets=[{"name": "s"}])
    created = api.post(pods, pod("a", {"serviceAccountName": "own"}))
    assert created["spec"]["imagePullSecrets"] == [{"name": "s"}]
    given = pod("b", {"serviceAccountName": "own", "imagePullSecrets": [{"name": "mine"}]})
    assert api.post(pods, given)["spec"]["imagePullSecrets"] == [{"name": "mine"}]


@pytest.mark.parametrize("name", ["other", "default"])
def test_an_account_has_to_exist(api: Api, namespace: str, name: str) -> None:
    """The default one is waited for, since it is made soon after its namespace."""
    reason = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
    body = pod("a", {"serviceAccountName": name})
    api.refused(403, "Forbidden", "POST", core(namespace, "pods"), body, says=f'pods "a" is forbidden: {reason}')


def test_a_token_that_is_mounted_is_good_for_longer_than_it_says(api: Api, pods: str, namespace: str) -> None:
    created = api.post(pods, pod("a"))
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": created["metadata"]["uid"]}
    spec = {"expirationSeconds": 3607, "boundObjectRef": bound}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = api.post(f"{core(namespace, 'serviceaccounts', 'default')}/token", body)
    claims = claims_in(answer["status"]["token"])
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["pod"] == {"name": "a", "uid": created["metadata"]["uid"]}
