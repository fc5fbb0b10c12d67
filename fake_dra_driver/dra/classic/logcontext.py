"""What the log lines of a pass say beside its key: a search for a claim's UID finds its story in both programs."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra.classic.driver import ControllerDriver
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["LogContext"]


class LogContext:
    """Claims, pods and nodes as log lines name them, from caches, as far as they are known."""

    def __init__(
        self,
        claims: Informer[ResourceClaim],
        contexts: Informer[PodSchedulingContext],
        pods: Informer[Pod],
        driver: ControllerDriver[Any],
    ) -> None:
        self._claims = claims
        self._contexts = contexts
        self._pods = pods
        self._driver = driver

    def of_claim(self, key: NamespacedName) -> Mapping[str, object]:
        """For a pass over a claim: its UID, the node that it is allocated on, the pods that it is reserved for."""
        found: dict[str, object] = {"claim": str(key)}
        with suppress(InvalidObjectError):
            claim = self._claims.get(key)
            if claim is not None:
                found["claim_uid"] = claim.uid
                if claim.status.allocation is not None and claim.status.driver_name == self._driver.name:
                    found["node"] = self._driver.node_of(claim.status.allocation)
                if claim.status.reserved_for:
                    found["pods"] = [consumer.name for consumer in claim.status.reserved_for]
        return found

    def of_pod(self, key: NamespacedName) -> Mapping[str, object]:
        """For a pass over a pod's scheduling: the node that was selected for it, the UIDs of its claims."""
        found: dict[str, object] = {"pod": str(key)}
        with suppress(InvalidObjectError):
            context, pod = self._contexts.get(key), self._pods.get(key)
            if context is not None and context.spec.selected_node:
                found["node"] = context.spec.selected_node
            claims = [self._claims.get(claim) for claim in claim_keys(pod)] if pod is not None else []
            found["claim_uids"] = [claim.uid for claim in claims if claim is not None]
        return found
