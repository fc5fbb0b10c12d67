"""Reports of a cluster in memory."""

import copy
from collections.abc import Sequence
from typing import Any, cast

from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.build import Reporter
from fake_dra_driver.status.faults import Availability
from fake_dra_driver.status.ourdriver import OurDriver
from fake_dra_driver.status.report import NodeReport, Report, WaitingClaim
from fake_dra_driver.status.reporteddriver import ReportedDriver
from fake_dra_driver.status.view import ClusterView
from tests.support.memory_api import MemoryApi, MemoryClient
from tests.support.world import NAMESPACE

OURS = OurDriver()


def view_of(
    api: MemoryApi,
    version: str = "v1alpha2",
    *,
    nodes_hidden: bool = False,
    faults: Availability = "readable",
    driver: ReportedDriver[Any, Any] = OURS,
) -> ClusterView[Any, Any]:
    """Everything that ``status`` would have read, with what its field selectors leave out left out."""
    client = cast("Client", MemoryClient(api))
    view = ClusterView.of(
        driver, Cache(client), client, DraApi(version), NAMESPACE, nodes_hidden=nodes_hidden, faults=faults
    )
    for informer in view.read:
        wires = [copy.deepcopy(wire) for wire in api.objects.get(informer.kind.resource.kind, {}).values()]
        selected = [wire for wire in wires if _is_selected(wire, informer.kind.resource.kind)]
        informer.replace(informer.read_items(selected), len(api.events))
    return view


def _is_selected(wire: dict[str, Any], kind: str) -> bool:
    match kind:
        case "Pod":
            return not wire.get("spec", {}).get("nodeName")
        case "Event":
            return wire.get("type") == "Warning" and wire["involvedObject"]["kind"] == "ResourceClaim"
    return True


def report_of(
    api: MemoryApi,
    nodes: Sequence[str] = (),
    version: str = "v1alpha2",
    *,
    nodes_hidden: bool = False,
    faults: Availability = "readable",
    driver: ReportedDriver[Any, Any] = OURS,
) -> Report:
    """The report that ``status`` would give on a cluster that serves this version of DRA."""
    return Reporter(
        view_of(api, version, nodes_hidden=nodes_hidden, faults=faults, driver=driver), NAMESPACE, nodes
    ).report()


def node_of(report: Report, name: str) -> NodeReport:
    """The node of that name."""
    return next(node for node in report.nodes if node.name == name)


def waiting_of(report: Report, name: str) -> WaitingClaim:
    """The waiting claim of that name."""
    return next(claim for claim in report.waiting if claim.name == name)
