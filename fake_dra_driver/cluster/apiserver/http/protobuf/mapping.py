"""A message as an object in JSON, and the other way round.

What is in a message is in the object, zeros too: Go writes them for all fields that are no pointers, and what JSON
leaves out of them is left out where objects are decoded (``types.decode``). Fields that are not known are passed over,
as Go passes over them; in a message that is there twice, the last one counts.
"""

import base64
import math
from typing import Any

from google.protobuf.message import DecodeError

from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.http.protobuf.special import SPECIAL
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.decode import whole_numbers
from fake_dra_driver.cluster.apiserver.types.jsonbody import MAX_DEPTH, MAX_VALUES, too_many_values
from fake_dra_driver.kubeproto.messages import Field, message_type
from fake_dra_driver.kubeproto.writing import MessageWriter

__all__ = ["read_message", "write_message"]

_WRITER = MessageWriter({name: special.write for name, special in SPECIAL.items()})


def read_message(name: str, raw: bytes) -> Any:
    """What JSON has for a message of the type of that name.

    Raises:
        ValueError: it is not such a message.
        StatusError: 413, it has too many values.
    """
    try:
        return _Reader().read(name, raw, 0)
    except UnicodeDecodeError as error:
        raise ValueError(f"proto: a text in {_short(name)} is not UTF-8") from error


def write_message(name: str, value: Any) -> bytes:
    """The message of the type of that name. What has no field there is left out."""
    return _WRITER.write(name, value)


class _Reader:
    """Reads one body."""

    def __init__(self) -> None:
        self._values = 0

    def read(self, name: str, raw: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("exceeded max depth")
        spend(len(raw))
        type_ = message_type(name)
        message = type_.make()
        try:
            message.ParseFromString(raw)
        except DecodeError as error:
            raise ValueError(f"proto: cannot parse {_short(name)}") from error
        value: Object = {}
        for descriptor, each in message.ListFields():
            field = type_.fields[descriptor.number]
            read = self._values_of(field, each, depth + 1)
            if field.is_embedded:
                value.update(read)
            else:
                value[field.json_name] = read
        special = SPECIAL.get(name)
        return value if special is None else special.read(value)

    def _values_of(self, field: Field, value: Any, depth: int) -> Any:
        if field.is_map:
            self._count(len(value))
            return {key: self._value(field, each, depth) for key, each in value.items()}
        if field.is_list:
            self._count(len(value))
            return [self._value(field, each, depth) for each in value]
        self._count(1)
        return self._value(field, value, depth)

    def _value(self, field: Field, value: Any, depth: int) -> Any:
        if field.message:
            return self.read(field.message, value, depth)
        if field.is_bytes:
            return base64.b64encode(value).decode()
        if isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"json: unsupported value: {value}")
            return whole_numbers(value)
        # A text that is not UTF-8 was left as it was.
        return value.decode() if isinstance(value, bytes) else value

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise too_many_values()


def _short(name: str) -> str:
    return name.rpartition(".")[2]
