"""The slices of a pool as they are sent, in protobuf, but for what is known last, and a digest of each.

Pools of a thousand nodes are written and checked here one after the other, and have most of it in common.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.fieldlimits import domain_problems
from fake_dra_driver.dra.structured.featuregates import gated_fields
from fake_dra_driver.dra.structured.fleet.devicemessage import DeviceMessage
from fake_dra_driver.dra.structured.fleet.slicemessage import SliceMessages
from fake_dra_driver.dra.structured.pool import Pool, PoolError, WantedSlice, slices_of
from fake_dra_driver.dra.structured.poollimits import counter_sets_problems, problems_beside_parts, problems_in_pool
from fake_dra_driver.kubeproto.writing import UnknownFieldError

__all__ = ["EncodedSlice", "PoolEncoder"]

_DIGEST_BYTES: Final = 16
"""Of SHA-256: there is no adversary, and a collision of two versions of a slice is out of the question."""
_MAX_NAMES: Final = 16384
"""Names of devices that are remembered: more than any profile has."""
_MAX_VARIANTS: Final = 8
"""Devices of one name that are remembered: those of different profiles, and with and without taints."""


@dataclass(frozen=True, slots=True)
class EncodedSlice:
    """One slice of a pool, but for its generation and its metadata."""

    wanted: WantedSlice
    digest: str
    """Of all that the slice says but for the generation, in letters that an annotation can have."""
    gated_fields: frozenset[str]
    """As ``featuregates.gated_fields`` has them."""
    pool: bytes
    """The message of its pool, without the generation."""
    rest: bytes
    """The message of its spec, without the pool."""

    @property
    def name(self) -> str:
        """Of the slice."""
        return self.wanted.name

    @property
    def has_taints(self) -> bool:
        """Whether a device has one."""
        return "devices[].taints" in self.gated_fields


@dataclass(slots=True)
class _Sets:
    """The counter sets of pools that have been seen."""

    sets: tuple[v1.CounterSet, ...]
    """Of the latest, with which it takes no time to compare those of the next."""
    messages: Mapping[str, bytes]
    """By name."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """A device that has been seen in a pool with these counter sets."""

    sets: _Sets
    message: DeviceMessage


_Written = tuple[bytes, frozenset[str]]
"""The message of a device, and which of its fields are gated."""


class PoolEncoder:
    """Writes and checks the pools of nodes.

    Args:
        api: the version of ``resource.k8s.io`` in which they are written.
        driver: its name.
    """

    def __init__(self, api: ResourceApi, driver: str) -> None:
        self._messages = SliceMessages(api)
        self._driver = driver
        self._driver_problems = tuple(domain_problems("driver", driver))
        self._sets: list[_Sets] = []
        self._devices: dict[str, list[_Variant]] = {}
        """By name of the device, what nodes have had, the latest first."""

    def encode(self, node: str, pool: Pool, *, is_counted_beside: bool = False) -> Sequence[EncodedSlice]:
        """The slices of a node's pool, as ``pool.slices_of``.

        Raises:
            PoolError: the API server, or a scheduler, would refuse what the pool says.
        """
        problems = [*problems_beside_parts(pool, node)]
        sets = self._sets_of(pool, problems)
        devices = {device.name: self._device(device, pool, sets, problems) for device in pool.devices}
        if problems or self._driver_problems:
            raise PoolError([*self._driver_problems, *(f"pool {pool.name}: {problem}" for problem in problems)])
        slices = slices_of(self._driver, pool, is_counted_beside=is_counted_beside)
        return [self._slice(one, sets, [devices[device.name] for device in one.spec.devices]) for one in slices]

    def _sets_of(self, pool: Pool, problems: list[str]) -> _Sets:
        for known in self._sets:
            if known.sets == pool.shared_counters:
                known.sets = pool.shared_counters
                return known
        wrong = list(counter_sets_problems(pool.shared_counters))
        messages: Mapping[str, bytes] = {}
        try:
            messages = {one.name: self._messages.counter_set(one) for one in pool.shared_counters}
        except UnknownFieldError as error:
            wrong.append(f"counter sets: {_unknown(error)}")
        found = _Sets(pool.shared_counters, messages)
        problems += wrong
        if not wrong:
            self._sets.insert(0, found)
            del self._sets[_MAX_VARIANTS:]
        return found

    def _device(self, device: v1.Device, pool: Pool, sets: _Sets, problems: list[str]) -> _Written:
        variants = self._devices.get(device.name, [])
        for place, variant in enumerate(variants):
            if variant.sets is sets and (written := variant.message.of(device)) is not None:
                if place:
                    variants.insert(0, variants.pop(place))
                return written, variant.message.gated_fields
        wrong = list(problems_in_pool(device, pool, {one.name: one.counters for one in sets.sets}))
        problems += wrong
        if wrong:
            return b"", frozenset()
        gaps = variants[0].message.gaps_for(device) if variants else ()
        try:
            message = DeviceMessage(self._messages.device, device, gaps)
        except UnknownFieldError as error:
            problems.append(f"device {device.name}: {_unknown(error)}")
            return b"", frozenset()
        if not variants:
            if len(self._devices) >= _MAX_NAMES:
                self._devices.clear()
            self._devices[device.name] = variants
        variants.insert(0, _Variant(sets, message))
        del variants[_MAX_VARIANTS:]
        return message.own, message.gated_fields

    def _slice(self, one: WantedSlice, sets: _Sets, devices: Sequence[_Written]) -> EncodedSlice:
        spec = one.spec
        names = spec.model_fields_set - {"devices", "shared_counters"}
        beside = v1.ResourceSliceSpec(**{name: getattr(spec, name) for name in names})
        gated = gated_fields(beside).union(*(fields for _, fields in devices))
        parts = [message for message, _ in devices]
        if spec.shared_counters:
            parts = [*(sets.messages[each.name] for each in spec.shared_counters), *parts]
            gated |= {"sharedCounters"}
        pool, rest = self._messages.spec(beside, b"".join(parts))
        digest = hashlib.sha256(pool + rest).digest()[:_DIGEST_BYTES]
        return EncodedSlice(one, urlsafe_b64encode(digest).decode().rstrip("="), gated, pool, rest)


def _unknown(error: UnknownFieldError) -> str:
    return f"no Kubernetes known to this driver has a field {error} there"
