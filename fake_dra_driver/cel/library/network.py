"""IP addresses and networks (Kubernetes' pkg/cel/library/ip.go and cidr.go), as Go's package net/netip reads them."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from fake_dra_driver.cel.bounds import Bounds, exactly
from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
from fake_dra_driver.cel.library.costs import read
from fake_dra_driver.cel.overload import CallEstimate, Cost, Library, function, method
from fake_dra_driver.cel.types import BOOL, INT, STRING, Type, abstract
from fake_dra_driver.cel.value import Extension

__all__ = ["NETWORK"]

_IP, _CIDR = abstract("net.IP"), abstract("net.CIDR")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Ip(Extension):
    """An address."""

    kind: ClassVar[Type] = _IP
    address: Address

    @property
    @override
    def size(self) -> int:
        return self.address.max_prefixlen // 8


@dataclass(frozen=True, slots=True)
class Cidr(Extension):
    """An address, and how many of its bits are those of its network."""

    kind: ClassVar[Type] = _CIDR
    address: Address
    length: int

    @property
    @override
    def size(self) -> int:
        return -(-self.length // 8)

    @property
    def network(self) -> Network:
        """All its addresses."""
        return ipaddress.ip_network((self.address, self.length), strict=False)


# --- reading ---


def _parse_ip(text: str) -> Ip:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        reason = f"ParseAddr({_go(text)}): {_reason(text)}"
        raise CelError(f"IP Address {_go(text)} parse error during conversion from string: {reason}") from error
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise CelError(f"IP address {_go(text)} with zone value is not allowed")
        if address.ipv4_mapped is not None:
            raise CelError(f"IPv4-mapped IPv6 address {_go(text)} is not allowed")
    return Ip(address)


def _go(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _reason(text: str) -> str:
    """What Go says is wrong, in the commonest cases."""
    if ":" not in text and "." not in text:
        return "unable to parse IP"
    if "." in text and ":" not in text:
        fields = text.split(".")
        if any(not field.isascii() or (field and not field.isdigit()) for field in fields):
            return "unexpected character (at " + _go(text.lstrip("0123456789.")) + ")"
        if any(field and int(field) > 255 for field in fields):
            return "IPv4 field has value >255"
        if any(len(field) > 1 and field[0] == "0" for field in fields):
            return "IPv4 field has octet with leading zero"
        return "IPv4 address too short" if len(fields) < 4 else "IPv4 address too long"
    for at, field in _fields_of_ipv6(text):
        if not re.match(r"[0-9A-Fa-f]", field):
            return f"each colon-separated field must have at least one digit (at {_go(text[at:])})"
    second = text.find("::", text.find("::") + 1)
    if second > 0:
        return f"multiple :: in address (at {_go(text[second + 1 :])})"
    return "unable to parse IP"


def _fields_of_ipv6(text: str) -> Iterator[tuple[int, str]]:
    """Where its fields are; two colons stand for several."""
    at = 2 if text.startswith("::") else 0
    for part in text[at:].split("::"):
        inner = at
        for field in part.split(":"):
            if part:
                yield inner, field
            inner += len(field) + 1
        at += len(part) + 2


def _parse_cidr(text: str) -> Cidr:
    problem = "network address parse error during conversion from string: "
    address, slash, length = text.rpartition("/")
    if not slash:
        raise CelError(f"{problem}{problem}netip.ParsePrefix({_go(text)}): no '/'")
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        reason = f"ParseAddr({_go(address)}): {_reason(address)}"
        raise CelError(f"{problem}{problem}netip.ParsePrefix({_go(text)}): {reason}") from error
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        reason = "IPv6 zones cannot be present in a prefix"
        raise CelError(f"{problem}{problem}netip.ParsePrefix({_go(text)}): {reason}")
    is_number = length.isascii() and length.isdigit() and (length == "0" or length[0] != "0")
    if not is_number:
        raise CelError(f"{problem}{problem}netip.ParsePrefix({_go(text)}): bad bits after slash: {_go(length)}")
    if len(length) > 3 or int(length) > found.max_prefixlen:
        raise CelError(f"{problem}{problem}netip.ParsePrefix({_go(text)}): prefix length out of range")
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise CelError(f"{problem}IPv4-mapped IPv6 address {_go(text)} is not allowed")
    return Cidr(found, int(length))


def _can(read_: Callable[[str], object]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            read_(text)
        except CelError:
            return False
        return True

    return test


# --- functions ---


def _is_canonical(text: str) -> bool:
    return str(_parse_ip(text).address) == text


def _is_unicast(ip: Ip) -> bool:
    address = ip.address
    is_broadcast = str(address) == "255.255.255.255"
    others = (address.is_unspecified, address.is_loopback, address.is_multicast, address.is_link_local, is_broadcast)
    return not any(others)


def _is_local_multicast(ip: Ip) -> bool:
    packed = ip.address.packed
    return packed[:3] == b"\xe0\x00\x00" if ip.address.version == 4 else packed[0] == 0xFF and packed[1] & 0xF == 2


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return ip.address in cidr.network


def _contains_ip_text(cidr: Cidr, text: str) -> bool:
    try:
        ip = _parse_ip(text)
    except CelError as error:
        raise CelError(NO_OVERLOAD) from error
    return _contains_ip(cidr, ip)


def _contains_cidr(cidr: Cidr, other: Cidr) -> bool:
    return cidr.length <= other.length and other.address in cidr.network


def _masked(cidr: Cidr) -> Cidr:
    return Cidr(cidr.network.network_address, cidr.length)


# --- costs ---

_BYTES = Bounds(4, 16)


def _comparison(*, is_cidr: bool, is_text: bool) -> Cost:
    def estimate(operands: object) -> CallEstimate:
        cost = _BYTES.plus(_BYTES).read
        if is_cidr:
            cost = cost.plus(_BYTES.read).plus(exactly(1))
        if is_text:
            cost = cost.plus(operands[1].size.read)  # type: ignore[index]  # a sequence
        return CallEstimate(cost)

    return Cost(estimate, lambda *_: 6)


_READ = read()
NETWORK = Library(
    {
        "ip": (
            function("string_to_ip", (STRING,), _IP, _parse_ip, cost=_READ),
            method("cidr_ip", (_CIDR,), _IP, lambda cidr: Ip(cidr.address)),
        ),
        "isIP": (function("is_ip", (STRING,), BOOL, _can(_parse_ip), cost=_READ),),
        "ip.isCanonical": (function("ip_is_canonical", (STRING,), BOOL, _is_canonical, cost=read(factor=2)),),
        "family": (method("ip_family", (_IP,), INT, lambda ip: ip.address.version),),
        "isUnspecified": (method("ip_is_unspecified", (_IP,), BOOL, lambda ip: ip.address.is_unspecified),),
        "isLoopback": (method("ip_is_loopback", (_IP,), BOOL, lambda ip: ip.address.is_loopback),),
        "isLinkLocalMulticast": (method("ip_is_link_local_multicast", (_IP,), BOOL, _is_local_multicast),),
        "isLinkLocalUnicast": (method("ip_is_link_local_unicast", (_IP,), BOOL, lambda ip: ip.address.is_link_local),),
        "isGlobalUnicast": (method("ip_is_global_unicast", (_IP,), BOOL, _is_unicast),),
        "string": (
            function("ip_to_string", (_IP,), STRING, lambda ip: str(ip.address)),
            function("cidr_to_string", (_CIDR,), STRING, lambda cidr: f"{cidr.address}/{cidr.length}"),
        ),
        "cidr": (function("string_to_cidr", (STRING,), _CIDR, _parse_cidr, cost=_READ),),
        "isCIDR": (function("is_cidr", (STRING,), BOOL, _can(_parse_cidr), cost=_READ),),
        "containsIP": (
            method(
                "cidr_contains_ip_string",
                (_CIDR, STRING),
                BOOL,
                _contains_ip_text,
                cost=_comparison(is_cidr=False, is_text=True),
            ),
            method(
                "cidr_contains_ip_ip",
                (_CIDR, _IP),
                BOOL,
                _contains_ip,
                cost=_comparison(is_cidr=False, is_text=False),
            ),
        ),
        "containsCIDR": (
            method(
                "cidr_contains_cidr_string",
                (_CIDR, STRING),
                BOOL,
                lambda cidr, text: _contains_cidr(cidr, _parse_cidr(text)),
                cost=_comparison(is_cidr=True, is_text=True),
            ),
            method(
                "cidr_contains_cidr",
                (_CIDR, _CIDR),
                BOOL,
                _contains_cidr,
                cost=_comparison(is_cidr=True, is_text=False),
            ),
        ),
        "prefixLength": (method("cidr_prefix_length", (_CIDR,), INT, lambda cidr: cidr.length),),
        "masked": (method("cidr_masked", (_CIDR,), _CIDR, _masked),),
    },
    types={"net.IP": _IP, "net.CIDR": _CIDR},
)
