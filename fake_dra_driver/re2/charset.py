"""Sets of characters: single ones, ranges, general categories of Unicode, and what is made of them."""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ANY", "CATEGORIES", "NOT_NEWLINE", "PERL", "POSIX", "CharSet", "category", "chars", "of_ranges", "union"]

_LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class CharSet:
    """A set of characters, in any of four forms; the complement of it if ``negated``."""

    ranges: tuple[tuple[str, str], ...] = ()
    """Sorted, without overlap; both ends are in."""
    category: str = ""
    """How the name of a general category begins: ``L``, ``Nd``."""
    parts: tuple["CharSet", ...] = ()
    negated: bool = False
    folds: bool = False
    """Whether a character is in it as soon as one is that differs from it in case alone."""

    def __contains__(self, char: str) -> bool:
        return self._has_any(char) is not self.negated

    def _has_any(self, char: str) -> bool:
        if self.parts:
            return any(char in part for part in self.parts)
        if self.folds:
            return any(map(self._has, _case_variants(char)))
        return self._has(char)

    def _has(self, char: str) -> bool:
        if self.category:
            return unicodedata.category(char).startswith(self.category)
        at = bisect_right(self.ranges, (char, _LAST)) - 1
        return at >= 0 and char <= self.ranges[at][1]


def of_ranges(*ranges: tuple[str, str], negated: bool = False, folds: bool = False) -> CharSet:
    """The characters in any of the ranges, which may overlap."""
    merged: list[tuple[str, str]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return CharSet(tuple(merged), negated=negated, folds=folds)


def chars(text: str, *, folds: bool = False) -> CharSet:
    """The characters of a text."""
    return of_ranges(*((char, char) for char in text), folds=folds)


def category(name: str, *, negated: bool = False, folds: bool = False) -> CharSet:
    """All characters whose general category begins so."""
    return CharSet(category=name, negated=negated, folds=folds)


def union(parts: Sequence[CharSet], *, negated: bool) -> CharSet:
    """What is in any of the sets, or with ``negated`` in none."""
    return CharSet(parts=tuple(parts), negated=negated)


def _case_variants(char: str) -> set[str]:
    """The character, and those that differ from it in case alone (unicode.SimpleFold; the rarest are not found)."""
    first = {char, _folded(char)}
    variants = {*first, *(variant for each in first for variant in (each.upper(), each.title()) if len(variant) == 1)}
    return variants | set(_THIRD.get(_folded(char), ""))


def _folded(char: str) -> str:
    folded = char.casefold()
    return folded if len(folded) == 1 else char


_THIRD = {"k": "\u212a", "s": "\u017f", "\u00e5": "\u212b", "\u03c9": "\u2126", "\u03bc": "\u00b5"}
"""Letters that have a third form: the signs of kelvin, angstrom, ohm and micro, and the long s."""

ANY = of_ranges(("\0", _LAST))
NOT_NEWLINE = of_ranges(("\n", "\n"), negated=True)

_DIGIT, _UPPER, _LOWER = ("0", "9"), ("A", "Z"), ("a", "z")
PERL = {
    "d": (_DIGIT,),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
    "w": (_DIGIT, _UPPER, ("_", "_"), _LOWER),
}
"""The classes ``\\d``, ``\\s`` and ``\\w``, which RE2 has for ASCII alone."""
POSIX = {
    "alnum": (_DIGIT, _UPPER, _LOWER),
    "alpha": (_UPPER, _LOWER),
    "ascii": (("\0", "\x7f"),),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": (_DIGIT,),
    "graph": (("!", "~"),),
    "lower": (_LOWER,),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\r"), (" ", " ")),
    "upper": (_UPPER,),
    "word": PERL["w"],
    "xdigit": (_DIGIT, ("A", "F"), ("a", "f")),
}
"""The classes ``[[:alnum:]]`` and so on."""
_SUBCATEGORIES = {"C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}
CATEGORIES = frozenset(main + sub for main, subs in _SUBCATEGORIES.items() for sub in ("", *subs))
"""The general categories that ``\\p`` knows."""
