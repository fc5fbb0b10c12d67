"""What an API server does with reports on devices, as seen on Kubernetes 1.32 and 1.37."""

import asyncio
import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.errors import Status, api_error

K = TypeVar("K", bound=KubeObject)
Wire = dict[str, Any]


def refusal(code: int, *causes: Mapping[str, str], reason: str = "Invalid", name: str = "claim") -> Exception:
    """An answer other than the claim."""
    details = {"name": name, "causes": list(causes)}
    key = NamespacedName("default", "claim")
    return api_error(Status(code, reason, "no", details), "patch", v1.ResourceClaim.resource, key)


class StatusServer:
    """Claims whose ``status.devices`` can be read and applied."""

    def __init__(self, *, has_gate: bool = True) -> None:
        self.requests: list[str] = []
        """Verbs, in order."""
        self.errors: list[Exception] = []
        """What the next writes are answered with."""
        self.lost: list[Exception] = []
        """What the next writes are answered with after they were done."""
        self.gate: asyncio.Event | None = None
        """Holds up writes, once they are done, until it is set."""
        self.after_read: Callable[[StatusServer], None] | None = None
        """What happens, once, between a read and the write that follows."""
        self._has_gate = has_gate
        self._claims: dict[NamespacedName, Wire] = {}
        self._version = 0

    def put(self, claim: v1.ResourceClaim) -> v1.ResourceClaim:
        """The claim as it is stored."""
        return self._store(claim.to_wire())

    def read(self, name: str = "claim") -> v1.ResourceClaim:
        return v1.ResourceClaim.from_wire(copy.deepcopy(self._claims[NamespacedName("default", name)]))

    def devices(self, name: str = "claim") -> list[Wire]:
        found: list[Wire] = self._claims[NamespacedName("default", name)]["status"].get("devices", [])
        return found

    def deallocate(self, name: str = "claim") -> None:
        self._store({**self._claims[NamespacedName("default", name)], "status": {}})

    def delete(self, name: str = "claim") -> None:
        del self._claims[NamespacedName("default", name)]

    def report(self, *devices: Mapping[str, Any]) -> None:
        """Another writer adds entries."""
        there = self._claims[NamespacedName("default", "claim")]
        self._store({**there, "status": {**there["status"], "devices": [*self.devices(), *devices]}})

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        self.requests.append("get")
        found = kind.from_wire(copy.deepcopy(self._found(key)))
        if (happens := self.after_read) is not None:
            self.after_read = None
            happens(self)
        return found

    async def apply(
        self,
        kind: type[K],
        key: NamespacedName,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        assert force
        assert subresource == "status"
        self.requests.append("apply")
        if self.errors:
            raise self.errors.pop(0)
        claim = self._found(key)
        if body["metadata"]["uid"] != claim["metadata"]["uid"]:
            raise refusal(422, {"reason": "FieldValueInvalid", "field": "metadata.uid"})
        version = claim["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion", version) != version:
            raise refusal(409, reason="Conflict")
        others = [device for device in self.devices(key.name) if device["driver"] != field_manager]
        applied = list(body["status"]["devices"]) if self._has_gate else []
        allocated = claim["status"].get("allocation", {"devices": {"results": []}})["devices"]["results"]
        if any(device["device"] not in [result["device"] for result in allocated] for device in applied):
            raise refusal(422, {"reason": "FieldValueInvalid", "field": "status.devices[0]"})
        status = {**claim["status"], "devices": [*others, *applied]}
        changed = claim if status == claim["status"] else self._store({**claim, "status": status}).to_wire()
        if self.gate is not None:
            await self.gate.wait()
        if self.lost:
            raise self.lost.pop(0)
        return kind.from_wire(copy.deepcopy(changed))

    def _found(self, key: NamespacedName) -> Wire:
        if key not in self._claims:
            raise refusal(404, reason="NotFound")
        return self._claims[key]

    def _store(self, wire: Wire) -> v1.ResourceClaim:
        self._version += 1
        metadata = {**wire["metadata"], "resourceVersion": str(self._version)}
        self._claims[NamespacedName(metadata["namespace"], metadata["name"])] = {**wire, "metadata": metadata}
        return self.read(metadata["name"])
