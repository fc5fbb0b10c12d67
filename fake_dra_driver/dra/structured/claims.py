"""What a claim holds of one driver on one node, as the API server says at this moment.

In structured DRA the kubelet names a claim and nothing else; what was allocated stands in ``status.allocation``, which
the scheduler has written. A claim may have devices of several drivers: results and configuration of the others are left
out. The driver's devices of one node are a pool, which here is named by the caller.
"""

from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.structured.config import ConfigEntry, entries_of
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["AllocatedClaim", "ClaimClient", "ClaimReader", "HoldsNothingError", "request_result", "results_of"]

K = TypeVar("K", bound=KubeObject)

READ_TIMEOUT_SECONDS: Final = 1.5
"""Short, so that several tries fit into the kubelet's deadline."""


class HoldsNothingError(PrepareError):
    """The API server says for certain that the claim holds nothing here."""


@dataclass(frozen=True, slots=True)
class AllocatedClaim:
    """A claim, and what it holds of one driver on one node."""

    claim: v1.ResourceClaim
    """As the API server has it."""
    results: tuple[v1.DeviceRequestAllocationResult, ...]
    """The driver's devices of the node's pool, in the order of the allocation; at least one."""
    config: tuple[ConfigEntry, ...]
    """The driver's parameters, in order of precedence: later ones win."""

    @classmethod
    def of(cls, claim: v1.ResourceClaim, driver: str, pool: str) -> Self:
        """What a claim holds of the driver in the pool.

        Raises:
            HoldsNothingError: nothing.
        """
        results = results_of(claim, driver, pool)
        if not results:
            raise HoldsNothingError(f"{_named(claim)} {_why_nothing(claim, driver, pool)}")
        return cls(claim, results, entries_of(claim, driver))

    @property
    def identity(self) -> NodeClaim:
        """The claim, as the kubelet names it."""
        return NodeClaim(self.claim.metadata.namespace, self.claim.metadata.name, self.claim.uid)

    @property
    def holding(self) -> tuple[tuple[RequestResult, ...], tuple[ConfigEntry, ...]]:
        """What it was allocated, with its configuration: equal as long as it is the same allocation."""
        return tuple(map(request_result, self.results)), self.config

    def check_for_repeats(self) -> None:
        """Raises PrepareError where the allocation names a device, or a share of one, twice."""
        seen: set[tuple[str, str | None]] = set()
        for result in self.results:
            if (result.device, result.share_id) in seen:
                raise PrepareError(f"claim {self.claim.key}: its allocation has device {result.device} twice")
            seen.add((result.device, result.share_id))


class ClaimClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads an object from the API server."""
        ...


class ClaimReader:
    """Reads claims that the kubelet names: one request each, never from a cache, which might lag behind the kubelet.

    Args:
        client: reads them.
        api: in the version that the cluster serves.
        driver: whose devices count.
        pool: the node's pool.
        timeout_seconds: for one read.
    """

    def __init__(
        self,
        client: ClaimClient,
        api: ResourceApi,
        driver: str,
        pool: str,
        *,
        timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self._client = client
        self._api = api
        self._driver = driver
        self._pool = pool
        self._timeout_seconds = timeout_seconds

    async def read(self, claim: NodeClaim) -> AllocatedClaim:
        """What the claim holds here.

        Raises:
            HoldsNothingError: it is gone, or another claim has its name, or it is not allocated, or not here.
            RuntimeLayerError: the API server cannot be asked, or has a claim that the model refuses.
        """
        key = NamespacedName(claim.namespace, claim.name)
        try:
            found = await self._client.get(self._api.claims, key, timeout_seconds=self._timeout_seconds)
        except NotFoundError as error:
            if error.is_kind_missing:  # an API server that does not serve claims says nothing about this one
                raise
            raise HoldsNothingError(f"claim {claim} ({claim.uid}) does not exist any more") from error
        if found.uid != claim.uid:
            raise HoldsNothingError(
                f"claim {claim} ({claim.uid}) was deleted, and another claim has its name now ({found.uid})"
            )
        return AllocatedClaim.of(found, self._driver, self._pool)


def request_result(result: v1.DeviceRequestAllocationResult) -> RequestResult:
    """What is kept on the node of a device that was allocated."""
    return RequestResult(
        request=result.base_request,
        pool=result.pool,
        device=result.device,
        share_id=result.share_id,
        admin_access=bool(result.admin_access),
    )


def results_of(
    claim: v1.ResourceClaim, driver: str, pool: str | None = None
) -> tuple[v1.DeviceRequestAllocationResult, ...]:
    """The driver's devices that the claim was allocated, in the pool, or without one in any; none: not allocated."""
    if claim.status.allocation is None:
        return ()
    results = claim.status.allocation.devices.results
    return tuple(result for result in results if result.driver == driver and pool in (None, result.pool))


def _named(claim: v1.ResourceClaim) -> str:
    return f"claim {claim.key} ({claim.uid})"


def _why_nothing(claim: v1.ResourceClaim, driver: str, pool: str) -> str:
    """How the sentence goes on that begins with the claim's name."""
    if claim.status.allocation is None:
        return "is not allocated: the scheduler does that, but not for a pod that sets spec.nodeName itself"
    pools = sorted({result.pool for result in results_of(claim, driver)})
    if not pools:
        return f"holds no device of driver {driver}"
    return f"holds devices of driver {driver} in pool {', '.join(pools)}, none in pool {pool} of this node"
