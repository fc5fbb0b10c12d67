"""The real kubectl on Deployments whose controllers run: rollouts, scale, history, undo.

No kubelet runs on either side: the tests say of pods that they are ready.
"""

import re

import pytest

from tests.conformance.api import Api, Json, eventually
from tests.conformance.objects import core
from tests.conformance.target import Kubectl

pytestmark = pytest.mark.apiserver

_SINCE = "2024-05-01T10:00:00Z"


@pytest.fixture
def deployed(api: Api, kubectl: Kubectl, workload_controllers: None) -> str:
    """A Deployment d of two pods, both ready; the path of the pods."""
    path = core(kubectl.namespace, "pods")
    kubectl.run("create", "deployment", "d", "--image=busybox:1", "--replicas=2")
    with kubectl.follow("rollout", "status", "deployment/d", "--timeout=50s") as output:
        make_ready(api, path, 2)
        assert output.read().endswith('deployment "d" successfully rolled out\n')
    return path


def alive(api: Api, path: str) -> list[Json]:
    """The pods that have not been deleted."""
    return [each for each in api.get(path)["items"] if "deletionTimestamp" not in each["metadata"]]


def make_ready(api: Api, path: str, count: int) -> None:
    """Waits for so many pods, and says of each that it is ready."""
    eventually(lambda: len(alive(api, path)) == count, f"{count} pods")
    for each in alive(api, path):
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": _SINCE}
        status = {"phase": "Running", "conditions": [condition]}
        api.patch(f"{path}/{each['metadata']['name']}/status", {"status": status})


def test_scale(api: Api, kubectl: Kubectl, deployed: str) -> None:
    """Up and down, and not at all where there are not as many as one thinks."""
    assert kubectl.run("scale", "deployment", "d", "--replicas=3") == "deployment.apps/d scaled\n"
    make_ready(api, deployed, 3)
    found = kubectl.run("scale", "deployment", "d", "--replicas=5", "--current-replicas=9", code=1)
    assert found == "error: Expected replicas to be 9, was 3\n"
    kubectl.run("scale", "deployment", "d", "--replicas=1")
    eventually(lambda: len(alive(api, deployed)) == 1, "one pod")
    assert kubectl.run("wait", "deployment/d", "--for=condition=Available", "--timeout=20s").endswith("met\n")
    assert kubectl.run("get", "deployment", "d", "--no-headers").split()[:4] == ["d", "1/1", "1", "1"]


def test_rollout(api: Api, kubectl: Kubectl, deployed: str) -> None:
    """A new image is rolled out, seen in the history, and undone."""
    assert kubectl.run("set", "image", "deployment/d", "busybox=busybox:2") == "deployment.apps/d image updated\n"
    eventually(lambda: _images(api, deployed) == {"busybox:1", "busybox:2"}, "a pod with the new image")
    found = kubectl.run("rollout", "history", "deployment/d").splitlines()
    assert [line.split() for line in found if line] == [
        ["deployment.apps/d"],
        ["REVISION", "CHANGE-CAUSE"],
        ["1", "<none>"],
        ["2", "<none>"],
    ]
    assert "busybox:2" in kubectl.run("rollout", "history", "deployment/d", "--revision=2")
    assert kubectl.run("rollout", "undo", "deployment/d") == "deployment.apps/d rolled back\n"
    eventually(lambda: _images(api, deployed) == {"busybox:1"}, "the old image alone")
    assert kubectl.run("get", "deployment", "d", "-o", "jsonpath={..image}") == "busybox:1"


def _images(api: Api, path: str) -> set[str]:
    return {each["spec"]["containers"][0]["image"] for each in alive(api, path)}


def test_restart_and_pause(api: Api, kubectl: Kubectl, deployed: str) -> None:
    """A restart makes new pods; nothing is rolled out while it is paused."""
    before = {each["metadata"]["name"] for each in alive(api, deployed)}
    assert kubectl.run("rollout", "restart", "deployment/d") == "deployment.apps/d restarted\n"
    eventually(lambda: len({each["metadata"]["name"] for each in alive(api, deployed)} - before) > 0, "a new pod")
    assert kubectl.run("rollout", "pause", "deployment/d") == "deployment.apps/d paused\n"
    found = kubectl.run("rollout", "pause", "deployment/d", code=1)
    assert found == 'error: deployments.apps "d" is already paused\n'
    assert kubectl.run("rollout", "resume", "deployment/d") == "deployment.apps/d resumed\n"


def test_get_all_and_describe(kubectl: Kubectl, deployed: str, minor: int) -> None:
    """What belongs to a Deployment, and what it has done."""
    found = re.sub(r"-[0-9a-z]{8,10}(-[0-9a-z]{5})?", "-X", kubectl.run("get", "all", "--no-headers"))
    names = [line.split()[0] for line in found.splitlines() if line]
    assert names == ["pod/d-X", "pod/d-X", "deployment.apps/d", "replicaset.apps/d-X"]
    described = kubectl.run("describe", "deployment", "d")
    assert "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert re.search(r"^NewReplicaSet: +d-\w+ \(2/2 replicas created\)$", described, re.MULTILINE)
    size = "from 0 to 2" if minor > 30 else "to 2"
    assert re.search(rf"ScalingReplicaSet .*Scaled up replica set d-\w+ {size}$", described, re.MULTILINE)


def test_deadline(kubectl: Kubectl, workload_controllers: None) -> None:
    """A rollout that never finishes is waited for in vain."""
    kubectl.run("create", "deployment", "d", "--image=busybox:1")
    found = kubectl.run("rollout", "status", "deployment/d", "--timeout=1s", code=1)
    assert found.endswith("error: timed out waiting for the condition\n")
