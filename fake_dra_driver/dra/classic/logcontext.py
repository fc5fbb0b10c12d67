"""What the log lines of a pass say beside its key: a search for a claim's UID finds its story in both programs."""

from collections.abc import Mapping
from contextlib import suppress

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["LogContext"]


class LogContext:
    """Claims, pods and nodes as log lines name them, from caches, as far as they are known."""

    def __init__(self, caches: ClassicCaches) -> None:
        self._caches = caches

    def of_claim(self, key: NamespacedName) -> Mapping[str, object]:
        """For a pass over a claim: its UID, the node that it is allocated on, the pods that it is reserved for."""
        found: dict[str, object] = {"claim": str(key)}
        with suppress(InvalidObjectError):
            claim = self._caches.claims.get(key)
            if claim is not None:
                found["claim_uid"] = claim.uid
                if (node := self._caches.node_of(claim)) is not None:
                    found["node"] = node
                if claim.status.reserved_for:
                    found["pods"] = [consumer.name for consumer in claim.status.reserved_for]
        return found

    def of_pod(self, key: NamespacedName) -> Mapping[str, object]:
        """For a pass over a pod's scheduling: the node that was selected for it, the UIDs of its claims."""
        found: dict[str, object] = {"pod": str(key)}
        with suppress(InvalidObjectError):
            context, pod = self._caches.contexts.get(key), self._caches.pods.get(key)
            if context is not None and context.spec.selected_node:
                found["node"] = context.spec.selected_node
            claims = [self._caches.claims.get(claim) for claim in claim_keys(pod)] if pod is not None else []
            found["claim_uids"] = [claim.uid for claim in claims if claim is not None]
        return found
