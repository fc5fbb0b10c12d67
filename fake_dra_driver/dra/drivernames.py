"""The names that a driver has in a cluster and on a node, all made of its own: the only place that knows how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from fake_dra_driver.dra.fieldlimits import domain_problems

__all__ = ["DriverNames", "driver_name_problems"]

_PROTECTED: Final = (".k8s.io", ".kubernetes.io")
_MAX_LABEL: Final = 40
"""Of the first label: names of objects begin with it, and have 63 characters at most."""


def driver_name_problems(path: str, name: str) -> Iterator[str]:
    """What keeps a driver from having this name.

    Args:
        path: what to call it in the message.
        name: of the DRA driver.
    """
    label = name.partition(".")[0]
    if "." not in name or name != name.lower():
        # A CRD's group has to have a dot, and has no capitals.
        yield f"{path}: must be a domain in lower case, such as 'lamp.example.com', is {name!r}"
    elif name.endswith(_PROTECTED):
        # A CRD there needs the approval of Kubernetes (KEP-1111).
        yield f"{path}: must not be in a domain of Kubernetes, k8s.io and kubernetes.io, is {name}"
    elif len(label) > _MAX_LABEL:
        yield f"{path}: at most {_MAX_LABEL} characters before the first dot, has {len(label)}"
    else:
        yield from domain_problems(path, name)


@dataclass(frozen=True, slots=True)
class DriverNames:
    """Of one driver."""

    driver: str
    """Name of the DRA driver, a DNS subdomain such as ``lamp.example.com``."""
    short: str
    """What its programs, variables and metrics begin with, such as ``lamp``: a DNS label that begins with a letter."""
    cdi_class: str
    """Class of its CDI devices, such as ``lamp``."""
    kinds_of: str = ""
    """The driver whose kinds it uses, for one that runs under several names; empty: it has kinds of its own."""

    @classmethod
    def of(cls, driver: str) -> Self:
        """The names of a driver that has no other wishes: from the first label of its own."""
        label = driver.partition(".")[0]
        # Neither an environment variable nor a metric can begin with a digit.
        short = label if label[:1].isalpha() else f"dra-{label}"
        return cls(driver, short, short)

    # --- Programs

    @property
    def variables(self) -> str:
        """What the names of its environment variables begin with."""
        return f"{self.short.replace('-', '_').upper()}_"

    @property
    def metrics(self) -> str:
        """What the names of its metrics begin with."""
        return f"{self.short.replace('-', '_')}_"

    @property
    def program(self) -> str:
        """The program with all commands; also its image and its chart."""
        return f"{self.short}-driver"

    @property
    def controller(self) -> str:
        """The controller, in logs of the API server; also the name of the Lease whose holder allocates."""
        return f"{self.short}-controller"

    @property
    def kubelet_plugin(self) -> str:
        """The kubelet plugin, in logs of the API server."""
        return f"{self.short}-kubeletplugin"

    @property
    def event_component(self) -> str:
        """``source.component`` of its Events: what Kubernetes' library for classic controllers would use."""
        return f"resource driver {self.driver}"

    # --- Claims

    @property
    def finalizer(self) -> str:
        """On claims that are allocated in classic DRA."""
        return f"{self.driver}/deletion-protection"

    # --- CDI

    @property
    def cdi_vendor(self) -> str:
        """Vendor of its CDI devices."""
        return f"k8s.{self.driver}"

    @property
    def cdi_kind(self) -> str:
        """Vendor and class of its CDI devices."""
        return f"{self.cdi_vendor}/{self.cdi_class}"

    # --- Kinds

    @property
    def group(self) -> str:
        """API group of its kinds."""
        return self.kinds_of or self.driver

    @property
    def state_group(self) -> str:
        """API group of its NodeAllocationState."""
        return f"nas.{self.group}"

    @property
    def revision_annotation(self) -> str:
        """Decimal number, raised by each write to ``spec.allocatedClaims``: in ``spec`` it would change its shape."""
        return f"{self.state_group}/ledger-revision"

    @property
    def allocated_annotation(self) -> str:
        """Such as ``5/8``: devices that claims hold, of those that the node has, for ``kubectl get``."""
        return f"{self.state_group}/allocated-devices"

    @property
    def abandoned_annotation(self) -> str:
        """UIDs with commas between them: prepared claims that hold nothing, and that no pod on the node can use."""
        return f"{self.state_group}/abandoned-claims"

    @property
    def models_annotation(self) -> str:
        """Such as ``4 A100, 4 H100``: how many devices of which model the node has, for ``kubectl get``."""
        return f"{self.state_group}/models"
