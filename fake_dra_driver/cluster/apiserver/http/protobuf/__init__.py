"""Kubernetes' kinds as protobuf, which clients in Go send by default, and JSON, which everything else here works on.

``envelope`` is the door, and is imported when the first body comes. ``mapping`` turns a message into an object and an
object into a message (``kubeproto`` has the types of messages); ``special`` knows the messages that JSON does not write
as objects. Follows k8s.io/apimachinery/pkg/runtime/serializer/protobuf.
"""

from typing import TYPE_CHECKING

from fake_dra_driver.lazyface import lazy_face

__all__ = ["decode_protobuf", "encode_event", "encode_protobuf", "load_messages"]

if TYPE_CHECKING:
    from fake_dra_driver.cluster.apiserver.http.protobuf.envelope import (
        decode_protobuf,
        encode_event,
        encode_protobuf,
        load_messages,
    )

__getattr__, __dir__ = lazy_face(__name__, dict.fromkeys(__all__, "envelope"))
