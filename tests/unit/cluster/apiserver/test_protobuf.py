"""The bodies that kubectl sends as protobuf."""

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.http.protobuf.envelope import decode_protobuf
from tests.support.protobufbody import enveloped, field


def test_a_config_map_is_read() -> None:
    entry = field(1, b"key") + field(2, b"value")
    raw = enveloped("v1", "ConfigMap", field(1, field(1, b"name")) + field(2, entry) + field(3, entry) + b"\x20\x01")
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
    assert decode_protobuf(enveloped("rbac.authorization.k8s.io/v1", "RoleBinding", raw), "X") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "name"},
        "subjects": [{"kind": "User", "name": "me", "namespace": ""}] * 2,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    }


def test_a_number_may_be_negative() -> None:
    raw = field(1, field(1, b"name")) + b"\x10" + b"\xff" * 9 + b"\x01"
    assert decode_protobuf(enveloped("scheduling.k8s.io/v1", "PriorityClass", raw), "X")["value"] == -1


def nested(levels: int) -> bytes:
    """A field that no message has, in which there is another one, and so on."""
    value = b"a"
    for _ in range(levels):
        value = field(9, value)
    return value


@pytest.mark.parametrize("value", [b"", b"\x08\x00", b"text", nested(1000)])
def test_fields_that_are_not_known_are_passed_over(value: bytes) -> None:
    raw = enveloped("v1", "Namespace", field(1, field(1, b"name")) + field(15, value))
    assert decode_protobuf(raw, "X")["metadata"] == {"name": "name"}


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"", 400, "empty data (<empty>)"),
        (b"{}", 400, "expected prefix [107 56 115 0] ({})"),
        (b"k8s\0", 400, "empty body (6b387300)"),
        (b"k8s\0\x0a\xff", 400, "(must be of type X): proto: cannot parse Unknown (6b3873000aff)"),
        (b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 400, "cannot parse Unknown"),
        (b"k8s\0" + b"\xff" * 100_000, 400, "cannot parse Unknown"),
        (
            enveloped("v1", "ConfigMap", b"\x0a\x05ab"),
            400,
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: ',
        ),
        (enveloped("v1", "ConfigMap", field(1, b"\x0a\x05ab")), 400, "proto: cannot parse ObjectMeta"),
        (enveloped("v1", "ConfigMap", field(1, field(1, b"\xff"))), 400, "a text in ConfigMap is not UTF-8"),
        (enveloped("v1", "ConfigMap", field(2, field(1, b"\xff"))), 400, "a text in ConfigMap is not UTF-8"),
        (enveloped("v1", "ConfigMap", field(1, field(14, b"") * 100_001)), 413, "100000 values"),
        (enveloped("v1", "Pod", field(2, field(2, b"") * 100_001)), 413, "100000 values"),
        (enveloped("v1", "Event", field(6, b"\x08" + b"\xff" * 7 + b"\x00")), 400, "outside of range"),
    ],
)
def test_what_cannot_be_read_is_refused(raw: bytes, code: int, said: str) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(raw, "X")
    assert (caught.value.code, said in caught.value.message) == (code, True), caught.value.message


def test_messages_are_not_read_to_any_depth() -> None:
    schema = b""
    for _ in range(200):
        schema = field(28, schema)  # not
    version = field(1, b"v1") + field(4, field(1, schema))
    raw = enveloped("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, field(7, version)))
    with pytest.raises(StatusError, match="max depth"):
        decode_protobuf(raw, "X")


def test_a_body_that_does_not_say_what_it_is_is_what_is_wanted() -> None:
    raw = b"k8s\0" + field(2, field(1, field(1, b"a")))
    expected = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert decode_protobuf(raw, "ConfigMap", "v1") == expected


def test_a_custom_kind_has_no_protobuf() -> None:
    raw = enveloped("example.com/v1", "Widget", b"")
    with pytest.raises(StatusError) as caught:
        decode_protobuf(raw, "Widget", "example.com/v1")
    assert caught.value.code == 415
    # Sent to another resource, it is refused by its name.
    assert decode_protobuf(raw, "ConfigMap", "v1") == {"apiVersion": "example.com/v1", "kind": "Widget"}
