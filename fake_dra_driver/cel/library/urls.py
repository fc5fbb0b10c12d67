"""URLs (Kubernetes' pkg/cel/library/urls.go), as Go's package net/url reads them."""

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote, unquote_plus

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import read
from fake_dra_driver.cel.overload import Library, function, method
from fake_dra_driver.cel.types import BOOL, STRING, Type, list_of, map_of, structure
from fake_dra_driver.cel.value import Extension

__all__ = ["URLS", "UrlError", "parse_url"]

_URL = structure("kubernetes.URL")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_PORT = re.compile(r":\d*")
_PATH_SAFE = "/!$&'()*+,;=:@~"


class UrlError(ValueError):
    """The text is no URL; the message is Go's."""


@dataclass(frozen=True, slots=True)
class Url(Extension):
    """A URL."""

    kind: ClassVar[Type] = _URL
    scheme: str
    host: str
    path: str
    query: str


def parse_url(text: str) -> Url:
    """A URL that is absolute, or a path. Raises UrlError."""
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise UrlError(f'parse "{text}": net/url: invalid control character in URL')
    if not text:
        raise UrlError('parse "": empty url')
    body = text.partition("#")[0]
    found = _SCHEME.match(body)
    scheme, rest = (found[1].lower(), body[found.end() :]) if found else ("", body)
    if not found and body.startswith(":"):
        raise UrlError(f'parse "{text}": missing protocol scheme')
    rest, _, query = rest.partition("?")
    if text == "*":
        return Url("", "", "*", "")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, "", "", query)
        raise UrlError(f'parse "{text}": invalid URI for request')
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        host, slash, path = rest[2:].partition("/")
        host, rest = host.rpartition("@")[2], slash + path
        _check_host(text, host)
    bad = _BAD_ESCAPE.search(rest)
    if bad:
        raise UrlError(f'parse "{text}": invalid URL escape "{bad[0]}"')
    return Url(scheme, host, rest, query)


def _check_host(text: str, host: str) -> None:
    if host.startswith("["):
        end = host.rfind("]")
        if end < 0:
            raise UrlError(f"parse \"{text}\": missing ']' in host")
        port = host[end + 1 :]
    else:
        port = host[host.find(":") :] if ":" in host else ""
    if port and not _PORT.fullmatch(port):
        raise UrlError(f'parse "{text}": invalid port "{port}" after host')
    wrong = re.search(r"[ ^`{|}\\]", host)
    if wrong:
        raise UrlError(f'parse "{text}": invalid character "{wrong[0]}" in host name')


def _to_url(text: str) -> Url:
    try:
        return parse_url(text)
    except UrlError as error:
        raise CelError(f"URL parse error during conversion from string: {error}") from error


def _is_url(text: str) -> bool:
    try:
        parse_url(text)
    except UrlError:
        return False
    return True


def _hostname(url: Url) -> str:
    if url.host.startswith("["):
        return url.host[1 : url.host.rfind("]")]
    return url.host.partition(":")[0]


def _port(url: Url) -> str:
    rest = url.host[url.host.rfind("]") + 1 :]
    return rest.partition(":")[2]


def _escaped_path(url: Url) -> str:
    return quote(unquote(url.path), safe=_PATH_SAFE) if re.search(r"[^!-~]|[\"<>\\^`{|}]", url.path) else url.path


def _query(url: Url) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in url.query.split("&"):
        if not pair or ";" in pair or _BAD_ESCAPE.search(pair):
            continue
        key, _, value = pair.partition("=")
        found.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return found


_READ = read()
URLS = Library(
    {
        "url": (function("string_to_url", (STRING,), _URL, _to_url, cost=read(result=True)),),
        "isURL": (function("is_url_string", (STRING,), BOOL, _is_url, cost=_READ),),
        "getScheme": (method("url_get_scheme", (_URL,), STRING, lambda url: url.scheme),),
        "getHost": (method("url_get_host", (_URL,), STRING, lambda url: url.host),),
        "getHostname": (method("url_get_hostname", (_URL,), STRING, _hostname),),
        "getPort": (method("url_get_port", (_URL,), STRING, _port),),
        "getEscapedPath": (method("url_get_escaped_path", (_URL,), STRING, _escaped_path),),
        "getQuery": (method("url_get_query", (_URL,), map_of(STRING, list_of(STRING)), _query),),
    }
)
