"""A cluster of classic DRA, with words for what people do in it and for what there is.

Every version that is stored is looked at, so that a device that two claims have at the same time, by what the claims
say or by the ledgers, is noticed at the write that makes it so; and so is a claim that is allocated before it is on
record.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim
from fake_dra_driver.cluster.apiserver.store.store import Event
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClaimTemplate, ResourceClass
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.driver.classic.handle import ClaimHandle
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError
from tests.crash.scenery import NAMESPACE, Scenery, Wire, persistently

__all__ = ["MODEL", "NAMESPACE", "Stage", "Wire", "devices_of", "ledger_of", "node_of", "splits_of"]

MODEL = "LATEST-FAKE-MODEL"
CLASS = "fake.3-shake.com"


def node_of(claim: Mapping[str, Any]) -> str | None:
    """Where the claim is allocated."""
    allocation = claim.get("status", {}).get("allocation")
    if not allocation:
        return None
    node: str = allocation["availableOnNodes"]["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
    return node


def splits_of(claim: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
    """The devices that the claim's allocation names, and into how many children each of them is split."""
    handles = (claim.get("status", {}).get("allocation") or {}).get("resourceHandles", ())
    return [
        (device.uuid, device.split) for handle in handles for device in ClaimHandle.from_data(handle["data"]).devices
    ]


def devices_of(claim: Mapping[str, Any]) -> Sequence[str]:
    """The devices that the claim's allocation names."""
    return [uuid for uuid, _ in splits_of(claim)]


def ledger_of(state: Mapping[str, Any]) -> Mapping[str, Sequence[tuple[str, int]]]:
    """By claim: the devices on record for it, and into how many children each of them is split."""
    entries = state.get("spec", {}).get("allocatedClaims", {})
    return {
        uid: [(device.get("uuid", ""), device.get("split", 0)) for device in entry.get("fake", {}).get("devices", ())]
        for uid, entry in entries.items()
    }


class Stage(Scenery):
    """One cluster, with the driver's kinds and class in it. ``furnish`` it before anything else."""

    def __init__(self) -> None:
        super().__init__("1.30")
        self.install: Callable[[str, int], Awaitable[None]] = self.state
        """Makes a node with so many devices known to the driver: by itself, as if its kubelet plugin had."""
        self.given_twice: list[str] = []
        """What was noticed of devices that two claims had at the same time, or could have had."""
        self._lost_ledgers: set[str] = set()
        """Nodes whose object was deleted, so that claims are allocated there that are not on record."""

    @override
    async def furnish(self) -> None:
        """Makes what the driver's chart installs."""
        await super().furnish()
        await self.create(ResourceClass, CLASS, namespace="", driverName=DRIVER_NAME)
        for kind in (ResourceClaim, NodeAllocationState):
            self._watch(kind)

    def keep(self) -> Callable[[], None]:
        """Keeps what there is; what it returns restores that, and nothing else stays. No client may be connected then.

        Starting each story from a kept state costs much less than building that state each time.
        """
        store = self.server._parts.store
        kept = [
            (key, dict(each._records), list(each._keys), deque(each._log)) for key, each in store._collections.items()
        ]
        revision = store.revisions.current

        def restore() -> None:
            for collection in store._collections.values():
                collection._records, collection._keys, collection._log = {}, [], deque()
            for key, records, keys, log in kept:
                collection = store.collection(key)
                collection._records, collection._keys, collection._log = dict(records), list(keys), deque(log)
            for collection in store._collections.values():
                collection._compacted = collection._watchable = 0
            store.revisions.current, store._compacted = revision, 0
            self.given_twice.clear()
            self._lost_ledgers.clear()
            self.install, self.repeats_events, self.skew = self.state, False, timedelta()

        return restore

    # --- what people do ---

    async def node(self, name: str, devices: int) -> None:
        """A node with so many devices, whose kubelet reports."""
        await self.create(Node, name, namespace="", status={"conditions": [{"type": "Ready", "status": "True"}]})
        # Admission gives each new Node a taint, which only the node lifecycle controller takes away.
        untainted = {"spec": {"taints": None}}
        await persistently(lambda: self.admin.merge_patch(Node, NamespacedName("", name), untainted))
        await self.install(name, devices)

    async def state(self, node: str, devices: int) -> None:
        """A node's NodeAllocationState, as its kubelet plugin makes it."""
        inventory = [{"fake": {"uuid": d.uuid, "name": d.model}} for d in make_inventory(node, devices, [MODEL])]
        owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": self.uid(Node, node, "")}
        metadata = {"name": node, "namespace": NAMESPACE, "ownerReferences": [owner]}
        wire = {"metadata": metadata, "spec": {"allocatableDevice": inventory}, "status": "Ready"}
        with suppress(AlreadyExistsError):
            await persistently(lambda: self.admin.create(NodeAllocationState.from_wire(wire)))

    async def parameters(self, name: str, count: int, split: int) -> None:
        """FakeClaimParameters."""
        spec = {"count": count, **({"split": split} if split else {})}
        await self.create(FakeClaimParameters, name, spec=spec)

    async def claim(
        self, name: str, *, count: int = 1, split: int = 0, mode: AllocationMode = "WaitForFirstConsumer"
    ) -> None:
        """A claim with parameters of its own."""
        await self.parameters(name, count, split)
        await self.create(ResourceClaim, name, spec=_claim_spec(name, mode))

    async def template(self, name: str, *, count: int = 1, split: int = 0) -> None:
        """A template of claims, with parameters of its own."""
        await self.parameters(name, count, split)
        spec = {"spec": _claim_spec(name, "WaitForFirstConsumer")}
        await self.create(ResourceClaimTemplate, name, spec=spec)

    async def pod(self, name: str, *claims: str, templates: Sequence[str] = ()) -> None:
        """A pod that uses claims, and those that are made from templates for it."""
        entries = [{"name": f"c{at}", "source": {"resourceClaimName": claim}} for at, claim in enumerate(claims)]
        entries += [{"name": each, "source": {"resourceClaimTemplateName": each}} for each in templates]
        uses = [{"name": entry["name"]} for entry in entries]
        container = {"name": "main", "image": "busybox", "resources": {"claims": uses}}
        await self.create(Pod, name, spec={"containers": [container], "resourceClaims": entries})

    async def strip(self, claim: str) -> None:
        """A user deletes a claim, and takes its finalizers off."""
        key = NamespacedName("default", claim)
        await self.delete(ResourceClaim, claim)
        with suppress(NotFoundError):
            await persistently(lambda: self.admin.merge_patch(ResourceClaim, key, {"metadata": {"finalizers": None}}))

    # --- what there is ---

    def is_running(self, pod: str) -> bool:
        """Whether the pod runs."""
        found = self.find(Pod, pod)
        return found is not None and found.get("status", {}).get("phase") == "Running"

    def allocated(self, claim: str) -> bool:
        """Whether the claim is allocated."""
        found = self.find(ResourceClaim, claim)
        return found is not None and node_of(found) is not None

    def describe(self) -> str:
        """What there is, in few lines, for a test that fails."""
        lines = []
        for pod in self.all(Pod):
            phase, node = pod.get("status", {}).get("phase"), pod["spec"].get("nodeName", "no node")
            lines.append(f"pod {_name(pod)}: {phase} on {node}")
        for claim in self.all(ResourceClaim):
            status, finalizers = claim.get("status", {}), claim["metadata"].get("finalizers", [])
            reserved = [consumer["name"] for consumer in status.get("reservedFor", [])]
            flags = " (deallocation requested)" if status.get("deallocationRequested") else ""
            lines.append(
                f"claim {_name(claim)}{flags}: {list(splits_of(claim))} on {node_of(claim)}, "
                f"for {reserved}, held by {finalizers}"
            )
        names = {claim["metadata"]["uid"]: claim["metadata"]["name"] for claim in self.all(ResourceClaim)}
        for state in self.all(NodeAllocationState):
            held = {names.get(uid, uid): list(entry) for uid, entry in ledger_of(state).items()}
            prepared = [names.get(uid, uid) for uid in state["spec"].get("preparedDevices", {})]
            lines.append(f"node {_name(state)} {state.get('status')}: on record {held}, prepared {prepared}")
        return "\n".join(lines)

    # --- the rest ---

    def _watch(self, kind: type[KubeObject]) -> None:
        """Looks at every version that is stored of a kind."""
        collection = self.server._parts.store.collection((kind.resource.group, kind.resource.plural))
        append = collection._append

        def watched(event: Event) -> None:
            append(event)
            if event.type == "DELETED" and kind is NodeAllocationState:
                self._lost_ledgers.add(event.record.key.name)
            self._notice_given_twice()

        collection._append = watched  # type: ignore[method-assign]  # the test's own server

    def _notice_given_twice(self) -> None:
        said: dict[str, str] = {}
        for claim in self.all(ResourceClaim):
            for uuid in devices_of(claim):
                other = said.setdefault(uuid, _name(claim))
                if other != _name(claim):
                    self.given_twice.append(f"device {uuid} was allocated to {other} and to {_name(claim)}")
        for state in self.all(NodeAllocationState):
            recorded: dict[str, str] = {}
            ledger = ledger_of(state)
            if _name(state) not in self._lost_ledgers:
                self.given_twice += [
                    f"claim {_name(claim)} was allocated before it was on record"
                    for claim in self.all(ResourceClaim)
                    if node_of(claim) == _name(state) and claim["metadata"]["uid"] not in ledger
                ]
            for uid, devices in ledger.items():
                for uuid, _ in devices:
                    if recorded.setdefault(uuid, uid) != uid:
                        self.given_twice.append(f"device {uuid} was on record for {recorded[uuid]} and for {uid}")


def _claim_spec(parameters: str, mode: AllocationMode) -> Wire:
    reference = {"apiGroup": DRIVER_NAME, "kind": "FakeClaimParameters", "name": parameters}
    return {"resourceClassName": CLASS, "parametersRef": reference, "allocationMode": mode}


def _name(wire: Wire) -> str:
    name: str = wire["metadata"]["name"]
    return name
