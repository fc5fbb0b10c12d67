"""The JSON of a device that many nodes have: written once, then filled in with what differs.

From node to node a device differs in a few texts, such as its UUID. All else is equal, and as a rule the very same
objects, so that finding this out costs a small part of what writing it would.
"""

import json
import re
from collections.abc import Collection, Sequence
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.fieldlimits import text_problems
from fake_dra_driver.dra.structured.featuregates import gated_fields

__all__ = ["DeviceText", "to_json"]

_TEXT: Final = frozenset({"string"})
"""What is set of an attribute that is a text."""
_SURELY_SHORT: Final = 16
"""Characters of a text that is short enough whatever they are: of 64 bytes, 4 each."""
_GAP: Final = re.compile(rb'"\xee\x80\x80\d+\xee\x80\x81"')
"""What stands where a text differs, while a device is written: U+E000, a number, U+E001, which nobody uses."""
_POOL: Final = v1.ResourcePool(name="pool", generation=0, resource_slice_count=1)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def to_json(value: object) -> bytes:
    """The JSON of something."""
    return _ENCODER.encode(value).encode(errors="surrogatepass")


class DeviceText:
    """The JSON of one device, with gaps for the attributes whose texts differ.

    Args:
        api: the version in which it is written.
        device: as one node has it.
        gaps: the attributes that differ, all of them texts.
    """

    def __init__(self, api: ResourceApi, device: v1.Device, gaps: Collection[str] = ()) -> None:
        attributes = device.attributes
        self.gaps = [name for name in attributes if name in gaps]
        self._set = device.model_fields_set
        self._names = list(attributes)
        self._parts = [_written(api, device)]
        if self.gaps:
            blank = {name: v1.DeviceAttribute(string=f"\ue000{number}\ue001") for number, name in enumerate(self.gaps)}
            parts = _GAP.split(_written(api, device.model_copy(update={"attributes": {**attributes, **blank}})))
            if len(parts) == len(self.gaps) + 1:
                self._parts = parts
            else:  # one of its own texts looks like a gap
                self.gaps = []
        self._compare_with(device)
        self.gated_fields = gated_fields(_spec(device))
        """As ``featuregates.gated_fields`` has them."""
        self.own = self._filled([to_json(attributes[name].string) for name in self.gaps])
        """The JSON of this very device."""

    def of(self, device: v1.Device) -> bytes | None:
        """The JSON of the device as another node has it; None if it differs in anything but the texts in the gaps, or
        if one of these is longer than an attribute may be.
        """
        if device.name != self._device.name or device.model_fields_set != self._set:
            return None
        for name, value in self._beside:
            if getattr(device, name) != value:
                return None
        attributes = device.attributes
        if list(attributes) != self._names:
            return None
        texts: list[bytes] = []
        are_others = False
        for given, (known, is_gap) in zip(attributes.values(), self._values, strict=True):
            if is_gap:
                text = given.string
                if text is None or given.model_fields_set != _TEXT or _is_too_long(text):
                    return None
                texts.append(to_json(text))
            elif given is not known:
                if given != known:
                    return None
                are_others = True
        if are_others:
            # Another profile, say, of which more nodes are to come.
            self._compare_with(device)
        return self._filled(texts)

    def _compare_with(self, device: v1.Device) -> None:
        """From now on, devices are compared with this one, which is equal but for the gaps."""
        self._device = device
        self._beside = [(name, getattr(device, name)) for name in self._set if name not in ("name", "attributes")]
        self._values = [(value, name in self.gaps) for name, value in device.attributes.items()]

    def _filled(self, texts: Sequence[bytes]) -> bytes:
        whole = [self._parts[0]]
        for text, part in zip(texts, self._parts[1:], strict=True):
            whole += (text, part)
        return b"".join(whole)

    def gaps_for(self, device: v1.Device) -> Collection[str]:
        """The attributes that are texts in both devices and differ, and those that differed before."""
        before = self._device.attributes
        return [
            name
            for name, value in device.attributes.items()
            if _is_text(value) and name in before and (name in self.gaps or _differ(value, before[name]))
        ]


def _spec(device: v1.Device) -> v1.ResourceSliceSpec:
    return v1.ResourceSliceSpec(driver="driver", pool=_POOL, devices=(device,))


def _written(api: ResourceApi, device: v1.Device) -> bytes:
    return to_json(api.slices(spec=_spec(device)).to_wire()["spec"]["devices"][0])


def _is_text(value: v1.DeviceAttribute) -> bool:
    return value.model_fields_set == _TEXT and value.string is not None


def _differ(value: v1.DeviceAttribute, before: v1.DeviceAttribute) -> bool:
    return _is_text(before) and value.string != before.string


def _is_too_long(text: str) -> bool:
    return len(text) > _SURELY_SHORT and next(text_problems("", text), None) is not None
