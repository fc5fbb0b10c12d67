"""Texts that mean harm, and what has to hold of everything that is shown of them."""

import unicodedata
from typing import Final

from hypothesis import strategies as st

__all__ = ["FORGED", "HOSTILE_NAMES", "assert_harmless", "hostile_text", "id_of"]

FORGED: Final = "default/forged"
"""What HOSTILE_NAMES try to show as a row of its own."""
HOSTILE_NAMES: Final = (
    "\x1b[2J\x1b[Hcleared",
    "\x9b2Jcleared",
    "\x1b]0;title\x07rings",
    f"two\n{FORGED}  my-pod  1s",
    f"two\r\n{FORGED}",
    f"two\x85{FORGED}\u2028{FORGED}\u2029{FORGED}\v{FORGED}\f{FORGED}",
    "gpu-\u202etxet-desrever",
    "\u2066isolated\u2069\u200f\u061c",
    "zero\u200bwidth\u2060\ufeff\u00ad",
    "tag\U000e0041\U000e0042",
    "lone\ud800surrogate\udfff",
    "private\ue000unassigned\u0378",
    "Z\u0351" + "\u0335\u036b" * 50 + "algo",
    "\u0301joins-what-stands-before",
    "wide-" + "节点" * 200,
    "tab\tbs\b\b\bnul\0del\x7f",
    "blank\u3164\u2800\u00a0\u3000x",
    "many   blanks  in   a  row",
    "A" * 900_000,
    "\x1b" * 900_000,
)

_HARD: Final = st.sampled_from(
    '\x1b\x07\n\r\t\0\x7f\x9b\x85\u2028\u2029\u202e\u2066\u200b\u200d\ufeff\ud800\ue000\u0301节👩é\\" a'
)


def hostile_text(max_size: int = 60) -> st.SearchStrategy[str]:
    """Texts of any characters, lone surrogates among them, more often of those that do harm; some are long."""
    character = st.characters() | _HARD
    mixed = st.text(character, max_size=max_size)
    long = st.builds(lambda text, times: text * times, st.text(character, min_size=1, max_size=8), st.integers(1, 2000))
    return st.one_of(mixed, mixed, mixed, long, st.sampled_from(HOSTILE_NAMES[:-2]))


def id_of(name: str) -> str:
    """The id of a test with a hostile name: pytest prints it."""
    return ascii(name[:12])


def assert_harmless(text: str, *, longest: int, keeps_newlines: bool = False) -> None:
    """Fails where the text holds what a terminal obeys, an eye misses, or UTF-8 cannot write, or is too long.

    Args:
        text: as it is shown.
        longest: in characters.
        keeps_newlines: whether it may be of several lines.
    """
    assert len(text) <= longest
    text.encode()
    shown = text.replace("\n", "") if keeps_newlines else text
    # What joins emoji is the only format character.
    assert [each for each in shown.replace("\u200d", "") if not each.isprintable()] == []
    marks = 0
    for each in shown:
        marks = marks + 1 if unicodedata.category(each) in {"Mn", "Me"} else 0
        assert marks <= 4
