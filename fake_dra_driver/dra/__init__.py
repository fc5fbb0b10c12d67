"""Drivers of Dynamic Resource Allocation, for any device.

An author derives a class from ``Driver``, which says what a node has (``Device``), what claims may ask of it
(``DeviceConfig``) and what a container gets (``ContainerEdits``). The same class serves both protocols: classic DRA
(Kubernetes 1.27 to 1.30) and structured DRA (1.32 and later).

What that stands on is public too, for a driver whose devices such a class cannot describe:

- ``NodeDriver`` makes the devices of a claim ready on a node, or raises ``PrepareError``. ``KubeletPlugin`` does the
  rest: registration with the kubelet, sockets, and every gRPC version that kubelets speak (``KubeletInterface``).
  ``HealthReports`` take what the kubelet is to know about the health of devices. Where the old and the new pod of a
  driver may serve at once, ``FolderLock`` says whose turn it is to work on what is prepared.
- ``fake_dra_driver.dra.classic`` has the controller's side of classic DRA, where the driver allocates.
- ``fake_dra_driver.dra.structured`` has what a driver does in structured DRA, where the scheduler allocates.

A ``Reason`` says why an Event is written, and what a person can do about it. Names are imported when they are first
used: a controller loads no gRPC, a kubelet plugin no controllers.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.api.fieldproblem import FieldProblem, problems_of
    from fake_dra_driver.dra.driver.allocated import AllocatedDevice
    from fake_dra_driver.dra.driver.checks import DriverClassError
    from fake_dra_driver.dra.driver.config import DeviceConfig, NoConfig
    from fake_dra_driver.dra.driver.device import AttributeValue, Capacity, Device, Taint, Version
    from fake_dra_driver.dra.driver.driver import Driver
    from fake_dra_driver.dra.drivernames import DriverNames
    from fake_dra_driver.dra.node.calls import CallObserver
    from fake_dra_driver.dra.node.claim import NodeClaim
    from fake_dra_driver.dra.node.claimevents import ClaimEvents
    from fake_dra_driver.dra.node.classic import ClassicClaim
    from fake_dra_driver.dra.node.containeredits import ClaimFile, ContainerEdits, DeviceNode, Hook, Mount
    from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
    from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
    from fake_dra_driver.dra.node.durablefile import DurableFile
    from fake_dra_driver.dra.node.folderlock import FolderLock
    from fake_dra_driver.dra.node.health import DeviceHealth, Health, HealthReports
    from fake_dra_driver.dra.node.interface import CLASSIC, KUBELETS, STRUCTURED, KubeletInterface
    from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
    from fake_dra_driver.dra.node.pluginsockets import PluginSockets
    from fake_dra_driver.dra.node.prepared import (
        PreparedClaim,
        PreparedDevice,
        RequestResult,
        disputed_devices,
        find_holder,
    )
    from fake_dra_driver.dra.node.preparedmodel import (
        ADMIN_ACCESS,
        COMMON_DEVICE,
        CdiNames,
        PreparedModel,
        StoredDevice,
        StoredPart,
        StoredResult,
        claim_file_path,
        unique_name,
    )
    from fake_dra_driver.dra.program.project import project_of
    from fake_dra_driver.dra.program.run import command_line_of, run_driver
    from fake_dra_driver.dra.reason import Reason
    from fake_dra_driver.settings import Flag, Settings

__all__ = [
    "ADMIN_ACCESS",
    "CLASSIC",
    "COMMON_DEVICE",
    "KUBELETS",
    "STRUCTURED",
    "AllocatedDevice",
    "AttributeValue",
    "CallObserver",
    "Capacity",
    "CdiNames",
    "ClaimEvents",
    "ClaimFile",
    "ClassicClaim",
    "ContainerEdits",
    "Device",
    "DeviceConfig",
    "DeviceHealth",
    "DeviceMissingError",
    "DeviceNode",
    "Driver",
    "DriverClassError",
    "DriverNames",
    "DurableFile",
    "FieldProblem",
    "Flag",
    "FolderLock",
    "Health",
    "HealthReports",
    "Hook",
    "KubeletInterface",
    "KubeletPlugin",
    "Mount",
    "NoConfig",
    "NodeClaim",
    "NodeDriver",
    "PluginSockets",
    "PrepareError",
    "PreparedClaim",
    "PreparedDevice",
    "PreparedModel",
    "ReadyDevice",
    "Reason",
    "RequestResult",
    "Settings",
    "StoredDevice",
    "StoredPart",
    "StoredResult",
    "Taint",
    "Version",
    "claim_file_path",
    "command_line_of",
    "disputed_devices",
    "find_holder",
    "problems_of",
    "project_of",
    "run_driver",
    "unique_name",
]

_MODULES: Final = {
    "FieldProblem": ".api.fieldproblem",
    "problems_of": ".api.fieldproblem",
    "AllocatedDevice": "driver.allocated",
    "DriverClassError": "driver.checks",
    "DeviceConfig": "driver.config",
    "NoConfig": "driver.config",
    "AttributeValue": "driver.device",
    "Capacity": "driver.device",
    "Device": "driver.device",
    "Taint": "driver.device",
    "Version": "driver.device",
    "Driver": "driver.driver",
    "DriverNames": "drivernames",
    "CallObserver": "node.calls",
    "NodeClaim": "node.claim",
    "ClassicClaim": "node.classic",
    "ClaimFile": "node.containeredits",
    "ContainerEdits": "node.containeredits",
    "DeviceNode": "node.containeredits",
    "Hook": "node.containeredits",
    "Mount": "node.containeredits",
    "DeviceMissingError": "node.deviceerror",
    "NodeDriver": "node.driver",
    "PrepareError": "node.driver",
    "ReadyDevice": "node.driver",
    "DurableFile": "node.durablefile",
    "FolderLock": "node.folderlock",
    "ClaimEvents": "node.claimevents",
    "DeviceHealth": "node.health",
    "Health": "node.health",
    "HealthReports": "node.health",
    "CLASSIC": "node.interface",
    "KUBELETS": "node.interface",
    "KubeletInterface": "node.interface",
    "STRUCTURED": "node.interface",
    "KubeletPlugin": "node.kubeletplugin",
    "PluginSockets": "node.pluginsockets",
    "PreparedClaim": "node.prepared",
    "PreparedDevice": "node.prepared",
    "RequestResult": "node.prepared",
    "disputed_devices": "node.prepared",
    "find_holder": "node.prepared",
    "ADMIN_ACCESS": "node.preparedmodel",
    "COMMON_DEVICE": "node.preparedmodel",
    "CdiNames": "node.preparedmodel",
    "PreparedModel": "node.preparedmodel",
    "StoredDevice": "node.preparedmodel",
    "StoredPart": "node.preparedmodel",
    "StoredResult": "node.preparedmodel",
    "claim_file_path": "node.preparedmodel",
    "unique_name": "node.preparedmodel",
    "project_of": "program.project",
    "command_line_of": "program.run",
    "run_driver": "program.run",
    "Reason": "reason",
    "Flag": ".settings",
    "Settings": ".settings",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
