"""docs/status.md: what ``status`` prints and means, from its own code: an example's table, fields, permissions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.device.inventory import make_uuids
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.nodestate.deviceuse import DeviceState
from fake_dra_driver.packaging.fieldtable import fields_of
from fake_dra_driver.packaging.permissions import status_rules
from fake_dra_driver.packaging.statusexamples import MOCKED_CARDS
from fake_dra_driver.render import render
from fake_dra_driver.status.report import (
    REASONS_TO_WAIT,
    ChildReport,
    ClaimReport,
    Counts,
    DeviceReport,
    ModelReport,
    NodeReport,
    Report,
    Summary,
    WaitingClaim,
)
from fake_dra_driver.status.table import NODE_STATES, NODES_BY_DEVICE, NODES_BY_LINE, Detail, table
from fake_dra_driver.tablelayout import Layout

__all__ = ["EXAMPLE", "render_status_page"]

_STATES: Final[dict[DeviceState, str]] = {
    "free": "the next claim can get it",
    "allocated": "a claim holds it, and the node has not prepared it (yet)",
    "prepared": "ready for the containers of the claim that holds it",
    "unavailable": "no claim holds it, and none can get it: the node takes no claims, the device is not healthy, it "
    "has a taint, or other devices have used up the counters that it needs",
    "missing": "a claim holds it, and the node does not have it (any more)",
}
_COLUMNS: Final = 120
"""Width of the example."""
_NARROW: Final = 100
"""Width of the example with partitions."""
_NODE: Final = "fake-dra-driver-cluster-worker"
_MODEL: Final = "LATEST-FAKE-MODEL"
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def render_status_page(header: str, kinds: Sequence[type[KubeObject]]) -> str:
    """The page as Markdown."""
    return render(
        "docs/status.md.j2",
        header=header,
        example=table(EXAMPLE, _NOW, Detail.SHORT, layout=Layout(_COLUMNS)),
        cards=table(MOCKED_CARDS, _NOW, Detail.SHORT, layout=Layout(_NARROW)),
        by_device=NODES_BY_DEVICE,
        by_line=NODES_BY_LINE,
        node_states=NODE_STATES,
        states=_STATES,
        reasons=REASONS_TO_WAIT,
        fields=list(fields_of(Report)),
        rules=status_rules(kinds),
    )


# --- The example: the quickstart's second and fifth test, and a claim that asks for too much


def _device(uuid: str, state: DeviceState, claim: ClaimReport | None = None, split: int = 0) -> DeviceReport:
    parts = (
        tuple(ChildReport(uuid=part, prepared=state == "prepared") for part in children(uuid, split)) if split else ()
    )
    return DeviceReport(uuid=uuid, model=_MODEL, state=state, claim=claim, children=parts)


def _example() -> Report:
    shared = ClaimReport(namespace="test2", name="pod0-shared-fake-qvddb", uid="1", pods=("pod0",))
    split = ClaimReport(namespace="test5", name="pod0-multiple-fakes-mbv9p", uid="2", pods=("pod0",))
    uses: Sequence[tuple[DeviceState, ClaimReport | None, int]] = (
        ("prepared", shared, 0),
        *(("prepared", split, 2) for _ in range(4)),
        *(("free", None, 0) for _ in range(3)),
    )
    devices = tuple(_device(uuid, *use) for uuid, use in zip(make_uuids(_NODE, len(uses)), uses, strict=True))
    counts = Counts(devices=8, free=3, prepared=5)
    models = (ModelReport(model=_MODEL, counts=counts),)
    node = NodeReport(
        name=_NODE,
        status="Ready",
        ready=True,
        node_status="Ready",
        counts=counts,
        models=models,
        claims=2,
        devices=devices,
        problems=(),
    )
    waiting = WaitingClaim(
        namespace="default",
        name="too-big",
        uid="3",
        class_name=RESOURCE_CLASS_NAME,
        mode="WaitForFirstConsumer",
        since=_NOW - timedelta(minutes=3),
        pods=("hungry",),
        reason="InsufficientDevices",
        message="asked for 9 devices on one node, which no node can give now: no node has more than 8: ask for 8 at "
        f"most, or add nodes that have more ({_NODE}: 3 of 8 devices free)",
    )
    return Report(
        driver=DRIVER_NAME,
        namespace="fake-system",
        summary=Summary(nodes=1, ready_nodes=1, counts=counts, models=models, claims=2, waiting=1, unused=0),
        nodes=(node,),
        waiting=(waiting,),
    )


EXAMPLE: Final = _example()
"""What the page shows."""
