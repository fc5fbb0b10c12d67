"""The messages that JSON does not write as objects: times, quantities, lists with a name, values of any kind.

Each one is a way from what the fields of the message say to the value in JSON, and back.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object, encode
from fake_dra_driver.cluster.apiserver.types.jsonbody import read_json
from fake_dra_driver.cluster.apiserver.types.timestamp import since_1970
from fake_dra_driver.kubeproto.writing import write_quantity

__all__ = ["SPECIAL", "Special"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1."
_TEXT = 1
"""Type of an IntOrString that is a text."""


@dataclass(frozen=True, slots=True)
class Special:
    """How JSON writes a message."""

    read: Callable[[Object], Any]
    """The value that JSON has for these fields. Raises ValueError when there is none."""
    write: Callable[[Any], Mapping[str, Any]]
    """The fields of that value."""


def _read_time(fields: Object) -> str | None:
    # No fields are the zero time of Go; in the first second of 1970 they are written.
    return _time_text(fields.get("seconds", 0), 0, "seconds") if fields else None


def _read_micro_time(fields: Object) -> str | None:
    return _time_text(fields.get("seconds", 0), fields.get("nanos", 0) // 1000, "microseconds") if fields else None


def _time_text(seconds: int, microseconds: int, precision: str) -> str:
    try:
        time = _EPOCH + timedelta(seconds=seconds, microseconds=microseconds)
    except OverflowError as error:
        raise ValueError("Time: year outside of range [1,9999]") from error
    return time.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _write_time(value: str) -> Object:
    passed = since_1970(value)
    seconds = passed // _SECOND
    return {"seconds": seconds, "nanos": (passed - seconds * _SECOND).microseconds * 1000}


def _read_int_or_string(fields: Object) -> int | str:
    return str(fields.get("strVal", "")) if fields.get("type") == _TEXT else int(fields.get("intVal", 0))


def _write_int_or_string(value: int | str) -> Object:
    return {"type": _TEXT, "strVal": value} if isinstance(value, str) else {"type": 0, "intVal": value}


def _any(field: str) -> Special:
    """A value of any kind, which the field of this name has as JSON."""

    def read(fields: Object) -> Any:
        raw = base64.b64decode(fields.get(field, ""))
        return read_json(raw)[0] if raw else None

    return Special(read, write=lambda value: {field: base64.b64encode(encode(value)).decode()})


def _read_schema(fields: Object) -> Object:
    """Without the zeros: where a schema may be something else as well, nothing else knows that it is one."""
    return {name: value for name, value in fields.items() if value is not False and value != ""}


def _read_schema_or_bool(fields: Object) -> Any:
    return fields.get("schema", bool(fields.get("allows")))


def _write_schema_or_bool(value: Any) -> Object:
    return {"allows": value} if isinstance(value, bool) else {"allows": True, "schema": value}


def _schema_or(listed: str) -> Special:
    """A schema, or a list that has this name."""
    return Special(
        read=lambda fields: fields.get(listed) or fields.get("schema"),
        write=lambda value: {listed: value} if isinstance(value, list) else {"schema": value},
    )


_LIST = Special(read=lambda fields: fields.get("items", []), write=lambda value: {"items": value})

SPECIAL: Mapping[str, Special] = {
    "k8s.io.api.authentication.v1.AttestationValue": _LIST,
    "k8s.io.api.authentication.v1.ExtraValue": _LIST,
    "k8s.io.api.authorization.v1.ExtraValue": _LIST,
    f"{_META}Verbs": _LIST,
    f"{_META}Time": Special(_read_time, _write_time),
    f"{_META}MicroTime": Special(_read_micro_time, _write_time),
    f"{_META}FieldsV1": _any("Raw"),
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _any("raw"),
    "k8s.io.apimachinery.pkg.api.resource.Quantity": Special(
        read=lambda fields: fields.get("string") or "0", write=write_quantity
    ),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": Special(_read_int_or_string, _write_int_or_string),
    f"{_EXTENSIONS}JSON": _any("raw"),
    f"{_EXTENSIONS}JSONSchemaProps": Special(_read_schema, write=lambda value: value),
    f"{_EXTENSIONS}JSONSchemaPropsOrArray": _schema_or("jSONSchemas"),
    f"{_EXTENSIONS}JSONSchemaPropsOrBool": Special(_read_schema_or_bool, _write_schema_or_bool),
    f"{_EXTENSIONS}JSONSchemaPropsOrStringArray": _schema_or("property"),
}
"""By the full name of the message."""
