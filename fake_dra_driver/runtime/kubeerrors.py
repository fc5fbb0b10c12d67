"""What the exceptions of kr8s and httpx say in terms of ``errors``, so that a reconciler may let them pass.

kr8s raises one ServerError for each answer that is an error, and its own NotFoundError for most of those with 404. A
conflict would be logged with a traceback, as a bug of the reconciler, instead of being tried again in silence. Verb,
kind and object are read from the request's URL.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import kr8s

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.errors import DeadlineError, RuntimeLayerError, Status, TransportError, api_error
from fake_dra_driver.runtime.patch import JSON_PATCH

__all__ = ["TRANSLATIONS"]

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH = re.compile(
    r"/(?:api/(?P<core>[^/]+)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?(?:/(?P<plural>[^/]+))?(?:/(?P<name>[^/]+))?"
)
"""Of ``/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME``, below the path of the server's address."""
_UNKNOWN = ResourceKind("", "", "", "object")
_NO_KEY = NamespacedName("", "")


def _of_server_error(error: kr8s.ServerError) -> RuntimeLayerError:
    response = error.response
    if response is None:
        return RuntimeLayerError(str(error))
    status = Status.from_body(response.status_code, response.content, response.headers.get("Retry-After"))
    is_json_patch = response.request.headers.get("Content-Type") == JSON_PATCH
    return api_error(status, *_target(response.request), is_json_patch=is_json_patch)


def _of_not_found(error: kr8s.NotFoundError) -> RuntimeLayerError:
    """Where kr8s has looked for an object by its name in a list, there is no answer with 404."""
    if isinstance(error.__cause__, kr8s.ServerError):
        return _of_server_error(error.__cause__)
    return api_error(Status(404, "NotFound", str(error), {"name": str(error)}), "get", _UNKNOWN, _NO_KEY)


def _of_timeout(error: kr8s.APITimeoutError) -> RuntimeLayerError:
    if not isinstance(error.__cause__, httpx.TimeoutException):
        return RuntimeLayerError(str(error))
    request = error.__cause__.request
    return DeadlineError(*_target(request), request.extensions.get("timeout", {}).get("read") or 0)


def _of_transport_error(error: httpx.TransportError) -> RuntimeLayerError:
    return TransportError(*_target(error.request), str(error))


TRANSLATIONS: Mapping[type[Exception], Callable[[Any], RuntimeLayerError]] = {
    kr8s.ServerError: _of_server_error,
    kr8s.NotFoundError: _of_not_found,
    kr8s.APITimeoutError: _of_timeout,
    httpx.TransportError: _of_transport_error,
}
"""By class; for ``errors.as_runtime_error``."""


def _target(request: httpx.Request) -> tuple[str, ResourceKind, NamespacedName]:
    """Verb, kind and key."""
    found = _PATH.search(request.url.path)
    if found is None:
        return _VERBS.get(request.method, request.method), _UNKNOWN, _NO_KEY
    at = found.groupdict(default="")
    kind = ResourceKind(at["group"], at["core"] or at["version"], "", at["plural"] or "resources")
    verb = _VERBS.get(request.method, request.method)
    if verb == "get" and not at["name"]:
        verb = "watch" if request.url.params.get("watch") else "list"
    return verb, kind, NamespacedName(at["namespace"], at["name"])
