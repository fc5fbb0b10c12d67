"""What admission makes of a new pod's service account: it must be there, and its token is mounted in every container.

Follows plugin/pkg/admission/serviceaccount of k8s.io/kubernetes. Secrets that an account does not list are not refused
(the annotation ``kubernetes.io/enforce-mountable-secrets``).
"""

from collections.abc import Callable, Iterator
from typing import Final

from fake_dra_driver.cluster.apiserver.errors import StatusError, not_admitted
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Store

__all__ = ["DefaultAccountMissingError", "admit_service_account"]

_DEFAULT: Final = "default"
_VOLUME: Final = "kube-api-access-"
_MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS: Final = 3607
"""Tells such a token from one that a client chose to let expire after an hour (WarnOnlyBoundTokenExpirationSeconds)."""
_READABLE: Final = 0o644


class DefaultAccountMissingError(StatusError):
    """403: the namespace does not have its account ``default`` yet, which a controller makes soon."""


def admit_service_account(store: Store, pod: Object, make_name: Callable[[str], str]) -> None:
    """Gives a new pod its service account.

    Args:
        store: where the accounts are.
        pod: the pod, which is changed.
        make_name: makes a name with a random end of its beginning.

    Raises:
        StatusError: 403, there is no such account.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    name = spec.get("serviceAccountName") or _DEFAULT
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    record = store.collection(("", "serviceaccounts")).get(Key(metadata["namespace"], name))
    if record is None:
        where = f"{metadata['namespace']}/{name}"
        refused = not_admitted(
            "", "pods", metadata["name"], f'error looking up service account {where}: serviceaccount "{name}" not found'
        )
        if name == _DEFAULT:
            raise DefaultAccountMissingError(refused.code, refused.reason, refused.message, refused.details)
        raise refused
    if _wants_token(record.value, spec):
        _mount_token(spec, make_name)
    if not spec.get("imagePullSecrets") and record.value.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(each) for each in record.value["imagePullSecrets"]]


def _wants_token(account: Object, spec: Object) -> bool:
    """The pod's wish wins, then that of its account."""
    for wish in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if wish is not None:
            return bool(wish)
    return True


def _mount_token(spec: Object, make_name: Callable[[str], str]) -> None:
    volumes = spec.get("volumes") or []
    present = next((each["name"] for each in volumes if each["name"].startswith(_VOLUME)), None)
    name = present or make_name(_VOLUME)
    is_needed = False
    for container in _containers(spec):
        mounts = container.setdefault("volumeMounts", [])
        if any(each.get("mountPath") == _MOUNT_PATH for each in mounts):
            continue
        mounts.append({"name": name, "readOnly": True, "mountPath": _MOUNT_PATH})
        is_needed = True
    if is_needed and present is None:
        spec["volumes"] = [*volumes, {"name": name, "projected": _token_source()}]


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _token_source() -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": _READABLE,
    }
