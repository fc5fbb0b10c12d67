"""Templates that are ready to be rendered many times, and conditions.

Jinja is loaded for those that need it alone: templates that are no more than names in braces, as most are, do not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from fake_dra_driver.valuetemplate.text import TemplateError, written

__all__ = ["Template", "check_condition", "holds", "is_template", "render"]

_MARKS: Final = re.compile(r"\{[{%#]")
_PLACEHOLDER: Final = re.compile(r"\{\{ *([A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*) *\}\}")
"""A name in braces, with the fields of fields."""
_WORDS: Final = frozenset(
    {"true", "false", "none", "True", "False", "None", "not", "in", "is", "and", "or", "if", "else"}
)
"""Of Jinja: they look like names, and are none."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, ready to be rendered many times."""

    text: str
    names: frozenset[str]
    """The variables that it reads, but for places where it has set them itself."""
    own: frozenset[str]
    """The variables that it sets."""
    _render: Callable[[Mapping[str, Any]], str]

    @classmethod
    def compile(cls, text: str) -> "Template":
        """The template that the text is. Raises TemplateError."""
        return _compiled(text)

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text that it makes of these values. Raises TemplateError."""
        return self._render(variables)


def is_template(text: str) -> bool:
    """Whether there is anything in a text to be rendered."""
    return _MARKS.search(text) is not None


def render(text: str, variables: Mapping[str, Any]) -> str:
    """What the template ``text`` makes of these values. Raises TemplateError."""
    return _compiled(text).render(variables)


def holds(expression: str, variables: Mapping[str, Any]) -> bool:
    """Whether an expression, which stands without braces, is true of these values. Raises TemplateError."""
    return _condition(expression)[1](variables)


def check_condition(expression: str) -> frozenset[str]:
    """The variables that an expression reads, which stands without braces. Raises TemplateError if it is none."""
    return _condition(expression)[0]


# A profile has some hundreds of texts at most, and a program a handful of profiles.
@lru_cache(maxsize=4096)
def _compiled(text: str) -> Template:
    if not is_template(text):
        return Template(text, frozenset(), frozenset(), lambda _: text)
    pieces = _PLACEHOLDER.split(text)
    # Between the pieces of text, which are at the even places, stand the names.
    paths = [tuple(path.split(".")) for path in pieces[1::2]]
    if any(map(is_template, pieces[::2])) or any(path[0] in _WORDS for path in paths):
        from fake_dra_driver.valuetemplate.sandbox import compile_template  # loads Jinja

        return Template(text, *compile_template(text))
    return Template(text, frozenset(path[0] for path in paths), frozenset(), _substitution(pieces[::2], paths))


@lru_cache(maxsize=1024)
def _condition(expression: str) -> tuple[frozenset[str], Callable[[Mapping[str, Any]], bool]]:
    from fake_dra_driver.valuetemplate.sandbox import compile_condition  # loads Jinja

    return compile_condition(expression)


def _substitution(texts: list[str], paths: list[tuple[str, ...]]) -> Callable[[Mapping[str, Any]], str]:
    pairs = list(zip(paths, texts[1:], strict=True))

    def substitute(variables: Mapping[str, Any]) -> str:
        parts = [texts[0]]
        for path, text in pairs:
            # Most are texts that no field has to be taken of.
            found = variables.get(path[0]) if len(path) == 1 else None
            parts += (found if type(found) is str else _text_at(path, variables), text)
        return "".join(parts)

    return substitute


def _text_at(path: tuple[str, ...], variables: Mapping[str, Any]) -> str:
    found: Any = variables
    for depth, name in enumerate(path):
        if not isinstance(found, Mapping) or name not in found:
            known = f", only {', '.join(sorted(variables))}" if depth == 0 else ""
            raise TemplateError(f"there is no {'.'.join(path[: depth + 1])}{known}")
        found = found[name]
    return written(found, ".".join(path))
