"""What a scheduler says when no node takes a pod, taken apart: on how many nodes which reason.

An example runs beside others in one cluster, whose nodes are not its own. They are counted out, so that a refusal is as
it would be in a cluster that has nothing but the example.
"""

import re
from collections import Counter
from typing import Final

__all__ = ["OTHER_NODE", "alone", "reasons"]

OTHER_NODE: Final = "node(s) didn't match Pod's node affinity/selector"
"""What is said of every node of another example, since pods of an example keep to its own."""

_COUNTS: Final = re.compile(r"0/(?P<total>\d+) nodes are available: (?P<reasons>.*?)\.(?P<rest>.*)", re.DOTALL)
_PREEMPTION: Final = " preemption: "
_ALL_AT_ONCE: Final = -1
"""The count of a reason that was there before any node was looked at."""


def alone(refusal: str, nodes: int) -> str:
    """A refusal as it would be if there were only so many nodes; the reasons are sorted."""
    found = _COUNTS.fullmatch(refusal)
    if found is None:
        return refusal
    others = int(found["total"]) - nodes
    counted = _counted(found["reasons"])
    if OTHER_NODE in counted:
        counted[OTHER_NODE] -= others
    # The nodes of others are not worth a preemption either.
    before, separator, preemption = found["rest"].partition(_PREEMPTION)
    return f"0/{nodes} nodes are available: {_joined(counted)}.{before}{separator}{_less(preemption, others)}"


def _less(preemption: str, others: int) -> str:
    found = _COUNTS.fullmatch(preemption)
    if found is None:
        return preemption
    counted = _counted(found["reasons"])
    counted["Preemption is not helpful for scheduling"] -= others
    return f"0/{int(found['total']) - others} nodes are available: {_joined(counted)}.{found['rest']}"


def reasons(refusal: str) -> Counter[str]:
    """On how many nodes there was which reason; -1 for one that was there before any node was looked at."""
    found = _COUNTS.fullmatch(refusal)
    return Counter({refusal: _ALL_AT_ONCE}) if found is None else _counted(found["reasons"])


def _counted(text: str) -> Counter[str]:
    parts = [part.partition(" ") for part in text.split(", ")]
    if not all(count.isdigit() for count, _, _ in parts):
        return Counter({text: _ALL_AT_ONCE})
    return Counter({reason: int(count) for count, _, reason in parts})


def _joined(counted: Counter[str]) -> str:
    return ", ".join(
        sorted(why if count == _ALL_AT_ONCE else f"{count} {why}" for why, count in counted.items() if count)
    )
