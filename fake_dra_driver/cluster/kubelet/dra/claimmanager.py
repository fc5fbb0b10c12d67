"""Has the claims of pods prepared before their containers start, and unprepared after the containers have ended.

Follows k8s.io/kubernetes/pkg/kubelet/cm/dra (manager.go) of 1.27 to 1.37:

- each claim is read from the API server, not from a cache that may lag, and has to belong to the pod, be allocated, and
  be reserved for the pod; from 1.28 to 1.30, claims that no container uses are left alone;
- a claim is prepared once on a node, however many pods share it, and unprepared when the last of them is done;
- since 1.34 all claims of a pod are read, and the plugins of their drivers found, before any of it is written down, so
  that a pod whose driver is not there can be deleted; before that such a pod cannot end until the driver is back;
- all claims of a pod that belong to one driver go into one call, in classic DRA with the resource handle of each one's
  allocation; a claim of several drivers goes to each of them;
- the claim that the scheduler makes for a pod's extended resources is prepared with those that the pod names, and its
  devices go to the containers of ``status.extendedResourceClaimStatus``;
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

from fake_dra_driver.api.kube.core import PodResourceClaim
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_key, extended_claim_key, is_made_for
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceHandle
from fake_dra_driver.cluster.kinds import Container, Pod, ResourceClaimName
from fake_dra_driver.cluster.kubelet.dra.calls import Failure, PluginError, PluginService
from fake_dra_driver.cluster.kubelet.dra.claimstate import ClaimInfo, ClaimState, DraError
from fake_dra_driver.cluster.kubelet.dra.complaints import EARLY, LATER
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
        self._says = LATER if release.checks_claims_first else EARLY
        self._state = ClaimState(folder)
        self._locks: KeyedLock[UID] = KeyedLock()
        # Of the claims, held from the decision to call until the answer is saved.

    async def load(self) -> None:
        """Reads what an earlier kubelet has left. Raises DraError when the file is damaged."""
        await self._state.load()

    def devices(self, pod: Pod, container: Container) -> Sequence[str]:
        """The CDI device names that a container of a prepared pod gets, in the order of its claims."""
        names: list[str] = []
        for key, request in _requests_of(pod, container):
            claim = self._state.find(key, pod.uid)
            if claim is not None:
                devices = (device for found in claim.devices.values() for device in found)
                names += [name for each in devices if each.is_for(request) for name in each.cdi_ids]
        return list(dict.fromkeys(names))

    def claims_of(self, pod: Pod, container: Container) -> Iterable[tuple[ResourceClaimName, ClaimInfo]]:
        """The entries of a container's ``resources.claims``, with what is known of the claims that they name."""
        for wanted in container.resources.claims:
            entry = next((each for each in pod.spec.resource_claims if each.name == wanted.name), None)
            key = claim_key(pod, entry) if entry is not None else None
            claim = self._state.find(key, pod.uid) if key is not None else None
            if claim is not None:
                yield wanted, claim

    # --- Prepare -------------------------------------------------------------------------------------------------

    async def prepare(self, pod: Pod) -> None:
        """Has all claims of a pod prepared. Costs a GET for each claim, even if all are prepared already.

        Raises:
            DraError: one of them could not be prepared. Others may be.
        """
        try:
            await self._prepare(pod)
        except DraError as error:
            raise DraError(f"{self._says.preparing}{error}") from error

    async def _prepare(self, pod: Pod) -> None:
        claims = await self._read_all(pod)
        async with self._locks.hold(*(claim.metadata.uid for claim in claims)):
            batches: dict[str, list[ClaimInfo]] = {}
            for claim in claims:
                known = self._note(claim, pod)
                if not known.is_prepared:
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

    async def _read_all(self, pod: Pod) -> Sequence[Claim]:
        """The pod's claims, as they are now, each of which may be prepared."""
        claims = [claim for entry in pod.spec.resource_claims if (claim := await self._read(pod, entry)) is not None]
        extended = extended_claim_key(pod) if self._release.is_enabled("DRAExtendedResource") else None
        if extended is not None:
            claims.append(await self._usable(pod, extended))
        if self._release.checks_claims_first:
            for driver in (driver for claim in claims for driver in _handles(claim)):
                self._client_of(driver)
        return claims

    async def _read(self, pod: Pod, entry: PodResourceClaim) -> Claim | None:
        """The claim of an entry; None when there is nothing to prepare."""
        key = claim_key(pod, entry)
        if key is None or not (self._release.prepares_unused_claims or _is_used(pod, entry.name)):
            return None
        return await self._usable(pod, key, is_generated=entry.claim_name is None)

    async def _usable(self, pod: Pod, key: NamespacedName, *, is_generated: bool = False) -> Claim:
        """The claim, which the pod may use. Raises DraError."""
        says = self._says
        try:
            claim = await self._client.get(self._kind, key)
        except NotFoundError as error:
            missing = f'{self._kind.resource.plural}.{self._kind.resource.group} "{key.name}" not found'
            raise DraError(says.unreadable(key.name, pod, missing)) from error
        except RuntimeLayerError as error:
            raise DraError(says.unreadable(key.name, pod, error)) from error
        if is_generated and not is_made_for(claim, pod):
            raise DraError(f"ResourceClaim {key} was not created for Pod {pod.key} (Pod is not owner)")
        if not any(consumer.uid == pod.uid for consumer in claim.status.reserved_for):
            raise DraError(says.not_allowed(pod, claim))
        if claim.status.allocation is None:
            raise DraError(says.of_claim(claim, "not allocated"))
        return claim

    def _note(self, claim: Claim, pod: Pod) -> ClaimInfo:
        """Notes that the pod uses the claim. Raises DraError."""
        name, fresh = claim.metadata.name, _info_of(claim)
        if self._release.checks_claims_first:
            old = next((each for each in self._state.claims.values() if each.key == claim.key), fresh)
            if old.uid != claim.uid:
                raise DraError(
                    f"old ResourceClaim with same name {name} and different UID {old.uid} still exists "
                    "(previous pod force-deleted?!)"
                )
        known = self._state.claims.setdefault(claim.uid, fresh)
        if known.is_unpreparing and self._release.refuses_claims_being_unprepared:
            raise DraError(f"ResourceClaim {name} is being unprepared")
        if pod.uid not in known.pods:
            known.pods.append(pod.uid)
        if not known.is_prepared:
            known.handles = fresh.handles
        return known

    async def _call_prepare(self, driver: str, batch: Sequence[ClaimInfo]) -> None:
        call, says = "NodePrepareResources", self._says
        try:
            answers = await self._client_of(driver).prepare([claim.request(driver) for claim in batch])
        except PluginError as error:
            raise DraError(says.call_failed(call, error)) from error
        _check_asked(call, answers, batch)
        for claim in batch:
            answer = answers.get(claim.uid)
            if isinstance(answer, Failure):
                raise DraError(says.claim_failed(call, claim.namespace, claim.name, answer.message))
            if answer is not None:
                claim.devices[driver] = list(answer)
        if len(answers) < len(batch):
            raise DraError(says.left_out(call, len(batch) - len(answers)))

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
                claim.is_prepared, claim.is_unpreparing = False, True
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
        call, says = "NodeUnprepareResources", self._says
        try:
            answers = await self._client_of(driver).unprepare([claim.request(driver) for claim in batch])
        except PluginError as error:
            raise DraError(says.call_failed(call, error)) from error
        _check_asked(call, answers, batch)
        for claim in batch:
            answer = answers.get(claim.uid)
            if answer is not None:
                raise DraError(says.claim_failed(call, claim.namespace, claim.name, answer.message))
        if len(answers) < len(batch):
            raise DraError(says.left_out(call, len(batch) - len(answers)))

    def users(self, driver: str | None = None) -> Iterable[UID]:
        """The pods that claims here are held for; of one driver alone, if it is named."""
        return self._state.users(driver)

    # --- Inside --------------------------------------------------------------------------------------------------

    def _client_of(self, driver: str) -> PluginService:
        client = self._plugins.client(driver)
        if client is None:
            raise DraError(self._says.not_registered(driver))
        return client


def _check_asked(call: str, answers: Iterable[UID], batch: Sequence[ClaimInfo]) -> None:
    """Raises DraError when the plugin has answered for a claim that it was not asked for."""
    unknown = set(answers) - {claim.uid for claim in batch}
    if unknown:
        raise DraError(f"{call} returned result for unknown claim UID {min(unknown)}")


def _requests_of(pod: Pod, container: Container) -> Iterable[tuple[NamespacedName, str]]:
    """The claims that a container gets devices of, each with the request whose devices they are; empty: all of them."""
    for wanted in container.resources.claims:
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry) if entry.name == wanted.name else None
            if key is not None:
                yield key, wanted.request
    extended, status = extended_claim_key(pod), pod.status.extended_resource_claim_status
    if extended is not None and status is not None:
        for mapping in status.request_mappings:
            if mapping.container_name == container.name:
                yield extended, mapping.request_name


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
