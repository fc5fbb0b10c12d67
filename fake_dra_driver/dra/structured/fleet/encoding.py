"""The slices of a pool as they are sent: their JSON, with gaps for what is known last, and a digest of each.

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
from fake_dra_driver.dra.structured.fleet.devicetext import DeviceText, to_json
from fake_dra_driver.dra.structured.pool import Pool, PoolError, WantedSlice, slices_of
from fake_dra_driver.dra.structured.poollimits import counter_sets_problems, problems_beside_parts, problems_in_pool

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
    before: bytes
    """Its spec up to the generation of the pool."""
    after: bytes
    """And from there on."""

    @property
    def name(self) -> str:
        """Of the slice."""
        return self.wanted.name

    @property
    def has_taints(self) -> bool:
        """Whether a device has one."""
        return "devices[].taints" in self.gated_fields

    def spec(self, generation: int) -> bytes:
        """The JSON of its spec in a generation of the pool."""
        return b"%b%d%b" % (self.before, generation, self.after)


@dataclass(slots=True)
class _Sets:
    """The counter sets of pools that have been seen."""

    sets: tuple[v1.CounterSet, ...]
    """Of the latest, with which it takes no time to compare those of the next."""
    texts: Mapping[str, bytes]
    """By name, their JSON."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """A device that has been seen in a pool with these counter sets."""

    sets: _Sets
    text: DeviceText


_Written = tuple[bytes, frozenset[str]]
"""The JSON of a device, and which of its fields are gated."""


class PoolEncoder:
    """Writes and checks the pools of nodes.

    Args:
        api: the version of ``resource.k8s.io`` in which they are written.
        driver: its name.
    """

    def __init__(self, api: ResourceApi, driver: str) -> None:
        self._api = api
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
        texts = {one.name: to_json(one.to_wire()) for one in pool.shared_counters}
        found = _Sets(pool.shared_counters, texts)
        wrong = list(counter_sets_problems(pool.shared_counters))
        problems += wrong
        if not wrong:
            self._sets.insert(0, found)
            del self._sets[_MAX_VARIANTS:]
        return found

    def _device(self, device: v1.Device, pool: Pool, sets: _Sets, problems: list[str]) -> _Written:
        variants = self._devices.get(device.name, [])
        for place, variant in enumerate(variants):
            if variant.sets is sets and (written := variant.text.of(device)) is not None:
                if place:
                    variants.insert(0, variants.pop(place))
                return written, variant.text.gated_fields
        wrong = list(problems_in_pool(device, pool, {one.name: one.counters for one in sets.sets}))
        problems += wrong
        if wrong:
            return b"", frozenset()
        text = DeviceText(self._api, device, variants[0].text.gaps_for(device) if variants else ())
        if not variants:
            if len(self._devices) >= _MAX_NAMES:
                self._devices.clear()
            self._devices[device.name] = variants
        variants.insert(0, _Variant(sets, text))
        del variants[_MAX_VARIANTS:]
        return text.own, text.gated_fields

    def _slice(self, one: WantedSlice, sets: _Sets, devices: Sequence[_Written]) -> EncodedSlice:
        spec, parts = one.spec, ("devices", "shared_counters")
        beside = v1.ResourceSliceSpec(
            **{name: getattr(spec, name) for name in spec.model_fields_set if name not in parts}
        )
        wire = self._api.slices(spec=beside).to_wire()["spec"]
        pool = wire.pop("pool")
        del pool["generation"]
        before = to_json(wire)[:-1] + b',"pool":' + to_json(pool)[:-1] + b',"generation":'
        after, gated = b"}", gated_fields(beside).union(*(fields for _, fields in devices))
        if spec.shared_counters:
            after += b',"sharedCounters":[' + b",".join(sets.texts[each.name] for each in spec.shared_counters) + b"]"
            gated |= {"sharedCounters"}
        if devices:
            after += b',"devices":[' + b",".join(text for text, _ in devices) + b"]"
        after += b"}"
        digest = hashlib.sha256(before + after).digest()[:_DIGEST_BYTES]
        return EncodedSlice(one, urlsafe_b64encode(digest).decode().rstrip("="), gated, before, after)
