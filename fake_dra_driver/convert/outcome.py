"""What becomes of an object, and how that is said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.convert.rewrite import Removed

__all__ = ["CannotConvertError", "Manifest", "NotOursError", "Outcome", "read", "substitute", "unknown_fields"]

Manifest = Mapping[str, Any]
"""An object of Kubernetes, or a part of one, as YAML and JSON have it."""

M = TypeVar("M", bound=BaseModel)


class CannotConvertError(Exception):
    """Why an object stays as it is although it would have to change; exit status 1."""


class NotOursError(Exception):
    """Why an object is not for this command to convert."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An object that is converted."""

    manifest: Manifest | Removed
    remarks: Sequence[str] = ()
    """What has no counterpart, each in a sentence that becomes a comment above the object."""
    uses: NamespacedName | None = None
    """The parameters whose values it has now: FakeClaimParameters, or, without a namespace, DeviceClassParameters."""


def read(model: type[M], raw: Any, path: str) -> M:
    """Reads a part of an object as strictly as the API server does. Raises CannotConvertError with every bad field.

    Args:
        model: its type.
        raw: the part.
        path: of the part in its object.
    """
    # JSON, since the strict mode of Python values takes no list for a tuple.
    text = json.dumps(raw, default=str)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = [
            f"{'.'.join([path, *map(str, problem['loc'])])}: {_decapitalized(problem['msg'])}"
            for problem in error.errors(include_url=False)
        ]
        raise CannotConvertError("; ".join(problems)) from error


def _decapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]


def unknown_fields(model: BaseModel, path: str) -> list[str]:
    """The paths of the fields that an object has and its type has not."""
    found = [f"{path}.{name}" for name in model.model_extra or ()]
    for name, field in type(model).model_fields.items():
        if isinstance(value := getattr(model, name), BaseModel):
            found += unknown_fields(value, f"{path}.{field.alias or name}")
    return found


def substitute(manifest: Manifest, changes: Mapping[str, tuple[str, Any] | None]) -> dict[str, Any]:
    """A copy in which some fields have another name or value, in their places, and some are gone.

    Args:
        manifest: the object; fields that it does not have are passed over.
        changes: by field: its new name and value, or None where it goes.
    """
    changed = {}
    for name, value in manifest.items():
        change = changes.get(name, (name, value))
        if change is not None:
            changed[change[0]] = change[1]
    return changed
