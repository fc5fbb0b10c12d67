"""When the plugin's Events are written, and on which object. Their words are in ``test_told``."""

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import UID, ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.events import MAX_WAITING, NodeEvents
from fake_dra_driver.dra.nodestate.state import reference_of
from tests.support.events import Recorder
from tests.support.node import NODE, STATE


@pytest.fixture
def events() -> Recorder:
    return Recorder()


def test_only_the_latest_events_wait_for_the_objects_uid(events: Recorder) -> None:
    node = NodeEvents(events, reference_of(NodeAllocationState, STATE))
    for number in range(MAX_WAITING + 5):
        node.cdi_files_restored([str(number)])
    assert events.events == []
    node.object_found(UID("uid"))
    told = [message.rpartition(" ")[2] for _, _, message in events.events]
    assert told == [str(number) for number in range(5, MAX_WAITING + 5)]
    node.cdi_files_restored(["at once"])
    assert len(events.events) == MAX_WAITING + 1
    assert events.uids == {"uid"}


def test_events_after_a_replacement_are_about_the_new_object(events: Recorder) -> None:
    node = NodeEvents(events, reference_of(NodeAllocationState, STATE))
    for uid in ("first", "second"):
        node.object_found(UID(uid))
        node.plugin_stopped()
        assert events.abouts[-1] == reference_of(NodeAllocationState, STATE).model_copy(update={"uid": uid})


def test_an_event_about_a_node_is_sent_at_once(events: Recorder) -> None:
    """There need not be a NodeAllocationState."""
    kind = Node.resource
    about = ObjectReference(api_version=kind.api_version, kind=kind.kind, name=NODE, uid=UID(NODE))
    NodeEvents(events, about).plugin_stopped()
    assert events.abouts == [about]


def test_an_event_about_a_claim_names_the_served_api_version(events: Recorder) -> None:
    kind = ResourceKind("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
    ClaimEvents(events, NODE, lambda: kind).call_failed(
        "prepare", NodeClaim("default", "c", UID("uid")), "no such device"
    )
    assert events.abouts == [
        ObjectReference(
            api_version="resource.k8s.io/v1", kind="ResourceClaim", namespace="default", name="c", uid=UID("uid")
        )
    ]
    assert events.messages("PrepareFailed") == [f"on node {NODE}: no such device"]
