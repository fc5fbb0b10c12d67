"""What must hold once everything has settled, whatever has happened before."""

from fake_dra_driver.api.fake import CLAIM_FINALIZER, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.crash.stage import Stage, Wire, ledger_of, node_of, splits_of

__all__ = ["complaints"]


def complaints(stage: Stage) -> list[str]:
    """What is wrong; nothing, once everything has settled."""
    return [
        *stage.given_twice,
        *_ledger_complaints(stage),
        *_claim_complaints(stage),
        *_pod_complaints(stage),
    ]


def _ledger_complaints(stage: Stage) -> list[str]:
    """Ledger = claims, and those that were taken away from a pod that runs."""
    claims = {claim["metadata"]["uid"] for claim in stage.all(ResourceClaim)}
    recorded = {
        (state["metadata"]["name"], uid): devices
        for state in stage.all(NodeAllocationState)
        for uid, devices in ledger_of(state).items()
        if uid in claims or uid not in state["spec"].get("preparedDevices", {})
    }
    said = {
        (node, claim["metadata"]["uid"]): list(splits_of(claim))
        for claim in stage.all(ResourceClaim)
        if (node := node_of(claim)) is not None
    }
    return [] if recorded == said else [f"ledgers {recorded} differ from claims {said}"]


def _claim_complaints(stage: Stage) -> list[str]:
    """What is asked for is there, what is deleted is gone, and what no pod needs is free."""
    found = []
    users = {uid for pod in stage.all(Pod) for uid in _claims_of(stage, pod)}
    for claim in stage.all(ResourceClaim):
        name, is_used = claim["metadata"]["name"], claim["metadata"]["uid"] in users
        is_allocated, is_immediate = node_of(claim) is not None, claim["spec"]["allocationMode"] == "Immediate"
        if "deletionTimestamp" in claim["metadata"] and not is_used:
            found.append(f"claim {name} is deleted, and still there")
        if claim.get("status", {}).get("deallocationRequested"):
            found.append(f"claim {name} is to be deallocated, and is not")
        if is_allocated and not is_used and not is_immediate:
            found.append(f"claim {name} is allocated, and no pod uses it")
        if is_allocated and CLAIM_FINALIZER not in claim["metadata"].get("finalizers", ()):
            found.append(f"claim {name} is allocated without our finalizer")
        if is_allocated:
            found += _shape_complaints(stage, claim)
        elif is_immediate and "deletionTimestamp" not in claim["metadata"] and _fits(stage, [claim]):
            found.append(f"claim {name} is not allocated, and there is room for it")
    return found


def _shape_complaints(stage: Stage, claim: Wire) -> list[str]:
    count, split = _asked(stage, claim)
    splits = splits_of(claim)
    if len(splits) == count and all(found == split for _, found in splits):
        return []
    return [f"claim {claim['metadata']['name']} asks for {count} devices split {split}, and has {splits}"]


def _pod_complaints(stage: Stage) -> list[str]:
    found = []
    for pod in stage.all(Pod):
        name = pod["metadata"]["name"]
        if "deletionTimestamp" in pod["metadata"]:
            found.append(f"pod {name} is deleted, and still there")
        elif pod.get("status", {}).get("phase") != "Running" and _could_run(stage, pod):
            found.append(f"pod {name} does not run, and there is room for its claims")
    contexts = [context["metadata"]["name"] for context in stage.all(PodSchedulingContext)]
    return [*found, *(f"scheduling context {name} is left" for name in contexts if stage.is_running(name))]


def _could_run(stage: Stage, pod: Wire) -> bool:
    uids = _claims_of(stage, pod)
    claims = [claim for claim in stage.all(ResourceClaim) if claim["metadata"]["uid"] in uids]
    if len(claims) < len(pod["spec"].get("resourceClaims", ())):
        return False
    if any("deletionTimestamp" in claim["metadata"] for claim in claims):
        return False
    if pod["spec"].get("nodeName") and not all(_is_reserved_for(claim, pod) for claim in claims):
        return False  # they were created under the names of those that were taken away from it
    waiting = [claim for claim in claims if node_of(claim) is None]
    if any(claim["spec"]["allocationMode"] == "Immediate" for claim in waiting):
        return False
    nodes = {node for claim in claims if (node := node_of(claim)) is not None}
    return len(nodes) <= 1 and _fits(stage, waiting, nodes)


def _fits(stage: Stage, claims: list[Wire], nodes: set[str] | None = None) -> bool:
    """Whether one node has room for all of the claims."""
    wanted = sum(_asked(stage, claim)[0] for claim in claims)
    names = {node["metadata"]["name"] for node in stage.all(Node)}
    for state in stage.all(NodeAllocationState):
        name = state["metadata"]["name"]
        if name not in (nodes or names) or state.get("status") != "Ready":
            continue
        held = sum(len(devices) for devices in ledger_of(state).values())
        if len(state["spec"].get("allocatableDevice", ())) - held >= wanted:
            return True
    return False


def _is_reserved_for(claim: Wire, pod: Wire) -> bool:
    consumers = claim.get("status", {}).get("reservedFor", ())
    return any(consumer["uid"] == pod["metadata"]["uid"] for consumer in consumers)


def _asked(stage: Stage, claim: Wire) -> tuple[int, int]:
    parameters = stage.find(FakeClaimParameters, claim["spec"]["parametersRef"]["name"])
    assert parameters is not None
    return parameters["spec"]["count"], parameters["spec"].get("split", 0)


def _claims_of(stage: Stage, pod: Wire) -> set[str]:
    """The UIDs of the claims that the pod uses."""
    names = {each["name"]: each["resourceClaimName"] for each in pod["status"].get("resourceClaimStatuses", ())}
    found = set()
    for entry in pod["spec"].get("resourceClaims", ()):
        name = entry["source"].get("resourceClaimName") or names.get(entry["name"], "")
        claim = stage.find(ResourceClaim, name)
        if claim is not None:
            found.add(claim["metadata"]["uid"])
    return found
