"""What is prepared on a node that ceases to be simulated while a look at it is under way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra import NodeClaim
from fake_dra_driver.driver.fault.effects import NO_FAULTS, FaultEffects
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.claims import SimulatedClaims
from fake_dra_driver.driver.simulated.claimsofmode import ClaimsOfMode, NodeClaims
from fake_dra_driver.driver.simulated.simulatednode import SimulatedNode
from tests.support.events import Recorder
from tests.support.simulatedworld import MadeFleet


@dataclass(frozen=True)
class Used:
    """A claim with one device."""

    identity: NodeClaim
    holding: object = None


class OneClaim(ClaimsOfMode[Used], NodeClaims[Used]):
    """A claim on a node; ``meanwhile`` is called while it is found out what it gets."""

    kind = v1.ResourceClaim.resource

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None
        self.reported: list[str] = []
        self.forgotten: list[str] = []

    @override
    def in_use(self, state: NodeAllocationState) -> Sequence[Used]:
        return [Used(NodeClaim("default", "c", UID("u")))]

    @override
    def is_current(self, used: Used, prepared: FakePreparedClaim) -> bool:
        return True

    @override
    def restored(self, used: Used, state: NodeAllocationState) -> Sequence[FakePreparedDevice]:
        return []

    @override
    def on_node(
        self, mock: MockNode, effects: FaultEffects, prepared: Mapping[str, FakePreparedClaim]
    ) -> NodeClaims[Used]:
        return self

    @override
    def withdraw(self, prepared: FakePreparedClaim) -> None:
        raise AssertionError("nothing is unprepared")

    @override
    def withdraw_unused(self, state: NodeAllocationState) -> None:
        return

    @override
    def forget(self, node: str) -> None:
        self.forgotten.append(node)

    @override
    def devices(self, used: Used) -> Sequence[FakePreparedDevice]:
        self.meanwhile()
        return [FakePreparedDevice("device", "MODEL")]

    @override
    def report(self, used: Used, prepared: FakePreparedClaim) -> None:
        self.reported.append(prepared.uid)


async def test_nothing_is_said_of_a_node_that_another_speaks_for_meanwhile() -> None:
    fleet, mode = MadeFleet(), OneClaim()
    mock = fake_node("n", make_inventory("n", 1, ("MODEL",)))
    fleet.made["n"] = SimulatedNode("n", UID("node-n"), mock, NO_FAULTS)
    claims = SimulatedClaims(mode, fleet, Recorder())
    state = NodeAllocationState(metadata=ObjectMeta(name="n", namespace="fake"))
    mode.meanwhile = lambda: claims.forget("n")
    assert await claims.look(state) is None
    assert (mode.reported, mode.forgotten) == ([], ["n"])
    mode.meanwhile = lambda: None
    assert await claims.look(state) is not None
    assert mode.reported == ["u"]
