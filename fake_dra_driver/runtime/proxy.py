"""Which proxy the environment asks for, as Go's programs read it: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

Follows golang.org/x/net/http/httpproxy. Python's own urllib.request.getproxies is not used: it knows no CIDR and no
port in NO_PROXY, and lets lower case win.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fake_dra_driver.runtime.connectionfailure import without_password
from fake_dra_driver.runtime.errors import CredentialsError

__all__ = ["checked_proxy", "environment_proxy"]

_SCHEMES: Final = ("http", "https", "socks5")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def environment_proxy(environment: Mapping[str, str], server: str) -> str | None:
    """URL of the proxy to reach a server through; None for none.

    Args:
        environment: a process's.
        server: URL with a scheme.

    Raises:
        CredentialsError: the proxy is of no use.
    """
    url = urlsplit(server)
    variable = "HTTPS_PROXY" if url.scheme == "https" else "HTTP_PROXY"
    proxy = _any_case(environment, variable)
    if not proxy:
        return None
    if variable == "HTTP_PROXY" and environment.get("REQUEST_METHOD"):
        # A web server's CGI programs get the header "Proxy" of a request as HTTP_PROXY: https://httpoxy.org.
        raise CredentialsError("HTTP_PROXY is not to be trusted where REQUEST_METHOD is set: unset one of the two")
    if _is_direct(url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme], _any_case(environment, "NO_PROXY")):
        return None
    # socks5h is known in the environment alone; it says that the proxy looks up names, which it does anyway.
    proxy = re.sub(r"^socks5h:", "socks5:", proxy)
    return checked_proxy(proxy if "://" in proxy else f"http://{proxy}", variable)


def checked_proxy(proxy: str, place: str) -> str:
    """The proxy's URL as it is, if it can be used. Raises CredentialsError, which names the place that it is from."""
    try:
        url = urlsplit(proxy)
        usable = bool(url.hostname) and url.port != 0 and not re.search(r"[\s\x00-\x1f]", proxy)
    except ValueError:
        usable = False
    if not usable:
        found = without_password(proxy)
        raise CredentialsError(f"The proxy {found} of {place} is not the URL of one: write http://HOST:PORT")
    if url.scheme not in _SCHEMES:
        raise CredentialsError(
            f"The proxy of {place} has the scheme {url.scheme}: only http, https and socks5 are known"
        )
    return proxy


def _any_case(environment: Mapping[str, str], variable: str) -> str:
    return environment.get(variable) or environment.get(variable.lower()) or ""


def _is_direct(host: str, port: int, exceptions: str) -> bool:
    """Whether there is no proxy for a host: never for this machine's own names, and for none that NO_PROXY has."""
    if host == "localhost":
        return True
    address = _address(host)
    if address is not None and address.is_loopback:
        return True
    return any(_covers(entry.strip().lower(), host.lower(), port, address) for entry in exceptions.split(","))


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _covers(entry: str, host: str, port: int, address: _Address | None) -> bool:
    """Whether an entry of NO_PROXY is for a host: a network, or an address or a domain, both perhaps with a port."""
    if entry == "*":
        return True
    if "/" in entry:
        network = _network(entry)
        return network is not None and address is not None and address in network
    name, entry_port = _split_port(entry)
    if not name or (entry_port and entry_port != str(port)):
        return False
    wanted = _address(name)
    if wanted is not None or address is not None:
        return wanted == address
    name = name.removeprefix("*") if name.startswith("*.") else name
    # .example.com is what is below example.com, and example.com that domain as well.
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _split_port(entry: str) -> tuple[str, str]:
    """Name and port as net.SplitHostPort of Go tells them apart: brackets are only for an address with a port."""
    name, colon, port = entry.rpartition(":")
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1], port
    return (name, port) if colon and ":" not in name else (entry, "")


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
