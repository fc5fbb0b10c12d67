"""Objects as protobuf on the wire: four bytes, and a message that says of which kind the message inside is."""

import base64

from fake_dra_driver.cluster.apiserver.errors import unrecognized, unsupported_media_type
from fake_dra_driver.cluster.apiserver.http.protobuf.mapping import read_message, write_message
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.decode import cannot_handle
from fake_dra_driver.kubeproto.messages import is_known, load_messages, message_type
from fake_dra_driver.kubeproto.wire import MAGIC

__all__ = ["decode_protobuf", "encode_event", "encode_protobuf", "load_messages", "message_name"]

_OTHERS = ("application/json", "application/yaml")
_META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_RAW = "k8s.io.apimachinery.pkg.runtime.RawExtension"
_UNKNOWN = "k8s.io.apimachinery.pkg.runtime.Unknown"
_CRD = "apiextensions.k8s.io"
_EVERYWHERE = frozenset({"DeleteOptions", "Status", "APIGroup", "APIGroupList", "APIResourceList", "APIVersions"})
"""Kinds of meta.k8s.io that each group has in each of its versions."""


def decode_protobuf(raw: bytes, wanted: str, api_version: str = "") -> Object:
    """The object of a protobuf body, which is to be of this kind and version if it does not say of which it is.

    Of a kind that has no protobuf there is nothing but its name.

    Raises:
        StatusError: 400, it cannot be read; 413, it has too many values; 415, the wanted kind has no protobuf.
    """
    try:
        unknown = _read_envelope(raw)
    except ValueError as error:
        raise unrecognized(wanted, str(error), raw) from error
    identity = {"apiVersion": unknown.get("apiVersion") or api_version, "kind": unknown.get("kind") or wanted}
    name = message_name(identity["apiVersion"], identity["kind"])
    if name is None:
        if identity == {"apiVersion": api_version, "kind": wanted}:
            raise unsupported_media_type(_OTHERS)
        return identity
    try:
        body = read_message(name, base64.b64decode(unknown.get("raw", "")))
    except ValueError as error:
        raise cannot_handle(identity["kind"], identity["apiVersion"].rpartition("/")[2], str(error)) from error
    return {**identity, **body}


def encode_protobuf(obj: Object) -> bytes | None:
    """The object as protobuf; None: its kind has none."""
    api_version, kind = obj.get("apiVersion", ""), obj.get("kind", "")
    name = message_name(api_version, kind)
    if name is None:
        return None
    raw = base64.b64encode(write_message(name, obj)).decode()
    return MAGIC + write_message(_UNKNOWN, {"apiVersion": api_version, "kind": kind, "raw": raw})


def encode_event(kind: str, obj: Object) -> bytes:
    """An event of a watch, after four bytes that say how long it is. The object is of a kind that has protobuf."""
    inner = message_type(_RAW).make(raw=encode_protobuf(obj)).SerializeToString()
    event = message_type(f"{_META}.WatchEvent").make(type=kind, object=inner).SerializeToString()
    return len(event).to_bytes(4, "big") + event


def message_name(api_version: str, kind: str) -> str | None:
    """The full name of the message of a kind; None: it has none."""
    group, _, version = api_version.rpartition("/")
    package = f"k8s.io.api.{group.partition('.')[0] or 'core'}.{version}"
    if kind in _EVERYWHERE or group == "meta.k8s.io":
        package = _META
    elif group == _CRD:
        package = f"k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.{version}"
    name = f"{package}.{kind}"
    return name if is_known(name) else None


def _read_envelope(raw: bytes) -> Object:
    """The kind, and the message of it. Raises ValueError."""
    if not raw:
        raise ValueError("empty data")
    if not raw.startswith(MAGIC):
        raise ValueError(
            f"provided data does not appear to be a protobuf message, expected prefix [{' '.join(map(str, MAGIC))}]"
        )
    if raw == MAGIC:
        raise ValueError("empty body")
    unknown: Object = read_message(_UNKNOWN, raw[len(MAGIC) :])
    return unknown
