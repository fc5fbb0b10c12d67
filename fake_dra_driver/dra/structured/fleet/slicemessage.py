"""ResourceSlices, and their parts, as protobuf, which takes an API server less work than JSON, and is smaller."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.kubeproto.messages import load_messages
from fake_dra_driver.kubeproto.wire import MAGIC, field_number, length_delimited, number_field
from fake_dra_driver.kubeproto.writing import MessageWriter, write_quantity

__all__ = ["SliceMessages"]

_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1"
_UNKNOWN: Final = "k8s.io.apimachinery.pkg.runtime.Unknown"
_POOL: Final = v1.ResourcePool(name="pool", generation=0, resource_slice_count=1)


def _write_time(text: str) -> Mapping[str, int]:
    return {"seconds": int(datetime.fromisoformat(text).timestamp())}


_SPECIAL: Final = {"k8s.io.apimachinery.pkg.api.resource.Quantity": write_quantity, f"{_META}.Time": _write_time}


class SliceMessages:
    """Writes them in one version of the API.

    Methods that get a model raise UnknownFieldError where it has a field that no Kubernetes known here has.
    """

    def __init__(self, api: ResourceApi) -> None:
        self._api = api
        self._package = f"k8s.io.api.resource.{api.version}"
        # A field that is left out here would be lost without a word.
        self._writer = MessageWriter(_SPECIAL, is_strict=True)

    @staticmethod
    async def load() -> None:
        """Reads what messages are made of, where no one has, in a thread. All else here works without it, but blocks
        for some milliseconds when it is first asked for."""
        if not load_messages.cache_info().currsize:
            await asyncio.to_thread(load_messages)

    def device(self, device: v1.Device) -> bytes:
        """A device, as ``spec`` takes it."""
        spec = v1.ResourceSliceSpec(driver="driver", pool=_POOL, devices=(device,))
        wire = self._api.slices(spec=spec).to_wire()["spec"]["devices"][0]
        return self._part("devices", self._writer.write(f"{self._package}.Device", wire))

    def counter_set(self, one: v1.CounterSet) -> bytes:
        """A counter set, as ``spec`` takes it."""
        return self._part("sharedCounters", self._writer.write(f"{self._package}.CounterSet", one.to_wire()))

    def spec(self, beside: v1.ResourceSliceSpec, parts: bytes) -> tuple[bytes, bytes]:
        """A spec without the generation of its pool: the pool, and all else.

        Args:
            beside: what it says but for devices and counter sets.
            parts: these.
        """
        wire = self._api.slices(spec=beside).to_wire()["spec"]
        pool = {name: value for name, value in wire.pop("pool").items() if name != "generation"}
        rest = self._writer.write(f"{self._package}.ResourceSliceSpec", wire)
        return self._writer.write(f"{self._package}.ResourcePool", pool), rest + parts

    def at_generation(self, pool: bytes, rest: bytes, generation: int) -> bytes:
        """The whole spec, in a generation of its pool."""
        return self._part("pool", pool + number_field(self._number("ResourcePool", "generation"), generation)) + rest

    def slice(self, metadata: Mapping[str, Any], spec: bytes) -> bytes:
        """A slice, ready to be sent.

        Args:
            metadata: as in JSON.
            spec: as ``at_generation`` returns it.
        """
        written = self._writer.write(f"{_META}.ObjectMeta", metadata)
        parts = {"metadata": written, "spec": spec}
        whole = b"".join(length_delimited(self._number("ResourceSlice", name), part) for name, part in parts.items())
        return self._begin + length_delimited(field_number(_UNKNOWN, "raw"), whole)

    def _part(self, name: str, message: bytes) -> bytes:
        return length_delimited(self._number("ResourceSliceSpec", name), message)

    def _number(self, message: str, field: str) -> int:
        return field_number(f"{self._package}.{message}", field)

    @cached_property
    def _begin(self) -> bytes:
        resource = self._api.slices.resource
        return MAGIC + MessageWriter({}).write(_UNKNOWN, {"apiVersion": resource.api_version, "kind": resource.kind})
