"""Checks that a body is of the kind and version that the path names.

Follows k8s.io/apimachinery/pkg/runtime/serializer/versioning for built-in kinds and apiextensions-apiserver's
handler of custom resources, whose bodies have to say what they are.
"""

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, invalid, invalid_value
from fake_dra_driver.cluster.apiserver.store.store import Object, encode
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource

__all__ = ["check_builtin_kind", "check_kind"]

_ALSO_READ = {"Eviction": ("policy/v1beta1",)}
"""Older versions in which a kind without a resource of its own is still accepted."""


def check_kind(registry: Registry, resource: Resource, body: Object) -> None:
    """The body must name its kind and version; one of a built-in kind may name neither. Raises StatusError."""
    if not resource.custom:
        check_builtin_kind(registry, resource.group, resource.version, resource.kind, body)
        return
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not kind:
        shown = encode(body).decode()
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' is missing in "
            f"'{shown}' ({shown})"
        )
    if api_version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({api_version or ''}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise _wrong_custom_kind(resource, body)


def check_builtin_kind(registry: Registry, group: str, version: str, wanted: str, body: Object) -> None:
    """The body must be of this built-in kind, which need not have a resource, or not say. Raises StatusError (400)."""
    expected = f"{group}/{version}" if group else version
    kind, api_version = body.get("kind") or wanted, body.get("apiVersion") or expected
    if kind == wanted and api_version in (expected, *_ALSO_READ.get(wanted, ())):
        return
    given = str(api_version).rpartition("/")[2]
    if kind != wanted and registry.by_kind(str(api_version), str(kind)) is not None:
        problem = f"converting ({given}.{kind}) to ({group.split('.')[0] or 'core'}.{wanted}): unknown conversion"
    else:
        problem = f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:100"'
    raise bad_request(f'{kind} in version "{given}" cannot be handled as a {wanted}: {problem}')


def _wrong_custom_kind(resource: Resource, body: Object) -> StatusError:
    kind, name = str(body["kind"]), str((body.get("metadata") or {}).get("name", ""))
    problem = invalid_value("kind", f'"{kind}"', f"must be {resource.kind}")
    return invalid(resource.group, kind, name, [problem])
