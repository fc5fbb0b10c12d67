"""Makes nodes what their DeviceProfiles say, in threads: meanwhile kubelets want answers, and a lease is renewed.

A profile is compiled once for each of its states. What was made of the last few nodes is kept, since several parts of a
program ask about a node at about the same time; of hundreds of nodes it would take hundreds of megabytes.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.profile.mocknode import MockNode

if TYPE_CHECKING:
    from fake_dra_driver.driver.profile.rendering import ProfileRenderer

__all__ = ["NodeDescriber", "Unusable", "refusal"]

_MAX_KEPT: Final = 32
"""Of how many nodes is kept what they have."""
_MAX_LISTED: Final = 3
"""How many problems a message lists; the rest are counted."""

T = TypeVar("T")

log = logger.bind(component="profiles")


@dataclass(frozen=True, slots=True)
class Unusable:
    """A profile from which devices cannot be made."""

    problems: Sequence[str]
    """Each with the path in the profile."""

    @override
    def __str__(self) -> str:
        more = len(self.problems) - _MAX_LISTED
        return "; ".join(self.problems[:_MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made for a node, and of what."""

    renderer: "ProfileRenderer"
    labels: Mapping[str, str]
    reason: str
    found: MockNode | Unusable


def refusal(profile: str, problem: Unusable | str) -> str:
    """What a node's NodeAllocationState says of a profile that is for it and not in force."""
    return f"DeviceProfile {profile} cannot be used on this node: {problem}; the node keeps the devices that it had"


class NodeDescriber:
    """Asks one question after the other: threads would not make it faster."""

    def __init__(self) -> None:
        self._renderers: dict[UID, tuple[int, ProfileRenderer | Unusable]] = {}
        """By profile: its generation, and what that was compiled to."""
        self._made: dict[str, _Made] = {}
        """By node, the one that was asked for last behind the others."""
        self._lock = asyncio.Lock()

    async def renderer(self, profile: DeviceProfile) -> "ProfileRenderer | Unusable":
        """The profile, compiled; or what is wrong with it on any node."""
        from fake_dra_driver.driver.profile.checking import checked_renderer

        async with self._lock:
            known = self._renderers.get(profile.uid)
            if known is None or known[0] != profile.metadata.generation:
                found = await _attempt(lambda: checked_renderer(profile), profile.metadata.name)
                known = self._renderers[profile.uid] = (profile.metadata.generation, found)
        return known[1]

    async def describe(
        self, renderer: "ProfileRenderer", node: str, labels: Mapping[str, str], reason: str
    ) -> MockNode | Unusable:
        """What a profile makes of a node; or what is wrong with it there.

        Args:
            renderer: of the profile.
            node: its name.
            labels: of the node.
            reason: why it is this profile, for people.
        """
        async with self._lock:
            made = self._made.pop(node, None)
            if made is None or (made.renderer, made.labels, made.reason) != (renderer, labels, reason):
                found = await _attempt(lambda: renderer.render(node, labels, reason), renderer.name)
                made = _Made(renderer, labels, reason, found)
                for oldest in list(self._made)[: len(self._made) - _MAX_KEPT + 1]:
                    del self._made[oldest]
            self._made[node] = made
        return made.found

    def forget_others(self, known: Collection[UID]) -> None:
        """Keeps nothing of profiles but these."""
        for gone in self._renderers.keys() - known:
            del self._renderers[gone]


async def _attempt(make: Callable[[], T], profile: str) -> T | Unusable:
    # Most nodes have no profile, and do without what makes devices of one.
    from fake_dra_driver.driver.profile.rendering import ProfileError

    try:
        return await asyncio.to_thread(make)
    except ProfileError as error:
        return Unusable(tuple(map(str, error.problems)))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # The checks have left something out. That must not end a plugin whose pods run.
        log.exception("DeviceProfile cannot be rendered", profile=profile)
        return Unusable((f"{type(error).__name__}: {error}",))
