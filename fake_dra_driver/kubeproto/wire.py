"""Messages put together from parts that are ready (protobuf.dev/programming-guides/encoding): fields in any order."""

from functools import cache

from fake_dra_driver.kubeproto.messages import message_type

__all__ = ["MAGIC", "field_number", "length_delimited", "number_field"]

MAGIC = b"k8s\x00"
"""What an object in protobuf begins with; a message of the type Unknown (k8s.io/apimachinery/pkg/runtime) follows."""
_NUMBER, _LENGTH_DELIMITED = 0, 2
"""Wire types."""


@cache
def field_number(message: str, json_name: str) -> int:
    """The number of a field, by the full name of the message and the name of the field in JSON."""
    return next(number for number, field in message_type(message).fields.items() if field.json_name == json_name)


def length_delimited(number: int, value: bytes) -> bytes:
    """A field that is a text, bytes or a message."""
    return b"".join((_varint(number << 3 | _LENGTH_DELIMITED), _varint(len(value)), value))


def number_field(number: int, value: int) -> bytes:
    """A field that is a number, not negative."""
    return _varint(number << 3 | _NUMBER) + _varint(value)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
