"""Claims that pods wait for, and that are not there: what a pod names does not exist, or was never made of a template.

Nothing says whose devices a claim that does not exist would ask for, so pods that wait for other drivers are among
these.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from fake_dra_driver.api.kube.core import Pod, PodResourceClaim
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.report import WaitingClaim, WaitReason
from fake_dra_driver.untrustedtext import short_name

__all__ = ["UnmadeClaims"]

PodT = TypeVar("PodT", bound=Pod)
ClaimT = TypeVar("ClaimT", bound=KubeObject)
TemplateT = TypeVar("TemplateT", bound=KubeObject)


class UnmadeClaims(Generic[PodT, ClaimT, TemplateT]):
    """Answers from caches.

    Args:
        pods: those without a node.
        claims: of either mode.
        templates: likewise.
        is_ours: whether the claims of a template concern this driver.
    """

    def __init__(
        self,
        pods: Informer[PodT],
        claims: Informer[ClaimT],
        templates: Informer[TemplateT],
        is_ours: Callable[[TemplateT], bool],
    ) -> None:
        self._pods = pods
        self._claims = claims
        self._templates = templates
        self._is_ours = is_ours

    def find(self) -> Iterator[WaitingClaim]:
        """The claims that are missing, one for each entry of each pod."""
        for pod in self._pods.list():
            if not pod.is_deleting:
                for entry in pod.spec.resource_claims:
                    yield from self._judge(pod, entry)

    def _judge(self, pod: Pod, entry: PodResourceClaim) -> Iterable[WaitingClaim]:
        if entry.claim_name is not None:
            if not self._exists(entry.claim_name, pod):
                wanted = short_name(entry.claim_name)
                message = f"pod {pod.metadata.name} names claim {wanted}, which does not exist: create it"
                yield _waiting(pod, entry.claim_name, "ClaimNotFound", message)
            return
        if entry.template_name is None or _needs_none(pod, entry) or self._is_made(pod, entry):
            return
        name, wanted = f"{pod.metadata.name}-{entry.name}", short_name(entry.template_name)
        try:
            template = self._templates.get(NamespacedName(pod.metadata.namespace, entry.template_name))
        except InvalidObjectError:
            return  # the claim that is made of it is what people look at
        if template is None:
            message = (
                f"pod {pod.metadata.name} needs a claim of template {wanted}, which does not exist: "
                "create the ResourceClaimTemplate"
            )
            yield _waiting(pod, name, "TemplateNotFound", message)
        elif self._is_ours(template):
            message = (
                f"the claim of template {wanted} for pod {pod.metadata.name} has not been made yet: if it "
                "stays so, the pod's Events say why"
            )
            yield _waiting(pod, name, "ClaimNotMade", message)

    def _is_made(self, pod: Pod, entry: PodResourceClaim) -> bool:
        key = claim_key(pod, entry)
        try:
            claim = None if key is None else self._claims.get(key)
        except InvalidObjectError:
            return True
        return claim is not None and is_made_for(claim, pod)

    def _exists(self, claim: str, pod: Pod) -> bool:
        try:
            return self._claims.get(NamespacedName(pod.metadata.namespace, claim)) is not None
        except InvalidObjectError:
            return True


def _needs_none(pod: Pod, entry: PodResourceClaim) -> bool:
    """Whether Kubernetes has found that the pod needs no claim for the entry, which it says by leaving its name out."""
    statuses = pod.status.resource_claim_statuses or ()
    return any(status.name == entry.name and status.resource_claim_name is None for status in statuses)


def _waiting(pod: Pod, name: str, reason: WaitReason, message: str) -> WaitingClaim:
    return WaitingClaim(
        namespace=pod.metadata.namespace,
        name=name,
        uid="",
        class_name="",
        mode="WaitForFirstConsumer",
        since=pod.metadata.creation_timestamp,
        pods=(pod.metadata.name,),
        reason=reason,
        message=message,
    )
