"""The kinds of configuration that the profiles of a driver list: for those who look at claims before a node does.

On a node, its own profile says which kinds there are. The controller and the admission webhook do not know yet on which
node a claim will be allocated: what one profile accepts is right for them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.structured import schema_problems
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.profile.containerfields import config_kinds_of
from fake_dra_driver.driver.profile.containers import FAKE_CLAIM_PARAMETERS, ConfigKind

__all__ = ["ProfileKinds"]


class ProfileKinds:
    """What to call for the kinds that are accepted at this moment.

    Args:
        driver: whose profiles count.
        profiles: all that there are, also of other drivers.
    """

    def __init__(self, driver: str, profiles: Callable[[], Iterable[DeviceProfile]]) -> None:
        self._driver = driver
        self._profiles = profiles
        self._known: dict[tuple[UID, int | None], Sequence[ConfigKind]] = {}
        """By state of a profile: what it lists."""

    def __call__(self) -> Sequence[ConfigKind]:
        """The kinds. Raises what ``profiles`` raises."""
        ours = [profile for profile in self._profiles() if profile.spec.driver_name == self._driver]
        self._known = {state: self._kinds_of(state, profile) for profile in ours for state in [_state_of(profile)]}
        found = [kind for kinds in self._known.values() for kind in kinds]
        # A node that no profile is for has the devices of the quickstart. Those of another vendor have that vendor's
        # configuration, unless there is no profile at all.
        if not ours or self._driver == NAMES.driver:
            found.append(FAKE_CLAIM_PARAMETERS)
        return found

    def _kinds_of(self, state: tuple[UID, int | None], profile: DeviceProfile) -> Sequence[ConfigKind]:
        known = self._known.get(state)
        return [_usable(kind) for kind in config_kinds_of(profile.spec)] if known is None else known


def _state_of(profile: DeviceProfile) -> tuple[UID, int | None]:
    return profile.uid, profile.metadata.generation


def _usable(kind: ConfigKind) -> ConfigKind:
    """A kind without a schema that cannot be used, about which its profile's status says more."""
    return kind if kind.schema is None or not schema_problems(kind.schema) else replace(kind, schema=None)
