"""An object, as JSON has it, as a message."""

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fake_dra_driver.kubeproto.messages import Field, message_type

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["MessageWriter", "UnknownFieldError", "write_quantity"]


class UnknownFieldError(ValueError):
    """An object has a field that its message does not have."""


def write_quantity(value: Any) -> Mapping[str, Any]:
    """The fields of a Quantity (k8s.io/apimachinery/pkg/api/resource), which JSON writes as a text or a number."""
    return {"string": str(value)}


class MessageWriter:
    """Writes messages.

    Args:
        special: by full name of a message that JSON does not write as an object: its fields, of the value in JSON.
        is_strict: whether what has no field in a message is an error; otherwise it is left out.
    """

    def __init__(self, special: Mapping[str, Callable[[Any], Mapping[str, Any]]], *, is_strict: bool = False) -> None:
        self._special = special
        self._is_strict = is_strict

    def write(self, name: str, value: Any) -> bytes:
        """The message of the type of that full name. Raises UnknownFieldError, if strict."""
        special = self._special.get(name)
        fields = value if special is None else special(value)
        type_ = message_type(name)
        message = type_.make()
        for embedded in type_.embedded:
            self._set(message, embedded, fields)
        for json_name, each in fields.items():
            field = type_.by_json_name.get(json_name)
            if field is None:
                if self._is_strict:
                    raise UnknownFieldError(json_name)
            elif each is not None:
                self._set(message, field, each)
        return message.SerializeToString(deterministic=True)

    def _set(self, message: "Message", field: Field, value: Any) -> None:
        if field.is_map:
            getattr(message, field.name).update({key: self._written(field, each) for key, each in value.items()})
        elif field.is_list:
            getattr(message, field.name).extend([self._written(field, each) for each in value])
        else:
            setattr(message, field.name, self._written(field, value))

    def _written(self, field: Field, value: Any) -> Any:
        if field.message:
            return self.write(field.message, value)
        return base64.b64decode(value) if field.is_bytes else value
