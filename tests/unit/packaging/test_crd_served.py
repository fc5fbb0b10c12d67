"""The CRDs on a real API server: it takes them, and refuses bad input in words that help."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    DRIVER_NAME,
    LEDGER_REVISION_ANNOTATION,
    MODELS_ANNOTATION,
    FakeClaimParameters,
)
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.codegen import definition, render_crd
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

TRIES = 100
"""For a change of a CRD to be served: far more than that takes."""

Apply = Callable[[str, str], str]


@pytest.fixture(scope="module")
def crds(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The CRDs, served."""
    folder: Path = tmp_path_factory.mktemp("crds")
    for kind in KINDS:
        (folder / f"{kind.__name__}.yaml").write_text(render_crd(kind, "A test's."))
    apiserver.kubectl("apply", f"--filename={folder}")
    names = [f"crd/{kind.resource.plural}.{kind.resource.group}" for kind in KINDS]
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


@pytest.fixture
def apply(crds: None, apiserver: ApiServer, namespace: str) -> Apply:
    """Applies an object of one of our kinds of parameters, named `test`, given its spec as flow-style YAML."""

    def applied(kind: str, spec: str) -> str:
        metadata = f"{{name: test, namespace: {namespace}}}"
        text = f"apiVersion: {DRIVER_NAME}/v1alpha1\nkind: {kind}\nmetadata: {metadata}\n{spec and f'spec: {spec}'}\n"
        try:
            return apiserver.kubectl("apply", "--filename=-", stdin=text)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)

    return applied


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{count: 0}", "spec.count in body should be greater than or equal to 1"),
        ("{count: -1}", "spec.count in body should be greater than or equal to 1"),
        ("{count: 129}", "spec.count in body should be less than or equal to 128"),
        ("{split: -1}", "spec.split in body should be greater than or equal to 0"),
        ("{split: 65}", "spec.split in body should be less than or equal to 64"),
        ("{count: 33, split: 32}", "count times split must be at most 1024"),
        ("{count: two}", "spec.count in body must be of type integer"),
        ("{selector: {}}", "spec.selector.model: Required value"),
        ('{selector: {model: ""}}', "spec.selector.model in body should be at least 1 chars long"),
        ('{selector: {model: "a\\e\\nb"}}', "spec.selector.model in body should match"),
        ('{selector: {model: "a\\u202eb"}}', "spec.selector.model in body should match"),
        ("{selector: {model: a b}}", "spec.selector.model in body should match"),
        (f"{{selector: {{model: {'A' * 64}}}}}", "spec.selector.model: Too long: may not be"),
        ("{cuont: 2}", 'unknown field "spec.cuont"'),
    ],
)
def test_bad_claim_parameters_are_refused(apply: Apply, spec: str, message: str) -> None:
    assert message in apply("FakeClaimParameters", spec)


@pytest.mark.parametrize("spec", ["{count: 128}", "{count: 16, split: 64}", "{count: 4}", "{selector: {model: A}}"])
def test_good_claim_parameters_are_taken(apply: Apply, spec: str) -> None:
    assert "created" in apply("FakeClaimParameters", spec)


@pytest.mark.parametrize(("spec", "count"), [("", 1), ("{}", 1), ("{count: 4}", 4)])
def test_defaults_are_filled_in(apply: Apply, apiserver: ApiServer, namespace: str, spec: str, count: int) -> None:
    apply("FakeClaimParameters", spec)
    filled = apiserver.kubectl("get", "fcp/test", f"--namespace={namespace}", "--output=jsonpath={.spec}")
    assert filled == f'{{"count":{count},"split":0}}'


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "spec: Required value"),
        ("{}", "spec.deviceSelector: Required value"),
        ("{deviceSelector: []}", "spec.deviceSelector in body should have at least 1 items"),
        ('{deviceSelector: [{type: fake, name: "A\\e*"}]}', "spec.deviceSelector[0].name in body should match"),
        ('{deviceSelector: [{type: "\\u202e", name: A}]}', "spec.deviceSelector[0].type in body should match"),
        (f"{{deviceSelector: [{{type: fake, name: {'A' * 254}}}]}}", "spec.deviceSelector[0].name: Too long"),
        ("{deviceSelector: [{type: fake}]}", "spec.deviceSelector[0].name: Required value"),
        ("{deviceSelector: [{type: fake, name: A, modle: B}]}", 'unknown field "spec.deviceSelector[0].modle"'),
    ],
)
def test_bad_class_parameters_are_refused(apply: Apply, spec: str, message: str) -> None:
    assert message in apply("DeviceClassParameters", spec)


def test_go_drivers_state_of_a_node_is_taken_as_it_is(crds: None, apiserver: ApiServer, namespace: str) -> None:
    state = f"""
apiVersion: nas.fake.resource.3-shake.com/v1alpha1
kind: NodeAllocationState
metadata:
  name: node-1
  namespace: {namespace}
  annotations:
    {LEDGER_REVISION_ANNOTATION}: "17"
    {ALLOCATED_ANNOTATION}: 1/1
    {MODELS_ANNOTATION}: LATEST-FAKE-MODEL
spec:
  allocatableDevice: [{{fake: {{uuid: FAKE-1, name: LATEST-FAKE-MODEL}}}}]
  allocatedClaims: {{uid-1: {{fake: {{devices: [{{uuid: FAKE-1, split: 1000}}]}}}}, uid-2: {{fake: {{}}}}}}
  preparedDevices: {{uid-1: {{fake: {{devices: [{{uuid: FAKE-2, parentUUID: FAKE-1}}]}}}}}}
status: Ready
"""
    apiserver.kubectl("create", "--filename=-", stdin=state)
    described = apiserver.kubectl("describe", f"--namespace={namespace}", "nas/node-1")
    for heading in ("Allocatable Device:", "Allocated Claims:", "Prepared Devices:", "Parent UUID:", "Split:", "Uuid:"):
        assert heading in described
    columns = _columns(apiserver, "nas", f"--namespace={namespace}")
    assert columns[0][:-1] == ["NAME", "STATUS", "MODELS", "ALLOCATED"]
    assert columns[1][:-1] == ["node-1", "Ready", "LATEST-FAKE-MODEL", "1/1"]
    columns = _columns(apiserver, "nas", f"--namespace={namespace}", "--output=wide")
    assert columns[1][:-1] == ["node-1", "Ready", "LATEST-FAKE-MODEL", "1/1", "17"]


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("status: 'Ready  x'", "status"),
        ('spec: {allocatableDevice: [{fake: {uuid: "a\\nb", name: m}}]}', "spec.allocatableDevice[0].fake.uuid"),
        ('spec: {allocatableDevice: [{fake: {uuid: a, name: "m\\e"}}]}', "spec.allocatableDevice[0].fake.name"),
    ],
)
def test_bad_text_in_the_state_of_a_node_is_refused(
    crds: None, apiserver: ApiServer, namespace: str, field: str, path: str
) -> None:
    head = f"apiVersion: nas.{DRIVER_NAME}/v1alpha1\nkind: NodeAllocationState\n"
    state = f"{head}metadata: {{name: node, namespace: {namespace}}}\n{field}\n"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        apiserver.kubectl("create", "--filename=-", stdin=state)
    assert f"{path} in body should match" in refused.value.stderr


def test_what_was_stored_before_its_text_was_checked_can_be_changed_and_corrected(
    crds: None, apiserver: ApiServer, namespace: str
) -> None:
    """From Kubernetes 1.30 on a field that does not change is not checked again (CRDValidationRatcheting)."""
    kind = FakeClaimParameters
    unchecked = json.loads(json.dumps(definition(kind)))
    model = unchecked["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del model["selector"]["properties"]["model"]["pattern"]
    where = f"--namespace={namespace}"
    try:
        apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(unchecked))
        old = {"metadata": {"name": "old", "namespace": namespace}, "spec": {"selector": {"model": "a\x1bb"}}}
        wire = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind, **old}
        _until_taken(apiserver, json.dumps(wire))
    finally:
        apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(definition(kind)))
    _until_refused(apiserver, json.dumps({**wire, "metadata": {"generateName": "new-", "namespace": namespace}}))
    if apiserver.minor >= 30:
        apiserver.kubectl("label", "fcp/old", where, "changed=yes")
        apiserver.kubectl("patch", "fcp/old", where, "--type=merge", '--patch={"spec": {"count": 2}}')
    apiserver.kubectl("patch", "fcp/old", where, "--type=merge", '--patch={"spec": {"selector": {"model": "A100"}}}')
    apiserver.kubectl("delete", "fcp/old", where)


def _until_taken(apiserver: ApiServer, manifest: str) -> None:
    """Creates an object; a change of a CRD is served a moment later."""
    assert any(not _problem(apiserver, manifest) for _ in range(TRIES))


def _until_refused(apiserver: ApiServer, manifest: str) -> None:
    assert any("should match" in _problem(apiserver, manifest) for _ in range(TRIES))


def _problem(apiserver: ApiServer, manifest: str) -> str:
    try:
        apiserver.kubectl("create", "--filename=-", stdin=manifest)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


def test_columns_of_parameters_show_what_they_ask_for(apply: Apply, apiserver: ApiServer, namespace: str) -> None:
    apply("FakeClaimParameters", "{count: 2, split: 3, selector: {model: OLD}}")
    assert _columns(apiserver, "fcp", f"--namespace={namespace}")[1][:-1] == ["test", "2", "3", "OLD"]
    apply("DeviceClassParameters", '{deviceSelector: [{type: fake, name: "A-*"}, {type: "*", name: B}]}')
    selector = '[{"name":"A-*","type":"fake"},{"name":"B","type":"*"}]'
    assert _columns(apiserver, "dcp", "test")[1][:-1] == ["test", selector]


def _columns(apiserver: ApiServer, *arguments: str) -> list[list[str]]:
    """The cells of ``kubectl get``, by line."""
    return [line.split() for line in apiserver.kubectl("get", *arguments).splitlines()]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{}", "spec.effects: Required value"),
        ("{effects: {}}", "give at least one of health, taint, vanish, prepare, unprepare, binding, slicesLost and"),
        ("{effects: {vanish: false}}", "give at least one of health, taint, vanish, prepare, unprepare, binding"),
        ("{effects: {health: {state: Sick}}}", 'spec.effects.health.state: Unsupported value: "Sick"'),
        ("{effects: {taint: {value: a}}}", "spec.effects.taint.key: Required value"),
        ("{effects: {prepare: {}}}", "give fail, delaySeconds or both"),
        ("{effects: {prepare: {fail: {times: 0}}}}", "spec.effects.prepare.fail.times in body should be greater than"),
        ("{effects: {vanish: true}, target: {seed: 3}}", "seed chooses count devices: give count, too"),
        ("{effects: {vanish: true}, target: {nodes: [a, a]}}", 'spec.target.nodes[1]: Duplicate value: "a"'),
        ("{effects: {vanish: true}, duration: soon}", "spec.duration in body should match"),
        ("{effects: {vanish: true}, duration: 0s}", "must be from 1s to 87600h, which are ten years"),
        ("{effects: {vanish: true}, random: {seed: 1}}", "spec.random.meanTimeToRepair: Required value"),
        ("{effects: {vanish: true}, driverName: Not.A.Name}", "spec.driverName in body should match"),
        ("{effects: {vanish: true}, dration: 5m}", 'unknown field "spec.dration"'),
    ],
)
def test_faults_that_are_refused(crds: None, apiserver: ApiServer, spec: str, message: str) -> None:
    text = f"apiVersion: {DRIVER_NAME}/v1alpha1\nkind: DeviceFault\nmetadata: {{name: test}}\nspec: {spec}\n"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        apiserver.kubectl("apply", "--filename=-", stdin=text)
    assert message in str(caught.value.stderr)
