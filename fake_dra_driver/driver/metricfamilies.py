"""Every metric of this driver's programs, under the names that they have here."""

from typing import Final

from fake_dra_driver.dra.program import Section, sections
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.runtime import CounterFamily, GaugeFamily

__all__ = ["FAULTED_CALLS", "FAULTED_DEVICES", "METRICS_PREFIX", "SECTIONS"]

METRICS_PREFIX: Final = NAMES.metrics
"""What the names of this driver's own metrics begin with."""

_NODE: Final = ("node", "name of the plugin's own node")
_FAULT: Final = ("fault", "name of a DeviceFault; its series go with it")

FAULTED_DEVICES: Final = GaugeFamily(
    "faulted_devices",
    "Devices that a DeviceFault hits at the moment.",
    "devices",
    (_NODE, _FAULT),
    of_program=True,
)
FAULTED_CALLS: Final = CounterFamily(
    "faulted_calls_total",
    "Calls of the kubelet that a DeviceFault has made fail.",
    "calls",
    (_NODE, _FAULT, ("call", "`prepare` or `unprepare`")),
    of_program=True,
)

SECTIONS: Final[tuple[Section, ...]] = (
    *sections(METRICS_PREFIX),
    Section(
        "Faults",
        "Served by the kubelet plugin of each node, of the DeviceFaults that are about the node.",
        tuple(family.named(METRICS_PREFIX) for family in (FAULTED_DEVICES, FAULTED_CALLS)),
    ),
)
"""As documentation, dashboard and alerts name them."""
