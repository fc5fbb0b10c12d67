"""The bodies that kubectl sends as protobuf."""

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.protobuf import decode_protobuf


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


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


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{}", 400),
        (b"k8s\0\x0a\xff", 400),
        (body(b"v1", b"Pod", b""), 415),
        (body(b"v1", b"ConfigMap", b"\x0a\x05ab"), 400),
    ],
)
def test_what_cannot_be_read_is_refused(raw: bytes, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(raw, "X")
    assert caught.value.code == code
