"""The Lease (k8s.io/api/coordination/v1): which one of several processes leads."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field, PlainSerializer

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ResourceKind, Time

__all__ = ["MAX_TRANSITIONS", "Lease", "LeaseSpec", "MicroTime"]


MAX_TRANSITIONS: Final = 2**31 - 1
"""An int32 on the wire, as the duration is."""


def _micro_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


MicroTime = Annotated[Time, PlainSerializer(_micro_time)]
"""metav1.MicroTime: RFC 3339 with six digits after the point, always; API servers refuse any other number of them."""


class LeaseSpec(ApiModel):
    """coordination.v1.LeaseSpec. Its times come from the holder's clock, so they are for people only."""

    holder_identity: str | None = None
    """The process that leads; empty after an orderly stop."""
    lease_duration_seconds: Annotated[int, Field(ge=1, le=MAX_TRANSITIONS)] | None = None
    """How long others wait after the last change that they have seen."""
    acquire_time: MicroTime | None = None
    renew_time: MicroTime | None = None
    lease_transitions: Annotated[int, Field(ge=0, le=MAX_TRANSITIONS)] | None = None
    """How often the lease has changed hands."""


class Lease(KubeObject):
    """coordination.k8s.io/v1 Lease."""

    resource = ResourceKind("coordination.k8s.io", "v1", "Lease", "leases")

    spec: LeaseSpec = Field(default_factory=LeaseSpec)
