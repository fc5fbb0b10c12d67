"""This driver as a project of ``codegen``: its names, and what its chart has beyond that of any driver."""

from collections.abc import Mapping, Sequence
from typing import Final

from fake_dra_driver import __version__
from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    RESOURCE_CLASS_NAME,
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import PerRelease, Project, SourceTree, StatusReader, alert_rules
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.programs.settings import (
    ControllerSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.packaging.admission import driver_guards
from fake_dra_driver.packaging.alerts import ALERTS
from fake_dra_driver.packaging.dashboard import render_dashboard
from fake_dra_driver.packaging.permissions import driver_components, status_rules
from fake_dra_driver.settings import Settings

__all__ = ["CHART", "TREE", "claim_kinds", "driver_project"]

NAME: Final = "fake-dra-driver"
CHART: Final = f"deployments/helm/{NAME}"
"""Folder of the chart, in the source tree."""
TREE: Final = SourceTree(
    f"{NAME} generate", ("crds", CHART, "demo", "docs", "fake_dra_driver/preset/files"), remedy="make generate"
)
"""What is generated beside the project's files is in it, too."""
STAND_IN: Final = "driver.of.this.release.invalid"
"""For the driver's name in permissions, which is that of the release."""
_COMMANDS: Final[Mapping[str, type[Settings]]] = {
    "controller": ControllerSettings,
    "kubelet-plugin": KubeletPluginSettings,
    "webhook": WebhookSettings,
    "set-nas-status": SetNasStatusSettings,
}


def driver_project(
    commands: Mapping[str, type[Settings]] = _COMMANDS, kinds: tuple[type[CustomResource], ...] = KINDS
) -> Project:
    """The project.

    Args:
        commands: the settings of each command that the reference describes, in its order.
        kinds: the driver's own kinds.
    """
    by_resource = {kind.resource: kind for kind in kinds}
    names = names_of(STAND_IN)
    records = by_resource[NodeAllocationState.resource]
    return Project(
        name=NAME,
        driver_name=DRIVER_NAME,
        description="A Dynamic Resource Allocation driver for Kubernetes that offers mock devices",
        version=__version__,
        commands=commands,
        kinds=kinds,
        records=records,
        parameters=by_resource[FakeClaimParameters.resource],
        rbac=driver_components(names, claim_kinds(kinds)),
        guards=driver_guards(names, records),
        per_release=PerRelease(STAND_IN, by_resource[DeviceProfile.resource]),
        class_name=RESOURCE_CLASS_NAME,
        namespace="fake-system",
        # The names of the Go driver's programs.
        entry_points={
            "controller": ("fake-dra-controller",),
            "kubelet-plugin": ("fake-dra-kubeletplugin",),
            "set-nas-status": ("set-nas-status",),
        },
        status=StatusReader(f"{NAME} status", status_rules(claim_kinds(kinds))),
        alerts=alert_rules(NAME, ALERTS, TREE.header("fake_dra_driver/packaging/alerts.py")),
        dashboard=render_dashboard(TREE.header("fake_dra_driver/packaging/dashboard.py")),
        monitoring_page="docs/metrics.md",
        remedy=TREE.remedy,
    )


def claim_kinds(kinds: Sequence[type[CustomResource]]) -> tuple[type[CustomResource], ...]:
    """Without those that are about nodes."""
    about_nodes = (DeviceFault.resource, DeviceProfile.resource)
    return tuple(kind for kind in kinds if kind.resource not in about_nodes)
