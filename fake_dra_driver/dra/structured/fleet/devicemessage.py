"""The message of a device that many nodes have: written once, then filled in with what differs.

From node to node a device differs in a few texts, such as its UUID. All else is equal, and as a rule the very same
objects, so that finding this out costs a small part of what writing it would.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.fieldlimits import text_problems
from fake_dra_driver.dra.structured.featuregates import gated_fields

__all__ = ["DeviceMessage"]

_TEXT: Final = frozenset({"string"})
"""What is set of an attribute that is a text."""
_SURELY_SHORT: Final = 16
"""Characters of a text that is short enough whatever they are: of 64 bytes, 4 each."""
_MAX_GAPS: Final = 60
"""Texts that differ; of a device with more of them, each node's message is written anew."""
_FILLINGS: Final = (1, 64)
"""The first characters of two sets that have none in common, as many as there are gaps at most; each is one byte."""
_MAX_CUTS: Final = 16
"""Lengths of texts that are remembered: as a rule there is one, that of a UUID."""

Cut = tuple[Sequence[bytes], Sequence[int]]
"""A message without the texts in its gaps: what is before, between and behind them, and which gap is where."""


class DeviceMessage:
    """The message of one device, with gaps for the attributes whose texts differ.

    Args:
        write: writes the message of a device.
        device: as one node has it.
        gaps: the attributes that differ, all of them texts.
    """

    def __init__(self, write: Callable[[v1.Device], bytes], device: v1.Device, gaps: Collection[str] = ()) -> None:
        attributes = device.attributes
        self._write = write
        self.gaps = [name for name in attributes if name in gaps]
        if len(self.gaps) > _MAX_GAPS:
            self.gaps = []
        self._set = device.model_fields_set
        self._names = list(attributes)
        self._cuts: dict[tuple[int, ...], Cut] = {}
        """By the bytes that the texts in the gaps have: they also count in the lengths that the message says."""
        self._compare_with(device)
        self.gated_fields = gated_fields(_spec(device))
        """As ``featuregates.gated_fields`` has them."""
        self.own = write(device)
        """The message of this very device."""

    def of(self, device: v1.Device) -> bytes | None:
        """The message of the device as another node has it; None if it differs in anything but the texts in the gaps,
        or if one of these is longer than an attribute may be.
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
                texts.append(text.encode())
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
        lengths = tuple(map(len, texts))
        cut = self._cuts.get(lengths)
        if cut is None:
            if len(self._cuts) >= _MAX_CUTS:
                self._cuts.clear()
            cut = self._cuts[lengths] = self._cut(lengths)
        parts, order = cut
        whole = [parts[0]]
        for gap, part in zip(order, parts[1:], strict=True):
            whole += (texts[gap], part)
        return b"".join(whole)

    def _cut(self, lengths: Sequence[int]) -> Cut:
        """Where the texts are is seen from two messages whose texts are as long, and differ in every byte."""
        one, other = (self._blank(lengths, first) for first in _FILLINGS)
        parts: list[bytes] = []
        order: list[int] = []
        behind = place = 0
        while place < len(one):
            if one[place] == other[place]:
                place += 1
                continue
            gap = one[place] - _FILLINGS[0]
            parts.append(one[behind:place])
            order.append(gap)
            place = behind = place + lengths[gap]
        return [*parts, one[behind:]], order

    def _blank(self, lengths: Sequence[int], first: int) -> bytes:
        texts = {
            name: v1.DeviceAttribute(string=chr(first + gap) * length)
            for gap, (name, length) in enumerate(zip(self.gaps, lengths, strict=True))
        }
        return self._write(self._device.model_copy(update={"attributes": {**self._device.attributes, **texts}}))

    def gaps_for(self, device: v1.Device) -> Collection[str]:
        """The attributes that are texts in both devices and differ, and those that differed before."""
        before = self._device.attributes
        return [
            name
            for name, value in device.attributes.items()
            if _is_text(value) and name in before and (name in self.gaps or _differ(value, before[name]))
        ]


def _spec(device: v1.Device) -> v1.ResourceSliceSpec:
    pool = v1.ResourcePool(name="pool", generation=0, resource_slice_count=1)
    return v1.ResourceSliceSpec(driver="driver", pool=pool, devices=(device,))


def _is_text(value: v1.DeviceAttribute) -> bool:
    return value.model_fields_set == _TEXT and value.string is not None


def _differ(value: v1.DeviceAttribute, before: v1.DeviceAttribute) -> bool:
    return _is_text(before) and value.string != before.string


def _is_too_long(text: str) -> bool:
    return len(text) > _SURELY_SHORT and next(text_problems("", text), None) is not None
