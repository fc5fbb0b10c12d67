"""Strict Jinja: the one place where text is made from templates (CDI specifications, CRDs, chart, documentation).

A name without a value is an error, never an empty string, and templates write values through the ``json`` filter, so
that no value can break out of its place: JSON is YAML. (Jinja's own ``tojson`` escapes for HTML.) Helm's templates are
themselves written with ``{{ }}``, so Jinja's delimiters are ``[[ ]]`` and ``[% %]`` in them, and a value that contains
``{{`` is refused: Helm would execute it.
"""

import json
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError

__all__ = ["RenderError", "render"]

_NOT_PRINTABLE_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""What JSON allows unescaped, and YAML 1.2 (5.1, c-printable) or its readers do not."""


class RenderError(Exception):
    """A template cannot be rendered with these values: a defect of this program, or a value that is not allowed."""


def render(template: str, /, *, helm: bool = False, **values: object) -> str:
    """Renders ``templates/<template>``.

    Args:
        helm: the output is a template of Helm: delimiters are ``[[ ]]`` and ``[% %]``, and values are checked.

    Raises:
        RenderError: the template does not exist, a name has no value, or a value contains ``{{`` in output for Helm.
    """
    try:
        return _environment(helm).get_template(template).render(values)
    except TemplateError as error:
        raise RenderError(f"cannot render {template}: {type(error).__name__}: {error}") from error


@cache
def _environment(helm: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("fake_dra_driver"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 # the output is YAML, JSON and Markdown, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        variable_start_string="[[" if helm else "{{",
        variable_end_string="]]" if helm else "}}",
        block_start_string="[%" if helm else "{%",
        block_end_string="%]" if helm else "%}",
        comment_start_string="[#" if helm else "{#",
        comment_end_string="#]" if helm else "#}",
        finalize=_refuse_helm_actions if helm else None,
    )
    environment.filters |= {"json": _json, "cell": _cell, "code": _code, "lines": str.splitlines}
    return environment


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _NOT_PRINTABLE_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _cell(text: str) -> str:
    """Text for a cell of a table in Markdown."""
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`"


def _refuse_helm_actions(value: object) -> object:
    if "{{" in str(value):
        raise RenderError(f"the value {value!r} contains '{{{{', which Helm would execute")
    return value
