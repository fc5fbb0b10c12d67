"""Names that are allowed, and that a chart is easily wrong about: like numbers, with dots, too long with a suffix."""

from typing import Final

import hypothesis.strategies as st

__all__ = ["DNS_LABEL", "NAMESPACE_LENGTH", "RELEASE_LENGTH", "TELLTALE", "dns_labels", "namespaces", "release_names"]

RELEASE_LENGTH: Final = 53
"""helm's limit."""
NAMESPACE_LENGTH: Final = 63
DNS_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
TELLTALE: Final = (
    "12345",
    "1e3",
    "0x10",
    "0o17",
    "089",
    "012",
    "true",
    "null",
    "yes",
    "n",
    "on",
    "2024-01-01",
    "0",
    "fake-dra-driver",
    "my-fake-dra-driver",
)
"""Without quotes, YAML takes all but the last two for something else than a text."""
_WITH_DOTS: Final = ("1.5", "my.driver", "a.b.c-d", "1.2e3")
_LONG_FOR_SUFFIXES: Final = (
    # The cut falls behind a dash, or a dot, for one suffix or another.
    "-".join("a" * 20),
    "x" * 14 + "-" + "y" * 31,
    "1" * 31 + "-" + "2" * 15,
    "ab-" * 20,
    "x" * 63,
)


def _cut(names: tuple[str, ...], length: int) -> list[str]:
    return [name[:length].rstrip("-.") for name in names]


def dns_labels(length: int = NAMESPACE_LENGTH) -> st.SearchStrategy[str]:
    """Labels as in RFC 1123, at most that long."""
    drawn = st.from_regex(DNS_LABEL, fullmatch=True).map(lambda name: name[:length].rstrip("-"))
    lengths = st.integers(min_value=1, max_value=length).map(lambda count: ("release-name-" * 6)[:count].rstrip("-"))
    chosen = st.sampled_from([*TELLTALE, *_cut(_LONG_FOR_SUFFIXES, length)])
    return st.one_of(chosen, lengths, drawn)


def release_names() -> st.SearchStrategy[str]:
    """Whatever helm takes: also several labels with dots between."""
    return st.one_of(dns_labels(RELEASE_LENGTH), st.sampled_from(_WITH_DOTS))


def namespaces() -> st.SearchStrategy[str]:
    """Any but ``default``, where the chart does not want to be."""
    return dns_labels(NAMESPACE_LENGTH).filter(lambda name: name != "default")
