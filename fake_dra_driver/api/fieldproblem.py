"""What is wrong with an object that a person wrote: for each problem the field's path, what is allowed, what is there.

pydantic knows all of that and says it for programmers ("Input should be less than or equal to 64"). The sentences here
are for those who write manifests, and this is the only place that knows pydantic's types of errors.
"""

import json
import re
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fake_dra_driver.untrustedtext import one_line

__all__ = ["FieldProblem", "join_path", "problems_of", "shown"]

MAX_SHOWN: Final = 60
"""Characters of a value that a message repeats."""
_PLAIN_PART: Final = re.compile(rf"[!-\-0-Z\\^-~]{{1,{MAX_SHOWN}}}")
"""Of a path: what needs no quotes."""

_SENTENCES: Final = {
    "missing": "must be set",
    "greater_than": "must be more than {gt}, is {found}",
    "greater_than_equal": "must be at least {ge}, is {found}",
    "less_than": "must be less than {lt}, is {found}",
    "less_than_equal": "must be at most {le}, is {found}",
    "multiple_of": "must be a multiple of {multiple_of}, is {found}",
    "int_type": "must be a whole number, is {found}",
    "int_parsing": "must be a whole number, is {found}",
    "int_parsing_size": "must be a whole number of a sensible size, is {found}",
    "int_from_float": "must be a whole number, is {found}",
    "float_type": "must be a number, is {found}",
    "finite_number": "must be a finite number, is {found}",
    "bool_type": "must be true or false, is {found}",
    "string_type": "must be a string, is {found}",
    "string_too_short": "must have at least {min_length} characters, is {found}",
    "string_too_long": "must have at most {max_length} characters, is {found}",
    "string_pattern_mismatch": "must match {pattern}, is {found}",
    "literal_error": "must be {expected}, is {found}",
    "enum": "must be {expected}, is {found}",
    "list_type": "must be a list, is {found}",
    "tuple_type": "must be a list, is {found}",
    "too_short": "must have at least {min_length} entries, has {actual_length}",
    "too_long": "must have at most {max_length} entries, has {actual_length}",
    "dict_type": "must be an object, is {found}",
    "mapping_type": "must be an object, is {found}",
    "model_type": "must be an object, is {found}",
    "value_error": "{error}",
    "json_invalid": "cannot be read: it holds text that is not Unicode",
}
"""By pydantic's type of error. ``found`` is the value; the other words are those of the error's context."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong."""

    path: str
    """Of the field, from the object: ``spec.rules[0].name``. Empty: the object itself."""
    message: str
    """What must be, and what is."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def inside(self, path: str) -> "FieldProblem":
        """The same problem, told from an object in which this one stands at ``path``."""
        separator = "" if not path or not self.path or self.path.startswith("[") else "."
        return FieldProblem(f"{path}{separator}{self.path}", self.message)


def problems_of(error: ValidationError, model: type[BaseModel]) -> tuple[FieldProblem, ...]:
    """Each problem of an object that ``model`` refuses."""
    return tuple(
        FieldProblem(join_path("", *detail["loc"]), _message(detail, model))
        for detail in error.errors(include_url=False)
    )


def join_path(path: str, *parts: str | int) -> str:
    """The path of something inside of what ``path`` names, as Kubernetes writes it."""
    for part in parts:
        if isinstance(part, int):
            path = f"{path}[{part}]"
        elif not _PLAIN_PART.fullmatch(part):
            path = f"{path}[{shown(part)}]"
        else:
            path = f"{path}.{part}" if path else part
    return path


def shown(value: object) -> str:
    """A value as a message shows it: as JSON, unless that says less than its kind."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
    # What is cut off costs nothing, however long it is.
    text = json.dumps(value[: MAX_SHOWN + 1] if isinstance(value, str) else value, ensure_ascii=False)
    return one_line(text, MAX_SHOWN)


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        fields = _fields_at(model, detail["loc"][:-1])
        return f"there is no such field, only {_listed(fields)}" if fields else "there is no such field"
    if kind in ("string_too_short", "too_short") and detail["ctx"]["min_length"] == 1:
        return "must not be empty"
    if kind == "json_invalid" and "hex escape" not in detail["ctx"]["error"]:
        return f"is not JSON: {detail['ctx']['error']}"
    if kind in _SENTENCES:
        return _SENTENCES[kind].format(found=shown(detail["input"]), **detail.get("ctx", {}))
    return f"{detail['msg'].replace('Input should', 'must')}, is {shown(detail['input'])}"


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> Sequence[str]:
    """The names of the fields at a path, as on the wire; none where that cannot be told."""
    found: Any = model
    for part in path:
        found = _inside(found, part)
    plain = _plain(found)
    if not _is_model(plain):
        return ()
    return sorted(field.alias or name for name, field in plain.model_fields.items())


def _inside(annotation: Any, part: str | int) -> Any:
    plain = _plain(annotation)
    if _is_model(plain):
        fields = plain.model_fields.items()
        return next((field.annotation for name, field in fields if part in (field.alias, name)), None)
    inner = [each for each in get_args(plain) if each is not Ellipsis]
    return inner[-1] if inner else None


def _plain(annotation: Any) -> Any:
    """The type without what may stand around it: Annotated, or the None of an optional field."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((_plain(each) for each in get_args(annotation) if each is not types.NoneType), None)
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
