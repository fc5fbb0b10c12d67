"""Reads what the API server sends: JSON, however deep it is nested, and what is wrong with an object.

JSON is read as Go reads it. There is no NaN and no Infinity: a NaN equals nothing, not even what it was a moment ago,
so that a writer that compares would write for ever. Half of a surrogate pair, which UTF-8 cannot write, is replaced.

Anyone who may create a ResourceClaim can put 10 KiB of brackets into its opaque parameters, and the API server passes
them on (seen on Kubernetes 1.32 and 1.37). Python's reader ends at about 1,000 levels with a RecursionError: one such
claim would end each list and each watch that it is in. Here what is nested deeper than anything of use is cut out, so
that the object still comes, to be refused by its model, and the others with it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = ["MAX_COLLECTIONS", "MAX_DEPTH", "MAX_VALUES", "TooManyValuesError", "parse", "refusals"]

MAX_DEPTH: Final = 200
"""Levels that are left of JSON that is too deep; objects of Kubernetes have 20 or so, schemas of CRDs a few more."""
MAX_VALUES: Final = 1_500_000
"""Values in one text. Each takes up to 25 times the memory of its text, and the chart gives a container 256 MiB. A page
of 500 pods has some 200,000; a page that has more than this is asked for with fewer objects."""
MAX_COLLECTIONS: Final = 600_000
"""Of these, objects and lists, which take up to 232 bytes each. One Pod of 1.5 MiB, which any tenant may create, can
have 300,000."""
_MAX_REFUSALS: Final = 32
"""Reasons that are told of one object: more than that were not written by hand."""

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
"""A string, in which brackets are text, or a bracket."""


class TooManyValuesError(ValueError):
    """The text would take too much memory as values."""


def parse(text: bytes) -> Any:
    """The value of a JSON text; where it is too deep to be read, null stands for what is below MAX_DEPTH levels.

    Raises:
        TooManyValuesError: there are more values in it than MAX_VALUES or MAX_COLLECTIONS.
        ValueError: the text is no JSON, or has an integer of more digits than Python reads (4,300).
    """
    if _has_too_many_values(text):
        raise TooManyValuesError(f"it has more than {MAX_VALUES} values, or {MAX_COLLECTIONS} objects and lists")
    try:
        return _decode(text)
    except RecursionError:
        return _decode(b"".join(_shallow_parts(text)))


def refusals(error: ValidationError | RecursionError) -> Sequence[str]:
    """For each reason why a model refuses an object: path of the field, and what is wrong there."""
    if isinstance(error, RecursionError):
        return ("the object is nested too deep",)
    return tuple(
        f"{one_line('.'.join(map(str, problem['loc'])), MAX_NAME)}: {one_line(problem['msg'])}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_REFUSALS]
    )


def _has_too_many_values(text: bytes) -> bool:
    """Counts what opens a collection or parts values, at the speed of memory; only where there is much of it, which may
    all be in one string that a tenant wrote, what is in strings is left out."""
    if len(text) <= MAX_COLLECTIONS:
        return False
    return _is_crowded(text) and _is_crowded(_STRING.sub(b"", text))


def _is_crowded(text: bytes) -> bool:
    collections = text.count(b"{") + text.count(b"[")
    return collections > MAX_COLLECTIONS or collections + text.count(b",") > MAX_VALUES


def _decode(text: bytes) -> Any:
    value = _DECODER.decode(text.decode())
    if b"\\ud" not in text and b"\\uD" not in text:  # API servers do not escape letters
        return value
    written = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    return _DECODER.decode(written.decode(errors="replace"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"there is no {name} in JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _shallow_parts(text: bytes) -> Iterator[bytes]:
    """The text in pieces, without what is nested too deep."""
    depth = kept_until = 0
    for token in _TOKEN.finditer(text):
        if token[0] in b"[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                yield text[kept_until : token.start()]
        elif token[0] in b"]}":
            depth -= 1
            if depth == MAX_DEPTH:
                yield b"null"
                kept_until = token.end()
    if depth <= MAX_DEPTH:
        yield text[kept_until:]
