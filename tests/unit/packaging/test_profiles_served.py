"""DeviceProfiles on a real API server: it takes those of the presets, and refuses bad ones in words that help."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.codegen import render_crd
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

PRESETS = sorted((Path(__file__).parents[3] / "deployments/helm/fake-dra-driver/presets").glob("*.yaml"))


@pytest.fixture(scope="module")
def served(apiserver: ApiServer) -> ApiServer:
    """A server that serves the kind."""
    resource = DeviceProfile.resource
    apiserver.kubectl("apply", "--filename=-", stdin=render_crd(DeviceProfile, "A test's."))
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{resource.plural}.{resource.group}")
    return apiserver


def written(name: str, spec: Any) -> str:
    kind = DeviceProfile.resource
    return json.dumps({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec})


def refusal(served: ApiServer, manifest: str) -> str:
    try:
        served.kubectl("create", "--dry-run=server", "--filename=-", stdin=manifest)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


def test_the_profiles_of_presets_are_taken(served: ApiServer) -> None:
    profiles = [entry for path in PRESETS for entry in yaml.safe_load(path.read_text())["deviceProfiles"]]
    assert profiles
    assert not refusal(served, "\n".join(written(entry["name"], entry["spec"]) for entry in profiles))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("cont: 1", 'unknown field "spec.groups[0].cont"'),
        ("count: 1025", "spec.groups[0].count in body should be less than or equal to 1024"),
        ("attributes: {x: {}}", "exactly one of int, bool, boolTemplate, string,"),
        ("attributes: {x: {int: 1, bool: true}}", "exactly one of int, bool, boolTemplate, string,"),
        ("attributes: {x: {int: one}}", "spec.groups[0].attributes.x.int in body should match"),
        ("attributes: {x: {version: '1.2'}}", "spec.groups[0].attributes.x.version in body should match"),
        ("capacity: {x: {value: 1Qi}}", "spec.groups[0].capacity.x.value in body should match"),
        (
            "capacity: {x: {value: 1, requestPolicy: {validValues: [1], validRange: {min: 1}}}}",
            "set validValues or validRange, not both",
        ),
        ("consumesCounters: [{all: true, counters: {a: 1}}]", "with all, counters and consecutive must be left out"),
        ("partitions: [{name: p}, {name: p}]", "Duplicate value"),
        ("partitions: [{name: p, placements: [1, 1]}]", "Duplicate value"),
        ("taints: [{key: a, effect: Never}]", 'supported values: "NoSchedule", "NoExecute", "None"'),
        (
            "nodeAllocatableResources: {cpu: {mapping: {capacityMultiplier: 1}}}",
            "exactly one of capacityKey and deviceMultiplier has to be set",
        ),
    ],
)
def test_a_bad_group_is_refused(served: ApiServer, group: str, message: str) -> None:
    spec = yaml.safe_load(f"groups: [{{name: a, {group}}}]")
    assert message in refusal(served, written("bad", spec))


def test_templates_are_taken_where_numbers_are(served: ApiServer) -> None:
    group = yaml.safe_load("""
        name: a
        attributes: {i: {int: "{{ index }}"}, v: {version: "{% if index %}1.0.0{% else %}2.0.0{% endif %}"}}
        capacity: {c: {value: "{{ index + 1 }}Gi"}}
        """)
    assert not refusal(served, written("good", {"groups": [group, {"name": "b"}]}))


def test_columns_and_status(served: ApiServer) -> None:
    served.kubectl("create", "--filename=-", stdin=written("shown", {"priority": 3}))
    try:
        condition = {
            "type": "Valid",
            "status": "True",
            "reason": "Valid",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
        status = json.dumps({"status": {"nodes": 2, "conditions": [condition]}})
        served.kubectl("patch", "dprof/shown", "--subresource=status", "--type=merge", f"--patch={status}")
        lines = served.kubectl("get", "dprof", "shown").splitlines()
        assert [line.split()[:-1] for line in lines] == [
            ["NAME", "DRIVER", "PRIORITY", "NODES", "VALID"],
            ["shown", "fake.resource.3-shake.com", "3", "2", "True"],
        ]
        assert served.kubectl("get", "dprof/shown", "--output=jsonpath={.metadata.generation}") == "1"
    finally:
        served.kubectl("delete", "dprof/shown")
