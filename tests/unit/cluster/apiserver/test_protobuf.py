"""The bodies that kubectl sends as protobuf."""

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.http.protobuf import decode_protobuf


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def body(api_version: bytes, kind: bytes, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def test_a_config_map_is_read() -> None:
    entry = field(1, b"key") + field(2, b"value")
    raw = body(b"v1", b"ConfigMap", field(1, field(1, b"name")) + field(2, entry) + field(3, entry) + b"\x20\x01")
    assert decode_protobuf(raw, "X") == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "name"},
        "data": {"key": "value"},
        "binaryData": {"key": "dmFsdWU="},
        "immutable": True,
    }


def test_a_role_binding_is_read() -> None:
    subject = field(1, b"User") + field(3, b"me") + field(4, b"")
    role = field(1, b"rbac.authorization.k8s.io") + field(2, b"Role") + field(3, b"r")
    raw = field(1, field(1, b"name")) + field(2, subject) + field(2, subject) + field(3, role)
    assert decode_protobuf(body(b"rbac.authorization.k8s.io/v1", b"RoleBinding", raw), "X") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "name"},
        "subjects": [{"kind": "User", "name": "me"}] * 2,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    }


def test_a_number_may_be_negative() -> None:
    raw = field(1, field(1, b"name")) + b"\x10" + b"\xff" * 9 + b"\x01"
    assert decode_protobuf(body(b"scheduling.k8s.io/v1", b"PriorityClass", raw), "X")["value"] == -1


@pytest.mark.parametrize("value", [b"", b"\x08\x00", b"\x0a\x00\x12\x02\x08\x00"])
def test_zeros_of_unknown_fields_are_passed_over(value: bytes) -> None:
    raw = body(b"v1", b"Namespace", field(1, field(1, b"name")) + field(9, value))
    assert decode_protobuf(raw, "X")["metadata"] == {"name": "name"}


def nested(levels: int) -> bytes:
    """A field that no message has, in which there is another one, and so on."""
    value = b"a"
    for _ in range(levels):
        value = field(9, value)
    return value


@pytest.mark.parametrize("value", [b"a", b"text", b"\x08\x01", b"{}", b"\x0a\x01a"])
def test_nothing_in_an_unknown_field_is_lost(value: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(body(b"v1", b"Namespace", field(1, field(1, b"name")) + field(9, value)), "X")
    assert caught.value.code == 415


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", 400),
        (b"k8s\0\x0a\xff", 400),
        (body(b"v1", b"Pod", b""), 415),
        (body(b"v1", b"ConfigMap", b"\x0a\x05ab"), 400),
        (b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 400),
        (b"k8s\0" + b"\xff" * 100_000, 400),
        (b"k8s\0" + b"\x18\x00" * 100_001, 413),
        (body(b"v1", b"ConfigMap", field(2, field(1, b"k") + b"\x10\x01")), 400),
        (body(b"v1", b"ConfigMap", b"\x10\x01"), 400),
        (body(b"v1", b"ConfigMap", field(1, b"\x08\x01")), 400),
        (body(b"v1", b"ConfigMap", nested(1000)), 415),
    ],
)
def test_what_cannot_be_read_is_refused(raw: bytes, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(raw, "X")
    assert caught.value.code == code
