"""Values of YAML without quotes: which of them are texts, and so can be a token, is seen apart by many a parser."""

from typing import Final

from tests.integration.kubeconfig.lab import KUBECONFIG
from tests.integration.kubeconfig.shapes.shape import Shape, of_text

__all__ = ["SCALARS"]

_DOCUMENT: Final = """\
clusters: [{name: here, cluster: {server: SERVER, certificate-authority-data: AUTHORITY}}]
contexts: [{name: here, context: {cluster: here, user: here}}]
current-context: here
users: [{name: here, user: {token: TOKEN}}]
"""
_TEXTS: Final = (
    "2001-01-01",
    "1:30",
    "0x",
    "1.2.3",
    "=",
    "!!str 123",
    "!other text",
    "'123'",
    '"a\\u0041"',
    "a#b",
    "&a b",
)
_OTHERS: Final = (
    "1",
    "017",
    "0o17",
    "1_000",
    "0x1F",
    "1e3",
    "1.5",
    ".inf",
    "yes",
    "y",
    "N",
    "off",
    "[a]",
    "{a: b}",
    "!!int '1'",
)
_NOTHING: Final = ("null", "~", "''")
_BROKEN: Final = ("@a", "*unknown", "'a")


def _of_token(token: str, *refusal: str, ours: list[str] | None = None) -> Shape:
    return of_text(_DOCUMENT.replace("TOKEN", token), *refusal, ours=ours)


SCALARS: Final = {
    **{f"{token} is a text": _of_token(token) for token in _TEXTS},
    **{f"{token} is no text": _of_token(token, f"ROOT/{KUBECONFIG}") for token in _OTHERS},
    **{f"{token} is nothing": _of_token(token, "EOF", ours=["here"]) for token in _NOTHING},
    **{f"{token} is no value": _of_token(token, f"ROOT/{KUBECONFIG}") for token in _BROKEN},
}
