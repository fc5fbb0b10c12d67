"""Settings of this driver's programs that run in a cluster: those of any driver's, and what a node has."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from fake_dra_driver.api.fake import DRIVER_NAME, MAX_DEVICES_PER_NODE, MODEL_PATTERN
from fake_dra_driver.device.inventory import DEFAULT_COUNT, DEFAULT_MODELS
from fake_dra_driver.dra import program as of_any_driver
from fake_dra_driver.driver.commandline import OfThisDriver
from fake_dra_driver.driver.simulated.selector import SimulatedNodes, parse_selector
from fake_dra_driver.settings import Allowed, DriverName, Flag, KubeconfigPath, NodeName, Settings

__all__ = ["ControllerSettings", "KubeletPluginSettings", "SetNasStatusSettings", "WebhookSettings"]

_COMPONENT: Final = of_any_driver.CommandSettings.group
_CLUSTER: Final = of_any_driver.CommandSettings.groups[0]


def _models(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


Models = Annotated[
    tuple[Annotated[str, Field(pattern=MODEL_PATTERN)], ...],
    BeforeValidator(_models),
    Field(min_length=1, max_length=MAX_DEVICES_PER_NODE),
    Allowed(
        f"1 to {MAX_DEVICES_PER_NODE} models, separated by commas, each of 1 to 63 letters, digits, dots, dashes and "
        "underscores, a letter or digit first and last"
    ),
]


class _Named(Settings):
    driver_name: Annotated[DriverName, Flag(_COMPONENT, "NAME", alias="DRIVER_NAME", in_chart=False)] = DRIVER_NAME
    """Name of the DRA driver. Several can be in one cluster and on one node, each under a name and in a namespace of
    its own."""


def _selector(text: str) -> str:
    parse_selector(text)
    return text


NodeSelector = Annotated[
    str,
    AfterValidator(_selector),
    Allowed("a selector as kubectl has it, such as a=b,c!=d,e in (x,y),f,!g, or nothing"),
]


class _SimulatedNodes(Settings):
    simulated_nodes_annotation_selector: Annotated[NodeSelector, Flag(metavar="SELECTOR", in_chart=False)] = (
        "kwok.x-k8s.io/node=fake"
    )
    """Nodes with these annotations are simulated: they have no kubelet plugin, and the controller publishes the devices
    that their DeviceProfile gives them. The default selects the nodes of KWOK. Empty: none is selected by its
    annotations."""
    simulated_nodes_label_selector: Annotated[NodeSelector, Flag(metavar="SELECTOR", unset="none", in_chart=False)] = ""
    """Nodes with these labels are simulated, too. Empty: none is selected by its labels."""


# Settings of a base that stands further back come first in help.
class ControllerSettings(OfThisDriver, _SimulatedNodes, of_any_driver.ControllerSettings, _Named):
    """Allocates devices to claims (classic DRA), or records what the scheduler has allocated (structured DRA): one
    works for the whole cluster, others stand by."""

    @property
    def simulated_nodes(self) -> SimulatedNodes:
        """Which Nodes are simulated."""
        return SimulatedNodes(
            annotations=parse_selector(self.simulated_nodes_annotation_selector),
            labels=parse_selector(self.simulated_nodes_label_selector),
        )


class _Devices(Settings):
    device_count: Annotated[int, Flag(metavar="N")] = Field(default=DEFAULT_COUNT, ge=0, le=MAX_DEVICES_PER_NODE)
    """Number of devices that the node has."""
    device_models: Annotated[Models, Flag(metavar="MODEL[,MODEL...]")] = DEFAULT_MODELS
    """Models of the devices: the first device has the first model, and so on; after the last comes the first again."""


# What is one name for other drivers, a ClassVar, is a setting here: it has to come before.
class KubeletPluginSettings(OfThisDriver, _Named, of_any_driver.KubeletPluginSettings, _Devices):
    """Serves the devices of one node to its kubelet: one on every node."""

    node_name: Annotated[NodeName, Flag(_COMPONENT, "NAME", alias="NODE_NAME", in_chart=False)]
    """Name of the node that this runs on. The UUIDs of its devices are a function of it."""


class SetNasStatusSettings(OfThisDriver, of_any_driver.SetNasStatusSettings, _Named):
    """Sets the status of a node's NodeAllocationState, and makes the object when there is none."""

    node_name: Annotated[NodeName, Flag(_COMPONENT, "NAME", alias="NODE_NAME", in_chart=False)]
    """Name of the node that this runs on. The UUIDs of its devices are a function of it."""


class WebhookSettings(OfThisDriver, of_any_driver.WebhookSettings, _Named):
    """Refuses claims with parameters that this driver cannot use, when they are created: an admission webhook."""

    kubeconfig: Annotated[
        KubeconfigPath,
        Flag(_CLUSTER, "PATH", unset="where kubectl looks, or the pod's own service account", in_chart=False),
    ] = ""
    """Kubeconfig file to read DeviceProfiles with, whose kinds of parameters are accepted. Without any credentials,
    those of the quickstart are."""
