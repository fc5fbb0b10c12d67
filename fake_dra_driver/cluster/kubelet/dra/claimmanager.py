"""Has the claims of pods prepared before their containers start, and unprepared after the containers have ended.

Follows k8s.io/kubernetes/pkg/kubelet/cm/dra (manager.go) of 1.27 to 1.37:

- each claim is read from the API server, not from a cache that may lag, and has to belong to the pod, be allocated, and
  be reserved for the pod; from 1.28 to 1.30, claims that no container uses are left alone;
- a claim is prepared once on a node, however many pods share it, and unprepared when the last of them is done;
- all claims of a pod that belong to one driver go into one call, in classic DRA with the resource handle of each one's
  allocation; a claim of several drivers goes to each of them;
- what is prepared for which pod is kept on disk (``claimstate``), so that a kubelet that was restarted can unprepare
  without asking the API server. Whether it is prepared is not kept, so the kubelet prepares again after a restart;
  plugins have to be ready for that.

In one respect it behaves like 1.31 and later: which plugins are asked to prepare is written to disk before the call, so
a plugin whose answer got lost is asked to unprepare all the same.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceHandle
from fake_dra_driver.cluster.kinds import Container, Pod
from fake_dra_driver.cluster.kubelet.dra.calls import Failure, PluginError, PluginService
from fake_dra_driver.cluster.kubelet.dra.claimstate import ClaimInfo, ClaimState, DraError
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.runtime.errors import NotFoundError, RuntimeLayerError
from fake_dra_driver.runtime.keyedlock import KeyedLock

__all__ = ["ClaimManager", "Plugins"]

log = logger.bind(component="dra")


Claim = v1alpha2.ResourceClaim | v1.ResourceClaim
K = TypeVar("K", bound=KubeObject)


class _ClaimReader(Protocol):
    """What is needed of a ``Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads a claim."""
        ...


class Plugins(Protocol):
    """Where the drivers' plugins are found."""

    def client(self, driver: str) -> PluginService | None:
        """The plugin of a driver, if it has registered."""
        ...


class ClaimManager:
    """The claims on one node.

    Args:
        client: reads claims.
        plugins: the node's DRA plugins.
        folder: ``/var/lib/kubelet`` of the node, where the state file is.
        release: that of the kubelet.
    """

    def __init__(self, client: _ClaimReader, plugins: Plugins, folder: Path, release: Release) -> None:
        self._client = client
        self._plugins = plugins
        self._release = release
        version = release.structured_version
        self._kind: type[Claim] = RESOURCE_APIS[version].claims if version else v1alpha2.ResourceClaim
        self._state = ClaimState(folder)
        self._locks: KeyedLock[UID] = KeyedLock()
        # Of the claims, held from the decision to call until the answer is saved.

    async def load(self) -> None:
        """Reads what an earlier kubelet has left. Raises DraError when the file is damaged."""
        await self._state.load()

    def devices(self, pod: Pod, container: Container) -> Sequence[str]:
        """The CDI device names that a container of a prepared pod gets, in the order of its claims."""
        names: list[str] = []
        for wanted in container.resources.claims:
            for entry in pod.spec.resource_claims:
                key = claim_key(pod, entry) if entry.name == wanted.name else None
                claim = self._state.find(key, pod.uid) if key is not None else None
                if claim is not None:
                    devices = (device for found in claim.devices.values() for device in found)
                    names += [name for each in devices if each.is_for(wanted.request) for name in each.cdi_ids]
        return list(dict.fromkeys(names))

    # --- Prepare -------------------------------------------------------------------------------------------------

    async def prepare(self, pod: Pod) -> None:
        """Has all claims of a pod prepared. Costs a GET for each claim, even if all are prepared already.

        Raises:
            DraError: one of them could not be prepared. Others may be.
        """
        claims = [claim for claim in [await self._read(pod, entry.name) for entry in pod.spec.resource_claims] if claim]
        async with self._locks.hold(*(claim.metadata.uid for claim in claims)):
            batches: dict[str, list[ClaimInfo]] = {}
            for claim in claims:
                fresh = _info_of(claim)
                known = self._state.claims.setdefault(claim.uid, fresh)
                if pod.uid not in known.pods:
                    known.pods.append(pod.uid)
                if not known.is_prepared:
                    known.handles = fresh.handles
                    for driver in known.handles:
                        batches.setdefault(driver, []).append(known)
            if claims:
                await self._state.save()
            for driver, batch in batches.items():
                await self._call_prepare(driver, batch)
            for batch in batches.values():
                for known in batch:
                    known.is_prepared = True
            if batches:
                await self._state.save()

    async def _read(self, pod: Pod, name: str) -> Claim | None:
        """The claim of an entry, as it is now; None when there is nothing to prepare."""
        entry = next(each for each in pod.spec.resource_claims if each.name == name)
        key = claim_key(pod, entry)
        if key is None or not (self._release.prepares_unused_claims or _is_used(pod, name)):
            return None
        try:
            claim = await self._client.get(self._kind, key)
        except NotFoundError as error:
            raise DraError(f"the ResourceClaim {key} that the pod names does not exist") from error
        except RuntimeLayerError as error:
            raise DraError(f"the ResourceClaim {key} cannot be read: {error}") from error
        if entry.claim_name is None and not is_made_for(claim, pod):
            raise DraError(f"the ResourceClaim {key} was not made for this pod; another one has its name")
        if claim.status.allocation is None:
            raise DraError(f"the ResourceClaim {key} is not allocated")
        if not any(consumer.uid == pod.uid for consumer in claim.status.reserved_for):
            raise DraError(f"pod {pod.key} ({pod.uid}) is not in reservedFor of the ResourceClaim {key} ({claim.uid})")
        return claim

    async def _call_prepare(self, driver: str, batch: Sequence[ClaimInfo]) -> None:
        try:
            answers = await self._client_of(driver).prepare([claim.request(driver) for claim in batch])
        except PluginError as error:
            raise DraError(f"NodePrepareResources of {driver} failed: {error}") from error
        if unknown := set(answers) - {claim.uid for claim in batch}:
            raise DraError(f"{driver} answered for claims that it was not asked for: {', '.join(sorted(unknown))}")
        for claim in batch:
            answer = answers.get(claim.uid)
            if answer is None:
                raise DraError(f"{driver} gave no answer for claim {claim.namespace}/{claim.name}")
            if isinstance(answer, Failure):
                raise DraError(f"{driver} did not prepare claim {claim.namespace}/{claim.name}: {answer.message}")
            claim.devices[driver] = list(answer)

    # --- Unprepare -----------------------------------------------------------------------------------------------

    async def unprepare(self, pod: UID) -> None:
        """Removes a pod from its claims, and has those unprepared that no other pod on this node uses.

        Needs nothing of the API server: the claims may be gone.

        Raises:
            DraError: a plugin failed; to be tried again.
        """
        uids = [uid for uid, claim in self._state.claims.items() if pod in claim.pods]
        if not uids:
            return
        async with self._locks.hold(*uids):
            claims = [
                self._state.claims[uid]
                for uid in uids
                if uid in self._state.claims and pod in self._state.claims[uid].pods
            ]
            last = [claim for claim in claims if claim.pods == [pod]]
            batches: dict[str, list[ClaimInfo]] = {}
            for claim in last:
                claim.is_prepared = False
                for driver in claim.handles:
                    batches.setdefault(driver, []).append(claim)
            for driver, batch in batches.items():
                await self._call_unprepare(driver, batch)
            for claim in claims:
                claim.pods.remove(pod)
                if not claim.pods:
                    del self._state.claims[claim.uid]
            await self._state.save()

    async def _call_unprepare(self, driver: str, batch: Sequence[ClaimInfo]) -> None:
        try:
            answers = await self._client_of(driver).unprepare([claim.request(driver) for claim in batch])
        except PluginError as error:
            raise DraError(f"NodeUnprepareResources of {driver} failed: {error}") from error
        for claim in batch:
            if claim.uid not in answers:
                raise DraError(f"{driver} gave no answer for claim {claim.namespace}/{claim.name}")
            answer = answers[claim.uid]
            if answer is not None:
                raise DraError(f"{driver} did not unprepare claim {claim.namespace}/{claim.name}: {answer.message}")

    def users(self) -> Iterable[UID]:
        """The pods that claims here are held for."""
        return self._state.users()

    # --- Inside --------------------------------------------------------------------------------------------------

    def _client_of(self, driver: str) -> PluginService:
        client = self._plugins.client(driver)
        if client is None:
            raise DraError(f"no plugin of the driver {driver} is registered on this node")
        return client


def _is_used(pod: Pod, name: str) -> bool:
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    return any(claim.name == name for container in containers for claim in container.resources.claims)


def _info_of(claim: Claim) -> ClaimInfo:
    return ClaimInfo(claim.uid, claim.metadata.namespace, claim.metadata.name, _handles(claim))


def _handles(claim: Claim) -> dict[str, str]:
    """The drivers that a claim's devices belong to, with what they are told."""
    if isinstance(claim, v1.ResourceClaim):
        results = claim.status.allocation.devices.results if claim.status.allocation is not None else ()
        return {each.driver: "" for each in results}
    allocation = claim.status.allocation
    # An allocation without handles is prepared, too: by the claim's driver, which needs none.
    handles = (allocation.resource_handles if allocation is not None else ()) or (ResourceHandle(),)
    return {handle.driver_name or claim.status.driver_name: handle.data for handle in handles}
