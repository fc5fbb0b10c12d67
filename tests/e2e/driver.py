"""This project's driver, installed, as the tests see it: what is more than any driver has, and what must agree."""

from collections.abc import Mapping, Sequence
from typing import Final

from fake_dra_driver.api.fake import CDI_CLASS, CDI_VENDOR, NodeAllocationState
from fake_dra_driver.device.split import children
from fake_dra_driver.driver.names import NAMES
from tests.e2e.client import Client
from tests.e2e.installed import CONTROLLER, PLUGIN, InstalledDriver, ListFolder
from tests.e2e.protocol import CLASSIC, Claim, Protocol
from tests.e2e.waiting import wait_until

__all__ = [
    "COMMON_CDI_FILE",
    "CONTROLLER",
    "DRIVER_NAMESPACE",
    "PLUGIN",
    "Driver",
    "ListFolder",
    "check_ledger",
    "check_prepared",
]

DRIVER_NAMESPACE: Final = "fake-system"
"""Namespace and release name of the quickstart's helm command."""
_RELEASE: Final = "fake-dra-driver"

COMMON_CDI_FILE: Final = f"{CDI_VENDOR}-{CDI_CLASS}_common.yaml"


class Driver(InstalledDriver[NodeAllocationState]):
    """The release ``fake-dra-driver`` in the namespace ``fake-system``."""

    def __init__(self, client: Client, list_folder: ListFolder, protocol: Protocol = CLASSIC) -> None:
        super().__init__(
            client,
            list_folder,
            protocol,
            NAMES,
            NodeAllocationState,
            namespace=DRIVER_NAMESPACE,
            release=_RELEASE,
        )

    def wait_initial(self, initial: Mapping[str, Mapping[str, object]], seconds: float = 60) -> None:
        """Waits until nothing is left of any claim: object, finalizer, ledger, prepared devices, CDI file."""

        def clean() -> bool:
            claims = [f"{claim.key} (finalizers {list(claim.metadata.finalizers)})" for claim in self.claims()]
            assert not claims, f"claims left: {claims}"
            specs = self.specs()
            assert specs == initial, f"NodeAllocationStates: {specs}, initially: {initial}"
            files = self.cdi_files()
            assert set(files) == {COMMON_CDI_FILE}, f"CDI files: {files}"
            return True

        wait_until("everything is back to its initial state", clean, seconds)


def check_ledger(nodes: Sequence[NodeAllocationState], claims: Sequence[Claim], protocol: Protocol = CLASSIC) -> None:
    """What holds at every moment: no device has two claims, and what is prepared belongs to what is allocated.

    Args:
        nodes: read before ``claims``; a claim that was allocated in between is in no ledger yet.
        claims: each that says it is allocated must have the finalizer of who allocated it.
        protocol: of the cluster.
    """
    for nas in nodes:
        allocatable = {device.fake.uuid for device in nas.spec.allocatable_device if device.fake}
        holder: dict[str, str] = {}
        for uid, allocated in nas.spec.allocated_claims.items():
            assert allocated.fake is not None, f"{nas.key}: claim {uid} holds nothing"
            for device in allocated.fake.devices:
                assert device.uuid in allocatable, f"{nas.key}: claim {uid} holds {device.uuid}, which is not there"
                assert device.uuid not in holder, f"{nas.key}: {device.uuid} is held by {uid} and {holder[device.uuid]}"
                holder[device.uuid] = uid
    for claim in claims:
        assert not claim.status.allocation or protocol.claim_finalizer(NAMES) in claim.metadata.finalizers, (
            f"{claim.key}: no finalizer"
        )


def check_prepared(nas: NodeAllocationState, uid: str) -> Sequence[str]:
    """The UUIDs that are prepared for a claim; they must be exactly what its allocation stands for."""
    allocated, prepared = nas.spec.allocated_claims[uid].fake, nas.spec.prepared_devices[uid].fake
    assert allocated is not None, f"{nas.key}: claim {uid} holds nothing"
    assert prepared is not None, f"{nas.key}: nothing is prepared for claim {uid}"
    expected: list[tuple[str, str | None]] = []
    for device in allocated.devices:
        if device.split:
            expected += [(child, device.uuid) for child in children(device.uuid, device.split)]
        else:
            expected.append((device.uuid, None))
    assert [(device.uuid, device.parent_uuid) for device in prepared.devices] == expected
    return [uuid for uuid, _ in expected]
