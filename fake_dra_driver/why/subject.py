"""Which pod or claim is meant, and by which pod's eyes a claim is looked at."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.cluster.kinds import Namespace, Pod
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ForbiddenError, NotFoundError, RuntimeLayerError

__all__ = ["CannotExplainError", "Found", "Wanted", "find_subject", "parse_subject"]

K = TypeVar("K", bound=KubeObject)

MEANT: Final = 0.7
"""How alike names have to be for one to be taken for the other (difflib's ratio)."""
_POD: Final = frozenset({"pod", "pods", "po"})


class CannotExplainError(RuntimeLayerError):
    """There is nothing to explain, or it cannot be read; the text is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked about."""

    kind: Literal["Pod", "ResourceClaim"] | None
    """None: a pod, or a claim where there is no such pod."""
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is explained."""

    subject: Pod | v1.ResourceClaim
    pod: Pod | None
    """The pod whose claims are looked at; None: no pod uses the claim, or pods may not be read."""
    notes: tuple[str, ...] = ()


def parse_subject(text: str) -> Wanted:
    """Reads ``NAME`` or ``KIND/NAME``, which the settings have checked."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        return Wanted(None, name)
    return Wanted("Pod" if kind.lower() in _POD else "ResourceClaim", name)


async def find_subject(client: Client, api: ResourceApi, wanted: Wanted, namespace: str) -> Found:
    """Reads what was asked about.

    Raises:
        CannotExplainError: it does not exist, or may not be read.
        RuntimeLayerError: the API server cannot be asked.
    """
    key = NamespacedName(namespace, wanted.name)
    notes: list[str] = []
    pod = claim = None
    if wanted.kind != "ResourceClaim":
        try:
            pod = await _get(client, Pod, key)
        except CannotExplainError as error:
            if wanted.kind == "Pod":
                raise
            notes.append(str(error))
    if wanted.kind != "Pod":
        try:
            claim = await _get(client, api.claims, key)
        except CannotExplainError:
            if pod is None:
                raise
    if pod is not None:
        if claim is not None:
            notes.append(f"there is a claim of the same name as well: claim/{wanted.name}")
        return Found(pod, pod, tuple(notes))
    if claim is not None:
        user, more = await _user_of(client, claim)
        return Found(claim, user, (*notes, *more))
    raise CannotExplainError(await _not_there(client, api, wanted, namespace))


async def _get(client: Client, kind: type[K], key: NamespacedName) -> K | None:
    """The object; None where there is none. Raises CannotExplainError where it may not be read."""
    try:
        return await client.get(kind, key)
    except NotFoundError:
        return None
    except ForbiddenError as error:
        raise CannotExplainError(
            f"may not get {kind.resource.plural} in namespace {key.namespace}: {error.message}; see Permissions in "
            "docs/why.md"
        ) from error


async def _user_of(client: Client, claim: v1.ResourceClaim) -> tuple[Pod | None, tuple[str, ...]]:
    """The pod to look at a claim with: one that waits, or else any that uses it; and what there is to say about it."""
    try:
        listed = await client.list(Pod, claim.metadata.namespace)
    except ForbiddenError as error:
        return None, (f"may not list pods ({error.message}): which pod uses the claim is not known",)
    pods = [pod for pod in listed.items if claim.key in claim_keys(pod) and not pod.is_finished]
    if not pods:
        return None, ()
    chosen = min(pods, key=lambda pod: (bool(pod.spec.node_name), pod.metadata.name))
    if len(pods) == 1:
        return chosen, ()
    return chosen, (f"{len(pods)} pods use the claim; it is looked at for {chosen.metadata.name}",)


async def _not_there(client: Client, api: ResourceApi, wanted: Wanted, namespace: str) -> str:
    """That there is no such object, and which was probably meant."""
    what = {"Pod": "pod", "ResourceClaim": "claim", None: "pod or claim"}[wanted.kind]
    names: list[tuple[str, str]] = []
    kinds: tuple[tuple[str, type[KubeObject]], ...] = (("pod", Pod), ("claim", api.claims))
    for prefix, kind in kinds:
        try:
            listed = await client.list(kind, namespace)
        except ForbiddenError:
            continue  # it is only for the hint
        names += [(each.metadata.name, prefix) for each in listed.items]
    if not names and await _is_missing(client, namespace):
        return f"there is no namespace {namespace}; name another one with --namespace"
    close = get_close_matches(wanted.name, [name for name, _ in names], n=1, cutoff=MEANT)
    preferred = "claim" if wanted.kind == "ResourceClaim" else "pod"
    meant = sorted((each for each in names if each[0] in close), key=lambda each: each[1] != preferred)
    hint = f"; did you mean {meant[0][1]}/{meant[0][0]}?" if meant else "; name another one with --namespace"
    return f"there is no {what} {wanted.name} in namespace {namespace}{hint}"


async def _is_missing(client: Client, namespace: str) -> bool:
    try:
        await client.get(Namespace, NamespacedName("", namespace))
    except NotFoundError:
        return True
    except ForbiddenError:
        return False  # it is only for the hint
    return False
