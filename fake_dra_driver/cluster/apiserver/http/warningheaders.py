"""The Warning headers of an answer: each text once, and all of them in bounds.

Follows k8s.io/apiserver/pkg/endpoints/filters/warning.go and k8s.io/apimachinery/pkg/util/net (NewWarningHeader).
"""

from collections.abc import Iterable, Sequence

__all__ = ["warning_headers"]

_ALL_TOGETHER = 4 * 1024
"""Characters of all texts from which on each is cut (truncateAtTotalRunes)."""
_EACH = 256
"""What each is cut to (truncateItemRunes)."""


def warning_headers(texts: Iterable[str]) -> Sequence[tuple[str, str]]:
    """Name and value of each header. Texts with control characters are left out: no header can carry them."""
    kept = [each for each in dict.fromkeys(texts) if each and each.isprintable()]
    if sum(map(len, kept)) > _ALL_TOGETHER:
        kept = _cut(kept)
    return [("Warning", f'299 - "{_escaped(each)}"') for each in kept]


def _cut(texts: Sequence[str]) -> list[str]:
    cut: list[str] = []
    written = 0
    for each in texts:
        if written > _ALL_TOGETHER:
            break
        cut.append(each[:_EACH])
        written += len(cut[-1])
    return cut


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
