"""A small cluster as an example: the objects, and what a scheduler makes of its pods, one after the other.

All names of an example begin with ``MARK``, which a run replaces by a prefix of its own. So many examples can live in
one cluster at the same time, and none ever meets the remains of another.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

__all__ = ["EXTENDED_CLAIM_INFIX", "MARK", "UNTOLD", "Allocations", "Example", "Outcome", "Run", "Wire", "stable"]

Wire = dict[str, Any]
"""An object as JSON has it."""
Allocations = Mapping[str, Wire]
"""``status.allocation`` by name of the claim, made ``stable``."""

MARK: Final = "§"
"""What each name in an example begins with."""
EXTENDED_CLAIM_INFIX: Final = "-extended-resources-"
"""Between the name of a pod and a random suffix, in the name of the claim for its extended resources."""
UNTOLD: Final = "?"
"""For the node that a pod will get when its devices are bound: the scheduler keeps it to itself."""


@dataclass(frozen=True, slots=True)
class Example:
    """A cluster. Everything else is there before the first pod; each pod comes when the one before is settled."""

    nodes: Sequence[Wire] = ()
    slices: Sequence[Wire] = ()
    rules: Sequence[Wire] = ()
    """DeviceTaintRules."""
    classes: Sequence[Wire] = ()
    claims: Sequence[Wire] = ()
    """Those with a status are in use, or at least allocated, by others than the pods."""
    pods: Sequence[Wire] = ()

    def named(self, prefix: str) -> "Example":
        """The same with a prefix for ``MARK``."""
        return self.from_json(self.to_json().replace(MARK, prefix))

    def to_json(self) -> str:
        """The objects as text, for messages and files."""
        kinds = {each.name: getattr(self, each.name) for each in fields(self)}
        return json.dumps({kind: objects for kind, objects in kinds.items() if objects}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Example":
        """What ``to_json`` has written."""
        return cls(**json.loads(text))

    @property
    def is_whole(self) -> bool:
        """Whether all claims of the pods are there; a pod without one of its claims is not looked at by a scheduler."""
        names = {claim["metadata"]["name"] for claim in self.claims}
        return bool(self.pods) and all(
            entry.get("resourceClaimName") in names
            for pod in self.pods
            for entry in pod["spec"].get("resourceClaims", ())
        )

    @property
    def is_loud(self) -> bool:
        """Whether others would notice it: a pool that is for all nodes, and incomplete, invalid or without a class's
        bounds, stands in the way of each request for all devices, and an unbounded taint rule is for all devices."""
        if any(rule["spec"].get("deviceSelector") == {} for rule in self.rules):
            return True
        return any(_is_for_all_nodes(each) for each in self.slices)


def _is_for_all_nodes(resource_slice: Wire) -> bool:
    spec = resource_slice["spec"]
    return bool(spec.get("allNodes") or any(device.get("allNodes") for device in spec.get("devices", ())))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a pod."""

    node: str = ""
    """Where it runs, or would as soon as its devices are bound (then maybe ``UNTOLD``); empty: nowhere."""
    refusal: str = ""
    """Why it has no node, in the scheduler's words."""
    allocations: Allocations = field(default_factory=dict)
    """Of its claims."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of an example."""

    outcomes: Sequence[Outcome] = ()
    """Of its pods, in their order; names begin with ``MARK`` again."""
    invalid: str = ""
    """What the API server said when it did not take an object; then there are no outcomes."""

    def unnamed(self, prefix: str) -> "Run":
        """The same with ``MARK`` for a prefix."""
        plain = json.dumps([asdict(each) for each in self.outcomes], ensure_ascii=False)
        return Run([Outcome(**each) for each in json.loads(plain.replace(prefix, MARK))], self.invalid)


def stable(claim: str, allocation: Mapping[str, Any]) -> Wire:
    """An allocation without what is a time, and with share IDs that say no more than that they are different."""
    devices = allocation.get("devices", {})
    results = [
        {**result, "shareID": f"{claim}/{index}"} if "shareID" in result else dict(result)
        for index, result in enumerate(devices.get("results", ()))
    ]
    kept = {key: value for key, value in allocation.items() if key != "allocationTimestamp"}
    return {**kept, "devices": {**devices, "results": results}}
