"""The parts of a node with Fake devices, as the program puts them together."""

from collections.abc import Awaitable, Callable, Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.nodestate.nodeparts import StateNodeParts
from fake_dra_driver.dra.nodestate.published import PublishedState
from fake_dra_driver.dra.nodestate.state import StateClient
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.node.published import restored_by
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.events import EventSink

FakeNodeParts = StateNodeParts[NodeAllocationState, Device, FakePreparedDevice]


def fake_node_parts(
    *,
    state_key: NamespacedName,
    inventory: Sequence[Device],
    model: FakePreparedModel,
    planner: FakePlanner,
    files: NodeFiles[FakePreparedDevice],
    classic: Callable[[ClassicClaim], Awaitable[Sequence[FakePreparedDevice]]],
    states: Informer[NodeAllocationState],
    client: StateClient,
    events: EventSink,
    is_serving: Callable[[], bool],
    has_successor: Callable[[], Awaitable[bool]],
) -> FakeNodeParts:
    return StateNodeParts(
        layout=FakeStateLayout(),
        state_key=state_key,
        inventory=lambda: inventory,
        model=model,
        restore=restored_by(planner),
        files=files,
        classic=classic,
        states=states,
        client=client,
        events=events,
        is_serving=is_serving,
        has_successor=has_successor,
    )


def published_claims(
    state: Callable[[], NodeAllocationState | None], planner: FakePlanner
) -> PublishedState[NodeAllocationState, FakePreparedDevice]:
    return PublishedState(FakeStateLayout(), state, restored_by(planner))
