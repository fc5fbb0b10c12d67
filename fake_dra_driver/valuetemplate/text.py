"""How templates write values, and the error of all that they cannot do."""

from collections.abc import Mapping

__all__ = ["TemplateError", "written"]


class TemplateError(ValueError):
    """The template is not one, or cannot be rendered with these values; the message says why."""


def written(value: object, name: str = "the value") -> str:
    """A value as a template writes it, which messages call by this name. Raises TemplateError if it has no text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case None:
            raise TemplateError(f"{name} is null, which has no text")
        case Mapping():
            raise TemplateError(f"{name} is an object: write one of its fields, or use the filter json")
    raise TemplateError(f"{name} is a list: use the filter join, or json")
