"""The kubectl of 1.37: what it creates by flags, which it sends as protobuf, and what it shows of structured DRA.

The same words have to come back from both servers.
"""

import re

import pytest
import yaml

from tests.conformance.api import Json
from tests.conformance.structured.objects import claim, device_class, slice_of, taint_rule, template
from tests.conformance.target import Kubectl

pytestmark = pytest.mark.apiserver


def plain(text: str) -> list[list[str]]:
    """The words of each line, without what is another each time: ages, UIDs, times and versions."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:]+Z", "-", text)
    return [
        re.sub(r"(Resource Version: +)\d+|\b(\d+[ydhms])+\b", r"\1-", line).split()
        for line in text.splitlines()
        if line
    ]


@pytest.fixture
def devices(kubectl: Kubectl) -> str:
    """A slice, a class and a rule, named after the test's namespace, and a claim and a template in it."""
    name = kubectl.namespace
    device: Json = {"name": "d", "attributes": {"model": {"string": "A"}}, "capacity": {"memory": {"value": "80Gi"}}}
    objects = [
        slice_of(name, device),
        device_class(name, selectors=[{"cel": {"expression": "device.driver == 'driver.example.com'"}}]),
        taint_rule(name, deviceSelector={"pool": name}),
        claim("c", {"name": "req", "exactly": {"deviceClassName": name, "count": 2}}),
        template("t"),
    ]
    kubectl.run("create", "-f", "-", stdin=yaml.safe_dump_all(objects))
    return name


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (("configmap", "x", "--from-literal=a=b"), "configmap/x"),
        (("secret", "generic", "x", "--from-literal=a=b"), "secret/x"),
        (("serviceaccount", "x"), "serviceaccount/x"),
        (("deployment", "x", "--image=busybox", "--replicas=2"), "deployment.apps/x"),
        (("job", "x", "--image=busybox"), "job.batch/x"),
        (("service", "clusterip", "x", "--tcp=80"), "service/x"),
        (("role", "x", "--verb=get", "--resource=pods"), "role.rbac.authorization.k8s.io/x"),
        (("rolebinding", "x", "--role=r", "--group=g"), "rolebinding.rbac.authorization.k8s.io/x"),
    ],
)
def test_create_by_flags(kubectl: Kubectl, arguments: tuple[str, ...], made: str) -> None:
    assert kubectl.run("create", *arguments, "--dry-run=server") == f"{made} created (server dry run)\n"
    assert kubectl.run("create", *arguments) == f"{made} created\n"
    assert kubectl.run("get", made, "-o", "name") == f"{made}\n"


def test_access(kubectl: Kubectl) -> None:
    kubectl.run("create", "serviceaccount", "x")
    assert kubectl.run("create", "token", "x", "--duration=10m").count(".") == 2
    assert kubectl.run("auth", "can-i", "create", "resourceclaims") == "yes\n"


def test_get(kubectl: Kubectl, devices: str) -> None:
    found = kubectl.run("get", f"resourceslice/{devices}", f"deviceclass/{devices}", f"devicetaintrule/{devices}")
    assert plain(found) == [
        ["NAME", "NODE", "DRIVER", "POOL", "AGE"],
        [f"resourceslice.resource.k8s.io/{devices}", devices, "driver.example.com", devices, "-"],
        ["NAME", "AGE"],
        [f"deviceclass.resource.k8s.io/{devices}", "-"],
        ["NAME", "KEY", "VALUE", "EFFECT", "TIMEADDED", "AGE"],
        [f"devicetaintrule.resource.k8s.io/{devices}", "example.com/broken", "NoExecute", "-", "-"],
    ]
    found = kubectl.run("get", "resourceclaims,resourceclaimtemplates")
    assert plain(found) == [
        ["NAME", "STATE", "AGE"],
        ["resourceclaim.resource.k8s.io/c", "pending", "-"],
        ["NAME", "AGE"],
        ["resourceclaimtemplate.resource.k8s.io/t", "-"],
    ]


def test_describe(kubectl: Kubectl, devices: str) -> None:
    found = plain(kubectl.run("describe", "resourceclaim", "c"))
    assert ["API", "Version:", "resource.k8s.io/v1"] in found
    assert ["Allocation", "Mode:", "ExactCount"] in found
    assert ["Device", "Class", "Name:", devices] in found
    assert found[-1] == ["Events:", "<none>"]


def test_explain(kubectl: Kubectl) -> None:
    for path, kind in (("resourceclaim", "ResourceClaim"), ("devicetaintrule.spec.taint", "DeviceTaintRule")):
        assert plain(kubectl.run("explain", path))[:3] == [
            ["GROUP:", "resource.k8s.io"],
            ["KIND:", kind],
            ["VERSION:", "v1"],
        ]


def test_apply_and_diff(kubectl: Kubectl) -> None:
    rule = taint_rule(kubectl.namespace, deviceSelector={"pool": "p"})
    shown = f"devicetaintrule.resource.k8s.io/{kubectl.namespace}"
    assert kubectl.run("apply", "-f", "-", stdin=yaml.safe_dump(rule)) == f"{shown} created\n"
    assert kubectl.run("apply", "-f", "-", stdin=yaml.safe_dump(rule)) == f"{shown} unchanged\n"
    assert kubectl.run("diff", "-f", "-", stdin=yaml.safe_dump(rule)) == ""
    rule["spec"]["taint"]["value"] = "v"
    assert "+    value: v\n" in kubectl.run("diff", "-f", "-", stdin=yaml.safe_dump(rule), code=1)
    applied = kubectl.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump(rule))
    assert applied == f"{shown} serverside-applied\n"


def test_wait_and_rollout(kubectl: Kubectl) -> None:
    kubectl.run("create", "deployment", "d", "--image=busybox", "--replicas=0")
    assert "timed out" in kubectl.run("wait", "--for=condition=Available", "deployment/d", "--timeout=1s", code=1)
    assert kubectl.run("rollout", "restart", "deployment/d") == "deployment.apps/d restarted\n"
    assert "Waiting for deployment spec update" in kubectl.run(
        "rollout", "status", "deployment/d", "--timeout=1s", code=1
    )
    assert kubectl.run("events") == f"No events found in {kubectl.namespace} namespace.\n"
