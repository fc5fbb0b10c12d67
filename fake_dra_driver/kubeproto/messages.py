"""The types of messages, from the descriptors that were compiled of ``proto/kubernetes``.

A message inside of another one is not read with it: it is bytes, which have a type of their own. So who reads decides
how deep and how many messages are read, before anything is allocated for them: two bytes may stand for a message of
some hundred fields.

The library is imported when the first type is made: most programs that could write protobuf have no need to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
    from google.protobuf.message import Message

__all__ = ["Field", "MessageType", "is_known", "load_messages", "message_type"]

_EMBEDDED = "..."
"""Name in JSON of a message whose fields are those of the message around it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    name: str
    """In protobuf."""
    json_name: str
    is_bytes: bool
    """Whether a value of it is bytes, and not a message."""
    message: str = ""
    """Full name of the type of a value; empty: a scalar."""
    is_list: bool = False
    is_map: bool = False
    is_embedded: bool = False
    """Whether JSON has the fields of this message among those of the one around it."""


class MessageType:
    """A type of messages."""

    def __init__(self, name: str, make: "type[Message]", fields: Mapping[int, Field]) -> None:
        self.name = name
        """The full name."""
        self.make = make
        self.fields = fields
        """By number."""

    @cached_property
    def by_json_name(self) -> Mapping[str, Field]:
        """The fields that JSON has by a name."""
        return {each.json_name: each for each in self.fields.values() if not each.is_embedded}

    @cached_property
    def embedded(self) -> tuple[Field, ...]:
        """The fields that JSON has no name for."""
        return tuple(each for each in self.fields.values() if each.is_embedded)


@cache
def message_type(name: str) -> MessageType:
    """The type of that full name, made when it is first asked for. Raises KeyError when there is none."""
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    message = DescriptorProto()
    message.CopyFrom(load_messages()[name])
    fields = _fields(message)
    # Without messages inside, a type stands alone.
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name=name, package=name.rpartition(".")[0], message_type=[message]))
    return MessageType(name, GetMessageClass(pool.FindMessageTypeByName(name)), fields)


def is_known(name: str) -> bool:
    """Whether there is a message of that full name."""
    return name in load_messages()


@cache
def load_messages() -> "Mapping[str, DescriptorProto]":
    """What is known of all messages, by full name. Read once in a process, which blocks for some milliseconds."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    raw = (resources.files(__package__) / "kubernetes.binpb").read_bytes()
    files = FileDescriptorSet.FromString(raw).file
    return {f"{file.package}.{message.name}": message for file in files for message in file.message_type}


def _fields(message: "DescriptorProto") -> Mapping[int, Field]:
    """The fields of a message, which from here on has bytes where it had messages."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    entries = {entry.name: entry.field[1] for entry in message.nested_type if entry.options.map_entry}
    fields = {}
    for each in message.field:
        entry = entries.get(each.type_name.rpartition(".")[2])
        value = each if entry is None else entry
        inner = _cut_off(value)
        fields[each.number] = Field(
            name=each.name,
            json_name=each.json_name,
            is_bytes=value.type == FieldDescriptorProto.TYPE_BYTES and not inner,
            message=inner,
            is_list=each.label == FieldDescriptorProto.LABEL_REPEATED and entry is None,
            is_map=entry is not None,
            is_embedded=each.json_name == _EMBEDDED,
        )
    return fields


def _cut_off(field: "FieldDescriptorProto") -> str:
    """Makes the values bytes if they are messages, and says of which type these are."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    if field.type != FieldDescriptorProto.TYPE_MESSAGE:
        return ""
    name = field.type_name.removeprefix(".")
    field.type = FieldDescriptorProto.TYPE_BYTES
    field.ClearField("type_name")
    return name
