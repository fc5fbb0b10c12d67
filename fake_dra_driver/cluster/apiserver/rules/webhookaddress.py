"""Where a webhook may be: at a URL, or behind a service.

Follows k8s.io/apiserver/pkg/util/webhook (validation.go) and, of URLs, what net/url of Go refuses.
"""

import re
from ipaddress import IPv6Address

from fake_dra_driver.cluster.apiserver.errors import Problem, go_quoted, go_value, invalid_value, required
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_subdomain

__all__ = ["validate_client_config"]

_FORM = "; desired format: https://host[/path]"
_LAST_PORT = 65535
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARTS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")
"""Scheme, authority, path, query, fragment."""
_PORT = re.compile(r"(:[0-9]*)?")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_ESCAPE = re.compile(r"%.{0,2}")
_NOT_IN_HOST = re.compile(r"""[^A-Za-z0-9\-_.~!$&'()*+,;=:\[\]<>"%\x80-\U0010ffff]""")
_NOT_IN_USER = re.compile(r"[^A-Za-z0-9\-._:~!$&'()*+,;=%@]")


def validate_client_config(config: Object, path: str) -> list[Problem]:
    """What is wrong with the ``clientConfig`` of a webhook.

    Args:
        config: it.
        path: its field.
    """
    url, service = config.get("url"), config.get("service")
    if url is not None and service is None:
        return _validate_url(url, f"{path}.url")
    if url is None and service is not None:
        return _validate_service(service, f"{path}.service")
    return [required(path, "exactly one of url or service is required")]


def _validate_url(url: str, path: str) -> list[Problem]:
    try:
        scheme, host, user, query, fragment = _split(url)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: parse {go_quoted(url)}: {error}{_FORM}")]
    problems = [
        (scheme != "https", scheme, f"'https' is the only allowed URL scheme{_FORM}"),
        (not host, host, f"host must be specified{_FORM}"),
        (bool(user), user, "user information is not permitted in the URL"),
        (bool(fragment), fragment, "fragments are not permitted in the URL"),
        (bool(query), query, "query parameters are not permitted in the URL"),
    ]
    return [invalid_value(path, go_value(shown), problem) for is_wrong, shown, problem in problems if is_wrong]


def _split(url: str) -> tuple[str, str, str, str, str]:
    """Scheme, host with its port, user, query and fragment. Raises ValueError with the words of Go."""
    if _CONTROL.search(url):
        raise ValueError("net/url: invalid control character in URL")
    found = _PARTS.fullmatch(url)
    if found is None or url.startswith(":"):
        raise ValueError("missing protocol scheme")
    scheme, authority, rest, query, fragment = (each or "" for each in found.groups())
    if not scheme and not authority and ":" in rest.partition("/")[0]:
        raise ValueError("first path segment in URL cannot contain colon")
    user, _, host = authority.rpartition("@")
    if _NOT_IN_USER.search(user):
        raise ValueError("net/url: invalid userinfo")
    _check_host(host)
    for each in (rest, fragment):
        if wrong := _NO_ESCAPE.search(each):
            raise ValueError(f"invalid URL escape {go_quoted(wrong[0])}")
    return scheme.lower(), host, user, query, fragment


def _check_host(host: str) -> None:
    """Raises ValueError."""
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise ValueError("missing ']' in host")
        name, port = host[:end], host[end + 1 :]
        name = name.partition("%25")[0]  # an interface follows
    else:
        name, colon, port = host.rpartition(":") if ":" in host else (host, "", "")
        port = colon + port
    if not _PORT.fullmatch(port):
        raise ValueError(f"invalid port {go_quoted(port)} after host")
    if wrong := _ESCAPE.search(name):
        raise ValueError(f"invalid URL escape {go_quoted(wrong[0])}")
    if wrong := _NOT_IN_HOST.search(name):
        raise ValueError(f"invalid character {go_quoted(wrong[0])} in host name")
    if host.startswith("[") and not _is_ipv6(name[1:]):
        raise ValueError(f"invalid host: ParseAddr({go_quoted(name[1:])}): unable to parse IP")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _validate_service(service: Object, path: str) -> list[Problem]:
    problems = [required(f"{path}.{field}") for field in ("name", "namespace") if not service[field]]
    port = service["port"]
    if not 1 <= port <= _LAST_PORT:
        range_ = f"port is not valid: must be between 1 and {_LAST_PORT}, inclusive"
        problems.append(invalid_value(f"{path}.port", go_value(port), range_))
    return problems + _validate_path(service.get("path") or "", f"{path}.path")


def _validate_path(url_path: str, path: str) -> list[Problem]:
    if url_path in ("", "/"):
        return []
    wrong = [] if url_path.startswith("/") else ["must start with a '/'"]
    inner = url_path[1:]
    # One slash may end it, but not be all that there is.
    for at, step in enumerate((inner.removesuffix("/") if url_path != "//" else "").split("/")):
        wrong += (
            [f"segment[{at}]: {each}" for each in dns_subdomain(step)] if step else [f"segment[{at}] may not be empty"]
        )
    return [invalid_value(path, go_value(url_path), each) for each in wrong]
