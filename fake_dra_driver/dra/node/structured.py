"""What the calls of structured DRA have in common in both of their versions: ``v1beta1`` and ``v1``.

The kubelet names the claims of a pod, and nothing of what they hold. The answer has an entry for each of them, with its
devices or with what went wrong; an error of the call would fail them all.
"""

from collections.abc import Callable, Iterable, Mapping, MutableSequence
from typing import Protocol, TypeVar

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import ClaimCalls, Failure
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import ReadyDevice

__all__ = ["answer_prepare", "answer_unprepare"]

DeviceT = TypeVar("DeviceT")
"""The message for a device, which is all that the versions do not share."""


class _Claim(Protocol):
    namespace: str
    uid: str
    name: str


class _Prepared(Protocol[DeviceT]):
    error: str

    @property
    def devices(self) -> MutableSequence[DeviceT]: ...


class _Unprepared(Protocol):
    error: str


async def answer_prepare(
    calls: ClaimCalls[NodeClaim],
    claims: Iterable[_Claim],
    answer: Mapping[str, _Prepared[DeviceT]],
    message_of: Callable[[ReadyDevice], DeviceT],
    remaining_seconds: float | None,
) -> None:
    """Prepares the claims of a call.

    Args:
        calls: Does the work.
        claims: As they came in.
        answer: By UID, makes the entry of a claim when it is asked for it.
        message_of: Makes the message for a device.
        remaining_seconds: Until the caller's deadline; None when it has none.
    """
    for uid, outcome in (await calls.run("prepare", _node_claims(claims), remaining_seconds)).items():
        entry = answer[uid]
        if isinstance(outcome, Failure):
            entry.error = outcome.message
        else:
            entry.devices.extend(map(message_of, outcome))


async def answer_unprepare(
    calls: ClaimCalls[NodeClaim],
    claims: Iterable[_Claim],
    answer: Mapping[str, _Unprepared],
    remaining_seconds: float | None,
) -> None:
    """Unprepares the claims of a call; the arguments are those of ``answer_prepare``."""
    for uid, outcome in (await calls.run("unprepare", _node_claims(claims), remaining_seconds)).items():
        answer[uid].error = outcome.message if isinstance(outcome, Failure) else ""


def _node_claims(claims: Iterable[_Claim]) -> list[NodeClaim]:
    return [NodeClaim(claim.namespace, claim.name, UID(claim.uid)) for claim in claims]
