"""Bodies in protobuf, byte by byte, right ones and others."""

__all__ = ["enveloped", "field"]


def field(number: int, value: bytes) -> bytes:
    """A field with a text, bytes, or a message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def enveloped(api_version: str, kind: str, message: bytes) -> bytes:
    """The body of a request."""
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\0" + field(1, type_meta) + field(2, message)


def _varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + _varint(value >> 7) if value > 0x7F else bytes([value])
