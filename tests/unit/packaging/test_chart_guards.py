"""What a stolen token of the driver's can write, asked of a real API server with the chart's roles and policies."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import httpx
import pytest
import yaml

from fake_dra_driver.api.devicefault import MAX_LISTED_NODES, DeviceFault
from fake_dra_driver.api.fake import (
    ABANDONED_ANNOTATION,
    CLAIM_FINALIZER,
    DRIVER_NAME,
    EVENT_COMPONENT,
    LEDGER_REVISION_ANNOTATION,
    SIMULATED_LABEL,
    NodeAllocationState,
)
from fake_dra_driver.packaging.manifests import crd_manifests
from fake_dra_driver.packaging.project import driver_project
from tests.support.apiserver import ApiServer
from tests.unit.packaging.conftest import NAMESPACE, Manifests, version_of

pytestmark = pytest.mark.apiserver(policies=True)
classic = pytest.mark.apiserver(policies=True, classic=True)
structured = pytest.mark.apiserver(policies=True, structured=True)

Json = dict[str, Any]

NODE: Final = "node-a"
OTHER_NODE: Final = "node-b"
OTHER_DRIVER: Final = "other.example.com"
ON_NODE: Final = f"The kubelet plugin on the node {NODE} may"
ALLOWED: Final = ""
BY_KUBERNETES: Final = 'requires resource="resourceclaims/'
"""From 1.36 on: permissions of their own for the parts of a claim's status, judged before any policy."""
REFUSALS: Final = ("ValidatingAdmissionPolicy", BY_KUBERNETES)
TRIES: Final = 3000
"""How often something is tried that the server refuses only once it has seen a policy, which it watches for."""
PLUGIN: Final = ("DaemonSet", "fake-dra-driver-kubeletplugin")
CONTROLLER: Final = ("Deployment", "fake-dra-driver-controller")
INSTALLED: Final = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
POLICIES: Final = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
CONTROLLERS_OWN: Final = (LEDGER_REVISION_ANNOTATION, ABANDONED_ANNOTATION)
HELD: Final = {"held": {"fake": {"devices": [{"uuid": "u"}]}}}
"""What a NodeAllocationState has in ``allocatedClaims``."""


class Account:
    """Someone with a token, such as one of the driver's accounts.

    Args:
        apiserver: which judges.
        token: of the account.
        in_earnest: whether anything is changed; else it is for the server's answer alone.
    """

    def __init__(self, apiserver: ApiServer, token: str, *, in_earnest: bool = False) -> None:
        cluster = json.loads(apiserver.kubeconfig_for(token))["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._http = httpx.Client(
            base_url=apiserver.url,
            verify=ssl.create_default_context(cadata=authority),
            headers={"Authorization": f"Bearer {token}"},
            params={} if in_earnest else {"dryRun": "All"},
            timeout=60,
        )

    def create(self, where: str, manifest: Json) -> str:
        """Why an object cannot be created; empty when it can."""
        return _reason(self._http.post(where, json=manifest))

    def patch(self, where: str, patch: Json) -> str:
        """Why an object cannot be patched; empty when it can."""
        kind = {"Content-Type": "application/merge-patch+json"}
        return _reason(self._http.patch(where, json=patch, headers=kind))

    def replace(self, where: str, manifest: Json) -> str:
        """Why an object cannot be replaced; empty when it can."""
        return _reason(self._http.put(where, json=manifest))

    def delete(self, where: str) -> str:
        """Why an object cannot be deleted; empty when it can."""
        return _reason(self._http.delete(where))

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()


def _reason(response: httpx.Response) -> str:
    return "" if response.is_success else str(response.json()["message"])


def api(group: str, version: str, plural: str, namespace: str = NAMESPACE) -> str:
    """The path of a resource."""
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


STATES: Final = api(NodeAllocationState.resource.group, NodeAllocationState.resource.version, "nodeallocationstates")
OWN_STATE: Final = f"{STATES}/{NODE}"
OTHER_STATE: Final = f"{STATES}/{OTHER_NODE}"
EVENTS: Final = api("", "v1", "events")


def nas(name: str, **fields: object) -> Json:
    kind = NodeAllocationState.resource
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {},
        **fields,
    }


def event(name: str = "probe", *, kind: str = "ResourceClaim", about: str = "any", **fields: object) -> Json:
    """An Event as a kubelet plugin writes it, unless ``fields`` say otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "involvedObject": {"kind": kind, "name": about, "namespace": NAMESPACE},
        "reason": "Tested",
        "message": "tested",
        "type": "Normal",
        "source": {"component": EVENT_COMPONENT, "host": NODE},
        "reportingComponent": EVENT_COMPONENT,
        "reportingInstance": NODE,
        **fields,
    }


@pytest.fixture(scope="module")
def installed(rendered: Manifests, apiserver: ApiServer) -> Iterator[Manifests]:
    """The CRDs, accounts, roles and policies, and what tests try to change."""
    crds = yaml.safe_dump_all(crd_manifests())
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=crds)
    apiserver.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    applied = yaml.safe_dump_all(
        [one for (kind, _), one in rendered.items() if kind in {*INSTALLED, *POLICIES}]
        + [nas(name, spec={"allocatedClaims": HELD}, status="NotReady") for name in (NODE, OTHER_NODE)]
        + [event("ours"), event("foreign", source={"component": "kubelet", "host": NODE}, reportingComponent="kubelet")]
        + [event("elsewhere", source={"component": EVENT_COMPONENT, "host": OTHER_NODE}, reportingInstance=OTHER_NODE)]
    )
    apiserver.kubectl("apply", "--filename=-", stdin=applied)
    yield rendered
    apiserver.kubectl("delete", "--filename=-", "--ignore-not-found", stdin=applied)


def _account(installed: Manifests, apiserver: ApiServer, workload: tuple[str, str]) -> Account:
    """A component with the token of a pod on ``NODE``, as the kubelet mounts it."""
    name = installed[workload]["spec"]["template"]["spec"]["serviceAccountName"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload[1], "namespace": NAMESPACE},
        "spec": {"nodeName": NODE, "serviceAccountName": name, "containers": [{"name": "a", "image": "a"}]},
    }
    apiserver.kubectl("apply", "--filename=-", stdin=json.dumps(pod))
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={workload[1]}")
    return _with_token(apiserver, name, *bound)


def _with_token(apiserver: ApiServer, account: str, *bound: str) -> Account:
    return Account(apiserver, apiserver.kubectl("create", "token", account, f"--namespace={NAMESPACE}", *bound).strip())


def until_refused(*attempts: Callable[[], str]) -> None:
    """Returns once each of them is refused by a policy, or by what Kubernetes itself has of this kind."""
    for attempt in attempts:
        said = ""
        for _ in range(TRIES):
            if any(refusal in (said := attempt()) for refusal in REFUSALS):
                break
        else:
            raise AssertionError(said)


@pytest.fixture(scope="module")
def admin(installed: Manifests, apiserver: ApiServer) -> Iterator[Account]:
    """May do everything, and does it in earnest."""
    found = Account(apiserver, apiserver.token, in_earnest=True)
    yield found
    found.close()


@pytest.fixture(scope="module")
def plugin(installed: Manifests, apiserver: ApiServer) -> Iterator[Account]:
    """The kubelet plugin, with all that concerns it in force."""
    found = _account(installed, apiserver, PLUGIN)
    until_refused(
        lambda: found.patch(OTHER_STATE, {"status": "Ready"}),
        lambda: found.create(EVENTS, event(source={"component": "kubelet"})),
    )
    yield found
    found.close()


@pytest.fixture(scope="module")
def controller(installed: Manifests, apiserver: ApiServer) -> Iterator[Account]:
    """The controller, with all that concerns it in force."""
    found = _account(installed, apiserver, CONTROLLER)
    until_refused(
        lambda: found.patch(OWN_STATE, {"status": "Ready"}),
        lambda: found.create(EVENTS, event(source={"component": "kubelet"})),
    )
    yield found
    found.close()


def test_every_policy_of_the_chart_is_one_of_the_guards(installed: Manifests) -> None:
    named = {f"fake-dra-driver-{guard.name}" for guard in driver_project().guards}
    assert {name for kind, name in installed if kind in POLICIES} <= named


# --- The record of a node

_OWN_NODE = f"{ON_NODE} only write the NodeAllocationState of that node."
_LEDGER = "The kubelet plugin may not change allocatedClaims: the controller writes it."
_RECORD = "The controller may only change allocatedClaims"


@pytest.mark.parametrize(
    "patch",
    [
        {"status": "Ready"},
        {"spec": {"allocatableDevice": [{"fake": {"uuid": "u", "name": "m"}}], "preparedDevices": {}}},
        {"metadata": {"annotations": {"a": "b"}}},
    ],
    ids=str,
)
def test_the_plugin_writes_the_record_of_its_own_node_alone(plugin: Account, patch: Json) -> None:
    assert plugin.patch(OWN_STATE, patch) == ALLOWED
    assert _OWN_NODE in plugin.patch(OTHER_STATE, patch)


def test_the_plugin_creates_the_record_of_its_own_node_alone(plugin: Account, admin: Account) -> None:
    assert admin.delete(OWN_STATE) == ALLOWED
    try:
        assert plugin.create(STATES, nas(NODE)) == ALLOWED
        assert _LEDGER in plugin.create(STATES, nas(NODE, spec={"allocatedClaims": HELD}))
        assert _OWN_NODE in plugin.create(STATES, nas("node-c"))
    finally:
        assert admin.create(STATES, nas(NODE, spec={"allocatedClaims": HELD}, status="NotReady")) == ALLOWED


@pytest.mark.parametrize("entries", [None, {"held": None}, {"more": HELD["held"]}], ids=str)
def test_the_plugin_cannot_change_which_claims_hold_devices(plugin: Account, entries: object) -> None:
    assert _LEDGER in plugin.patch(OWN_STATE, {"spec": {"allocatedClaims": entries}})


@pytest.mark.parametrize("annotation", CONTROLLERS_OWN)
def test_the_plugin_cannot_change_the_annotations_of_the_controller(plugin: Account, annotation: str) -> None:
    said = plugin.patch(OWN_STATE, {"metadata": {"annotations": {annotation: "1"}}})
    assert f"The kubelet plugin may not change the annotation {annotation}: the controller writes it." in said


def test_the_controller_writes_which_claims_hold_devices(controller: Account) -> None:
    for node in (NODE, OTHER_NODE):
        entries = {
            "spec": {"allocatedClaims": {"more": HELD["held"]}},
            "metadata": {"annotations": {LEDGER_REVISION_ANNOTATION: "1"}},
        }
        assert controller.patch(f"{STATES}/{node}", entries) == ALLOWED


@pytest.mark.parametrize(
    "patch",
    [
        {"status": "Ready"},
        {"spec": {"allocatableDevice": [{"fake": {"uuid": "u", "name": "m"}}]}},
        {"spec": {"preparedDevices": {"a": {"fake": {"devices": []}}}}},
    ],
    ids=str,
)
def test_the_controller_writes_nothing_else_of_a_node(controller: Account, patch: Json) -> None:
    assert _RECORD in controller.patch(OWN_STATE, patch)


def marked(name: str = NODE, *, says: str = "true", **fields: object) -> Json:
    """A record with the label of nodes that have no plugin."""
    return {
        **nas(name, **fields),
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {SIMULATED_LABEL: says}},
    }


@pytest.fixture
def simulated(admin: Account) -> Iterator[Callable[..., str]]:
    """Creates a record; returns its path."""
    made: list[str] = []

    def create(record: Json) -> str:
        assert admin.create(STATES, record) == ALLOWED
        made.append(f"{STATES}/{record['metadata']['name']}")
        return made[-1]

    yield create
    for path in made:
        assert admin.delete(path) == ALLOWED


INVENTORY: Final[Json] = {"allocatableDevice": [{"fake": {"uuid": "u", "name": "m"}}]}


def test_the_controller_writes_the_records_of_nodes_without_a_plugin(
    controller: Account, simulated: Callable[[Json], str]
) -> None:
    until_refused(partial(controller.create, STATES, nas("kwok", status="Ready")))
    assert controller.create(STATES, marked("kwok", spec=INVENTORY, status="Ready")) == ALLOWED
    for record in (nas("kwok"), nas("kwok", status="NotReady"), marked("kwok", says="false", status="NotReady")):
        assert _RECORD in controller.create(STATES, record)
    path = simulated(marked("kwok", status="Ready"))
    assert controller.patch(path, {"spec": INVENTORY, "status": "NotReady"}) == ALLOWED
    assert _RECORD in controller.delete(path) or "cannot delete" in controller.delete(path)


def test_the_controller_leaves_such_a_record_as_a_plugin_does_that_stops(
    controller: Account, simulated: Callable[[Json], str]
) -> None:
    path = simulated(marked("kwok", status="Ready"))
    without: Json = {"metadata": {"labels": {SIMULATED_LABEL: None}}}
    assert _RECORD in controller.patch(path, without)
    assert controller.patch(path, {**without, "status": "NotReady"}) == ALLOWED


@pytest.mark.parametrize(
    ("record", "is_taken"),
    [
        (nas("kwok", status="NotReady"), True),
        (nas("kwok", status="Ready"), False),
        (marked("kwok", says="false", status="NotReady"), False),
    ],
    ids=["stopped", "serving", "taken over"],
)
def test_the_controller_takes_over_from_no_plugin_that_runs(
    controller: Account, simulated: Callable[[Json], str], record: Json, is_taken: bool
) -> None:
    patch: Json = {"metadata": {"labels": {SIMULATED_LABEL: "true"}}, "spec": INVENTORY, "status": "Ready"}
    said = controller.patch(simulated(record), patch)
    assert said == ALLOWED if is_taken else _RECORD in said


def test_a_plugin_takes_its_node_back(plugin: Account, simulated: Callable[[Json], str], admin: Account) -> None:
    assert admin.patch(OWN_STATE, {"metadata": {"labels": {SIMULATED_LABEL: "true"}}}) == ALLOWED
    taken: Json = {"metadata": {"labels": {SIMULATED_LABEL: "false"}}, "status": "NotReady"}
    assert plugin.patch(OWN_STATE, taken) == ALLOWED
    assert admin.patch(OWN_STATE, {"metadata": {"labels": {SIMULATED_LABEL: None}}}) == ALLOWED


# --- Events


@pytest.mark.parametrize(
    "allowed",
    [event(), event(kind="Node", about=NODE), event(kind="NodeAllocationState", about=NODE)],
    ids=lambda allowed: allowed["involvedObject"]["kind"],
)
def test_the_plugin_reports_about_claims_and_its_own_node(plugin: Account, allowed: Json) -> None:
    assert plugin.create(EVENTS, allowed) == ALLOWED


@pytest.mark.parametrize(
    "forged",
    [
        event(source={"component": "kubelet", "host": NODE}),
        event(reportingComponent="kubelet"),
        event(source={}),
        event(source={"component": EVENT_COMPONENT, "host": OTHER_NODE}),
        event(reportingInstance=OTHER_NODE),
        event(kind="Node", about=OTHER_NODE),
        event(kind="NodeAllocationState", about=OTHER_NODE),
        event(kind="Pod"),
        event(kind="Secret"),
        event(kind=""),
    ],
    ids=json.dumps,
)
def test_the_plugin_reports_in_no_other_name(plugin: Account, forged: Json) -> None:
    assert f"{ON_NODE} only write Events" in plugin.create(EVENTS, forged)


def test_events_of_others_are_not_changed(plugin: Account, controller: Account) -> None:
    assert plugin.patch(f"{EVENTS}/ours", {"count": 2}) == ALLOWED
    for name in ("foreign", "elsewhere"):
        assert "may only write Events" in plugin.patch(f"{EVENTS}/{name}", {"count": 2})
    taken_over = {"source": {"component": EVENT_COMPONENT}, "reportingComponent": EVENT_COMPONENT}
    assert "may only write Events" in controller.patch(f"{EVENTS}/foreign", taken_over)


@pytest.mark.parametrize("kind", ["Pod", "ResourceClaim", "NodeAllocationState", "FakeClaimParameters"])
def test_the_controller_reports_about_anything_in_its_own_name(controller: Account, kind: str) -> None:
    fields: Json = {"source": {"component": EVENT_COMPONENT}, "reportingInstance": ""}
    assert controller.create(EVENTS, event(kind=kind, **fields)) == ALLOWED
    forged = {**fields, "source": {"component": "default-scheduler"}}
    refused = f"The controller may only write Events of {EVENT_COMPONENT}."
    assert refused in controller.create(EVENTS, event(kind=kind, **forged))


# --- Claims of classic DRA


@pytest.fixture
def claims(admin: Account) -> Iterator[str]:
    """Claims of classic DRA, allocated by this driver or by another one, or by none; yields where they are."""
    where = api("resource.k8s.io", "v1alpha2", "resourceclaims")
    drivers = {"ours": DRIVER_NAME, "theirs": OTHER_DRIVER, "protected": "", "new": ""}
    for name, driver in drivers.items():
        finalizers = [] if name == "new" else [f"{driver or DRIVER_NAME}/deletion-protection"]
        claim = {
            "apiVersion": "resource.k8s.io/v1alpha2",
            "kind": "ResourceClaim",
            "metadata": {"name": name, "finalizers": ["example.com/kept", *finalizers]},
            "spec": {"resourceClassName": "any"},
        }
        assert admin.create(where, claim) == ALLOWED
        if driver:
            assert admin.patch(f"{where}/{name}/status", allocation(driver)) == ALLOWED
    yield where
    for name in drivers:
        assert admin.patch(f"{where}/{name}/status", allocation("")) == ALLOWED
        assert admin.patch(f"{where}/{name}", finalizers_of()) == ALLOWED
        assert admin.delete(f"{where}/{name}") == ALLOWED


def allocation(driver: str) -> Json:
    """What a driver writes into the status of a claim of classic DRA; none: the claim is not allocated."""
    found = {"driverName": driver, "allocation": {"shareable": True}}
    return {"status": found if driver else dict.fromkeys(found)}


def finalizers_of(*names: str) -> Json:
    """A patch that leaves these finalizers."""
    return {"metadata": {"finalizers": list(names)}}


@classic
def test_the_controller_sets_and_removes_its_own_finalizer_alone(controller: Account, claims: str) -> None:
    refused = f"The controller may only set and remove the finalizer {CLAIM_FINALIZER}."
    until_refused(partial(controller.patch, f"{claims}/new", finalizers_of()))
    assert controller.patch(f"{claims}/new", finalizers_of("example.com/kept", CLAIM_FINALIZER)) == ALLOWED
    assert controller.patch(f"{claims}/protected", finalizers_of("example.com/kept")) == ALLOWED
    for name, finalizers in (("new", []), ("theirs", ["example.com/kept"]), ("ours", [CLAIM_FINALIZER])):
        assert refused in controller.patch(f"{claims}/{name}", finalizers_of(*finalizers))
    for field in ({"labels": {"a": "b"}}, {"annotations": {"a": "b"}}):
        said = controller.patch(f"{claims}/ours", {"metadata": field})
        assert "The controller may not change labels, annotations and owners of claims." in said


@classic
def test_the_controller_allocates_for_its_own_driver_alone(controller: Account, claims: str) -> None:
    refused = f"The controller may only write the status of claims of the driver {DRIVER_NAME}."
    until_refused(partial(controller.patch, f"{claims}/theirs/status", allocation("")))
    assert controller.patch(f"{claims}/ours/status", allocation("")) == ALLOWED
    assert controller.patch(f"{claims}/protected/status", allocation(DRIVER_NAME)) == ALLOWED
    assert refused in controller.patch(f"{claims}/protected/status", allocation(OTHER_DRIVER))
    assert refused in controller.patch(f"{claims}/theirs/status", {"status": {"deallocationRequested": True}})


# --- Slices and claims of structured DRA


def slices(apiserver: ApiServer) -> str:
    return api("resource.k8s.io", version_of(apiserver), "resourceslices", namespace="")


def slice_(apiserver: ApiServer, name: str, **spec: object) -> Json:
    """An empty slice of the driver and the node, unless ``spec`` says otherwise."""
    pool = {"name": NODE, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": f"resource.k8s.io/{version_of(apiserver)}",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {"driver": DRIVER_NAME, "nodeName": NODE, "pool": pool, "devices": [], **spec},
    }


@structured
def test_the_plugin_writes_slices_of_its_own_node(plugin: Account, admin: Account, apiserver: ApiServer) -> None:
    where, own = slices(apiserver), slice_(apiserver, "own")
    assert plugin.create(where, own) == ALLOWED
    assert admin.create(where, own) == ALLOWED
    try:
        assert plugin.replace(f"{where}/own", own) == ALLOWED
        assert plugin.delete(f"{where}/own") == ALLOWED
    finally:
        assert admin.delete(f"{where}/own") == ALLOWED


@structured
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"nodeName": OTHER_NODE},
            f"The kubelet plugin on the node {NODE} may only write ResourceSlices of that node.",
        ),
        ({"nodeName": None, "allNodes": True}, "may only write ResourceSlices of that node."),
        ({"driver": OTHER_DRIVER}, f"may only write ResourceSlices of the driver {DRIVER_NAME}."),
    ],
    ids=["node", "all nodes", "driver"],
)
def test_the_plugin_writes_no_other_slices(
    plugin: Account, admin: Account, apiserver: ApiServer, spec: Mapping[str, Any], message: str
) -> None:
    where, other = slices(apiserver), slice_(apiserver, "other", **spec)
    until_refused(partial(plugin.create, where, other))
    assert message in plugin.create(where, other)
    assert admin.create(where, other) == ALLOWED
    try:
        assert message in plugin.replace(f"{where}/other", other)
        assert message in plugin.delete(f"{where}/other")
    finally:
        assert admin.delete(f"{where}/other") == ALLOWED


@structured
def test_the_plugin_offers_devices_in_the_pool_of_its_node_alone(
    plugin: Account, admin: Account, apiserver: ApiServer
) -> None:
    """Claims hold devices by driver, pool and name: in another node's pool they would be that node's devices."""
    where = slices(apiserver)
    forged = slice_(apiserver, "forged", pool={"name": OTHER_NODE, "generation": 1, "resourceSliceCount": 1})
    until_refused(partial(plugin.create, where, forged))
    refused = f"{ON_NODE} only write ResourceSlices of the pool of that node."
    assert refused in plugin.create(where, forged)
    assert admin.create(where, forged) == ALLOWED
    try:
        assert refused in plugin.replace(f"{where}/forged", forged)
        # It deletes what others have published for its node.
        assert plugin.delete(f"{where}/forged") == ALLOWED
    finally:
        assert admin.delete(f"{where}/forged") == ALLOWED


PUBLISHED: Final = {"annotations": {f"{DRIVER_NAME}/published": "1"}}


@structured
def test_the_controller_writes_slices_of_nodes_without_a_plugin(
    controller: Account, admin: Account, apiserver: ApiServer
) -> None:
    where = slices(apiserver)
    own = slice_(apiserver, "own")
    own["metadata"] |= PUBLISHED
    until_refused(partial(controller.create, where, slice_(apiserver, "own")))
    assert controller.create(where, own) == ALLOWED
    assert admin.create(where, own) == ALLOWED
    try:
        assert controller.replace(f"{where}/own", own) == ALLOWED
        assert controller.delete(f"{where}/own") == ALLOWED
    finally:
        assert admin.delete(f"{where}/own") == ALLOWED


@structured
@pytest.mark.parametrize(
    ("spec", "metadata", "message"),
    [
        ({"nodeName": OTHER_NODE}, PUBLISHED, "of single nodes, in the pool of the node's name."),
        ({"nodeName": None, "allNodes": True}, PUBLISHED, "of single nodes, in the pool of the node's name."),
        ({"driver": OTHER_DRIVER}, PUBLISHED, f"may only write ResourceSlices of the driver {DRIVER_NAME}."),
        ({}, {}, "and delete none without it: those are of kubelet plugins."),
    ],
    ids=["node", "all nodes", "driver", "a plugin's"],
)
def test_the_controller_writes_no_other_slices(
    controller: Account,
    admin: Account,
    apiserver: ApiServer,
    spec: Mapping[str, Any],
    metadata: Mapping[str, Any],
    message: str,
) -> None:
    where, other = slices(apiserver), slice_(apiserver, "other", **spec)
    other["metadata"] |= metadata
    until_refused(partial(controller.create, where, other))
    assert message in controller.create(where, other)
    assert admin.create(where, other) == ALLOWED
    try:
        assert message in controller.replace(f"{where}/other", other)
        assert message in controller.delete(f"{where}/other")
    finally:
        assert admin.delete(f"{where}/other") == ALLOWED


@structured
def test_the_controller_takes_over_slices_that_a_plugin_has_left(
    controller: Account, admin: Account, apiserver: ApiServer
) -> None:
    where, left, taken = slices(apiserver), slice_(apiserver, "left"), slice_(apiserver, "left")
    taken["metadata"] |= PUBLISHED
    assert admin.create(where, left) == ALLOWED
    try:
        until_refused(partial(controller.replace, f"{where}/left", left))
        assert controller.replace(f"{where}/left", taken) == ALLOWED
        refused = f"may only write ResourceSlices with the annotation {DRIVER_NAME}/published"
        assert refused in controller.replace(f"{where}/left", left)
    finally:
        assert admin.delete(f"{where}/left") == ALLOWED


def result(**fields: str) -> Json:
    """A device that a claim was allocated, of the driver and the node unless ``fields`` say otherwise."""
    return {"request": "a", "driver": DRIVER_NAME, "pool": NODE, "device": "d", **fields}


def told(**fields: object) -> Json:
    """What ``status.devices`` has of that device."""
    return {"driver": DRIVER_NAME, "pool": NODE, "device": "d", "data": {"a": 1}, **fields}


DROPS_DEVICES: Final = 32
"""The minor release with a feature gate of status.devices that is off."""
THEIRS: Final = {"driver": OTHER_DRIVER, "pool": "elsewhere"}
"""A device of another driver that each claim has as well."""


@pytest.fixture
def allocated(admin: Account, apiserver: ApiServer) -> Iterator[Callable[[Json], str]]:
    """Creates a claim that was allocated a device, and returns its status' path."""
    version = version_of(apiserver)
    where, made = api("resource.k8s.io", version, "resourceclaims"), []

    def create(first: Json) -> str:
        exactly = {"deviceClassName": "any"}
        requests = [{"name": name, **(exactly if version == "v1beta1" else {"exactly": exactly})} for name in "ab"]
        claim = {
            "apiVersion": f"resource.k8s.io/{version}",
            "kind": "ResourceClaim",
            "metadata": {"name": "probe"},
            "spec": {"devices": {"requests": requests}},
        }
        assert admin.create(where, claim) == ALLOWED
        made.append(f"{where}/probe")
        results = [first, result(request="b", **THEIRS)]
        chosen = {"key": "metadata.name", "operator": "In", "values": [first["pool"]]}
        selector = {"nodeSelectorTerms": [{"matchFields": [chosen]}]}
        allocation = {"devices": {"results": results}, "nodeSelector": selector}
        status = {"allocation": allocation, "devices": [told(**THEIRS)]}
        assert admin.patch(f"{where}/probe/status", {"status": status}) == ALLOWED
        return f"{where}/probe/status"

    yield create
    for path in made:
        assert admin.delete(path) == ALLOWED


@structured
def test_the_plugin_says_in_claims_how_the_devices_of_its_node_are(
    plugin: Account, apiserver: ApiServer, allocated: Callable[[Json], str]
) -> None:
    status = allocated(result())
    cleared: Json = {"status": {"allocation": None, "devices": None}}
    until_refused(partial(plugin.patch, status, cleared))
    assert plugin.patch(status, {"status": {"devices": [told(), told(**THEIRS)]}}) == ALLOWED
    kept = "The kubelet plugin may not change what a claim is allocated, nor for whom it is reserved."
    consumer = {"resource": "pods", "name": "p", "uid": "u"}
    for change in (cleared, {"status": {"reservedFor": [consumer]}}):
        said = plugin.patch(status, change)
        assert kept in said or BY_KUBERNETES in said
    if apiserver.minor > DROPS_DEVICES:
        for theirs in ([], [told(**THEIRS, data={"a": 2})]):
            said = plugin.patch(status, {"status": {"devices": [told(), *theirs]}})
            assert "may not change what other drivers and nodes say in status.devices." in said or BY_KUBERNETES in said


@structured
@pytest.mark.parametrize("first", [result(pool=OTHER_NODE), result(driver="third.example.com")], ids=str)
def test_the_plugin_says_nothing_in_other_claims(
    plugin: Account, allocated: Callable[[Json], str], first: Json
) -> None:
    status = allocated(first)
    devices = [told(driver=first["driver"], pool=first["pool"]), told(**THEIRS)]
    until_refused(partial(plugin.patch, status, {"status": {"devices": devices}}))
    said = plugin.patch(status, {"status": {"devices": devices}})
    assert f"{ON_NODE} only write the status of claims that hold devices of that node." in said or BY_KUBERNETES in said


@structured
def test_the_controller_says_in_claims_how_devices_of_its_driver_are_and_nothing_else(
    controller: Account, apiserver: ApiServer, allocated: Callable[[Json], str]
) -> None:
    status = allocated(result(pool=OTHER_NODE))
    theirs = told(**THEIRS)
    until_refused(partial(controller.patch, status, {"status": {"allocation": None, "devices": None}}))
    assert controller.patch(status, {"status": {"devices": [told(pool=OTHER_NODE), theirs]}}) == ALLOWED
    said = controller.patch(status, {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}})
    kept = "The controller may not change what a claim is allocated, nor for whom it is reserved."
    assert kept in said or BY_KUBERNETES in said
    if apiserver.minor > DROPS_DEVICES:
        said = controller.patch(status, {"status": {"devices": [told(**THEIRS, data={"a": 2})]}})
        assert (
            "The controller may not change what other drivers say in status.devices." in said or BY_KUBERNETES in said
        )


# --- Faults


CONDITION: Final = {
    "type": "Active",
    "status": "True",
    "reason": "Active",
    "message": "",
    "lastTransitionTime": "2026-11-30T12:00:00Z",
}


@pytest.fixture
def fault(admin: Account) -> Iterator[str]:
    """A DeviceFault that has hit another node; yields the path of its status."""
    where = api(DeviceFault.resource.group, DeviceFault.resource.version, "devicefaults", namespace="")
    made = {
        "apiVersion": DeviceFault.resource.api_version,
        "kind": "DeviceFault",
        "metadata": {"name": "hot"},
        "spec": {"effects": {"vanish": True}},
    }
    assert admin.create(where, made) == ALLOWED
    assert admin.patch(f"{where}/hot/status", {"status": {"nodes": [{"node": OTHER_NODE}]}}) == ALLOWED
    yield f"{where}/hot/status"
    assert admin.delete(f"{where}/hot") == ALLOWED


def test_the_plugin_says_of_a_fault_what_it_does_on_its_node(plugin: Account, fault: str) -> None:
    others: Json = {"status": {"nodes": [{"node": NODE}, {"node": OTHER_NODE, "times": 1}]}}
    until_refused(partial(plugin.patch, fault, others))
    assert plugin.patch(fault, {"status": {"nodes": [{"node": NODE, "times": 1}, {"node": OTHER_NODE}]}}) == ALLOWED
    refused = f"The kubelet plugin on the node {NODE} may only say in status.nodes what is with that node."
    nothing: Json = {"status": {"nodes": []}}
    for change in (others, nothing):
        assert refused in plugin.patch(fault, change)
    said = plugin.patch(fault, {"status": {"conditions": [CONDITION]}})
    assert "The kubelet plugin may not change status.conditions: the controller writes them." in said


def test_the_controller_says_of_a_fault_whether_it_can_be(controller: Account, fault: str) -> None:
    until_refused(partial(controller.patch, fault, {"status": {"nodes": []}}))
    assert controller.patch(fault, {"status": {"conditions": [CONDITION]}}) == ALLOWED
    assert "The controller may not change status.nodes" in controller.patch(fault, {"status": {"nodes": []}})
    kept, kwok = {"node": OTHER_NODE}, {"node": "kwok", "simulated": True}
    assert controller.patch(fault, {"status": {"nodes": [kept, kwok]}}) == ALLOWED
    for entries in ([kept, {"node": "kwok"}], [kwok], [{**kept, "times": 1}, kwok]):
        assert "The controller may not change status.nodes" in controller.patch(fault, {"status": {"nodes": entries}})


def test_the_controller_takes_over_what_a_plugin_has_left_in_a_fault_and_gives_it_back(
    controller: Account, admin: Account, fault: str
) -> None:
    kept, taken = {"node": OTHER_NODE}, {"node": NODE, "simulated": True, "times": 2}
    until_refused(partial(controller.patch, fault, {"status": {"nodes": []}}))
    for before in ({"node": NODE, "times": 1}, taken):
        assert admin.patch(fault, {"status": {"nodes": [before, kept]}}) == ALLOWED
        assert controller.patch(fault, {"status": {"nodes": [taken, kept]}}) == ALLOWED
    for entries in ([kept], [{"node": NODE, "times": 1}, kept]):
        assert controller.patch(fault, {"status": {"nodes": entries}}) == ALLOWED


def test_the_policy_on_faults_costs_no_more_than_an_api_server_allows(
    controller: Account, admin: Account, fault: str
) -> None:
    """With as many entries of both sorts as there is room for."""
    name = "a-node-with-a-name-that-is-rather-long.zone-1.example.com"
    half = MAX_LISTED_NODES // 2
    plugins = [{"node": f"{name}-{at}", "times": 1} for at in range(half)]
    ours: list[Json] = [{"node": f"{name}-{at}", "simulated": True} for at in range(half, 2 * half)]
    until_refused(partial(controller.patch, fault, {"status": {"nodes": []}}))
    assert admin.patch(fault, {"status": {"nodes": [*plugins, *ours]}}) == ALLOWED
    changed = [{**entry, "times": 1} for entry in ours]
    assert controller.patch(fault, {"status": {"nodes": [*plugins, *changed]}}) == ALLOWED
    said = controller.patch(fault, {"status": {"nodes": [*plugins[1:], *changed]}})
    assert "The controller may not change status.nodes" in said


# --- Tokens


def test_a_token_that_names_no_node_is_not_enough(plugin: Account, installed: Manifests, apiserver: ApiServer) -> None:
    unbound = _with_token(apiserver, installed[PLUGIN]["spec"]["template"]["spec"]["serviceAccountName"])
    for said in (unbound.patch(OWN_STATE, {"status": "Ready"}), unbound.create(EVENTS, event())):
        assert "The token of the kubelet plugin does not say on which node it runs" in said
    unbound.close()


def test_others_are_not_concerned(plugin: Account, apiserver: ApiServer) -> None:
    other = Account(apiserver, apiserver.token)
    assert other.patch(OTHER_STATE, {"status": "Ready", "spec": {"allocatedClaims": None}}) == ALLOWED
    assert other.create(EVENTS, event(source={"component": "kubelet"})) == ALLOWED
    other.close()
