"""What there is in the cluster of DeviceProfiles, DeviceFaults, and of nodes that they may be about.

The controller works without them: after an upgrade by helm, which leaves CRDs alone, the API server may not have these
kinds. So they are asked for while the program runs, again and again until they can be read, and only then watched.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.driver.live.readablekind import LOOK_AGAIN_SECONDS, why_unreadable
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.profile.selection import ChosenProfile, choose_profile
from fake_dra_driver.runtime import Cache, Change, Client, Controller, Informer, Reconciler, Request, Result, RetryError

if TYPE_CHECKING:
    from fake_dra_driver.driver.profile.rendering import ProfileRenderer

__all__ = ["CatalogOpener", "MockCatalog"]

_OPENING: Final = NamespacedName("", "catalog")

_MAX_MADE: Final = 64
"""Of how many nodes is kept what they have: those with claims that wait are asked about again and again."""

log = logger.bind(component="catalog")

K = TypeVar("K", bound=KubeObject)


class MockCatalog:
    """Reads them, once they can be read.

    Args:
        client: asks whether they can.
        cache: keeps them.
        driver: whose profiles and faults count.
    """

    def __init__(self, client: Client, cache: Cache, driver: str) -> None:
        self.driver = driver
        self._client = client
        self._cache = cache
        self._is_open = False
        self._unreadable = ""
        """Why they cannot be read, as was last found out; empty where they can, or where that is not known."""
        self._profiles: Informer[DeviceProfile] | None = None
        self._faults: Informer[DeviceFault] | None = None
        self._nodes: Informer[Node] | None = None
        self._choices: dict[str, ChosenProfile] | None = None
        """By node, as far as they have been asked for; None: something has changed."""
        self._renderers: dict[tuple[UID, int], ProfileRenderer] = {}
        self._made: dict[str, tuple[tuple[tuple[UID, int], Mapping[str, str], str], MockNode | None]] = {}
        """By node, the one that was asked for last behind the others: what it has, and what that was made of."""
        self._problems: dict[tuple[UID, int], Sequence[str]] = {}
        """What is wrong on any node, by version of the profile."""
        self._on_profiles: list[Callable[[], None]] = []
        self._on_faults: list[Callable[[], None]] = []

    @property
    def profiles(self) -> Informer[DeviceProfile]:
        """Raises RetryError as long as they are not read."""
        return _opened(self._profiles, self._is_open)

    @property
    def faults(self) -> Informer[DeviceFault]:
        """Raises RetryError as long as they are not read."""
        return _opened(self._faults, self._is_open)

    @property
    def nodes(self) -> Informer[Node]:
        """With their labels, and nothing else. Raises RetryError as long as they are not read."""
        return _opened(self._nodes, self._is_open)

    def readable_profiles(self) -> Sequence[DeviceProfile]:
        """All that there are; none where they cannot be read. Raises RetryError as long as that is not known."""
        return () if self._unreadable and not self._is_open else self.profiles.list()

    def subscribe(self, profiles_changed: Callable[[], None], faults_changed: Callable[[], None]) -> None:
        """Both are called once all is read, and then after each change of what is looked at.

        Args:
            profiles_changed: also after changes of nodes.
            faults_changed: also of what nodes say in their status.
        """
        self._on_profiles.append(profiles_changed)
        self._on_faults.append(faults_changed)

    async def open(self) -> str:
        """Why they cannot be read, and what to do about it; empty: they are read from now on.

        Raises:
            RuntimeLayerError: that could not be found out.
        """
        for kind in (DeviceProfile, DeviceFault):
            if why := await why_unreadable(self._client, kind):
                self._unreadable = why
                return why
        self._profiles = self._cache.informer(DeviceProfile)
        self._faults = self._cache.informer(DeviceFault)
        self._nodes = self._cache.informer(Node, metadata_only=True, transform=_labels_alone)
        for informer in (self._profiles, self._faults, self._nodes):
            await informer.wait_for_sync()
        self._is_open = True
        # Each is told of all that is there as well.
        self._profiles.subscribe(lambda change: self._profiles_changed() if _has_other_spec(change) else None)
        self._faults.subscribe(lambda _: self._faults_changed())
        self._nodes.subscribe(lambda change: self._profiles_changed() if _has_other_labels(change) else None)
        return ""

    def choose(self, node: str) -> ChosenProfile:
        """Which profile describes a node. Raises RetryError as long as they are not read."""
        return self.choices().get(node) or ChosenProfile(None, "there is no such node")

    def choices(self) -> Mapping[str, ChosenProfile]:
        """The same for all nodes, by name."""
        if self._choices is None:
            profiles = self.profiles.list()
            self._choices = {
                node.metadata.name: choose_profile(profiles, self.driver, node.metadata.labels)
                for node in self.nodes.list()
            }
        return self._choices

    def labels_of(self, node: str) -> Mapping[str, str]:
        """Labels of a node; none where there is no such node."""
        found = self.nodes.get(NamespacedName("", node))
        return {} if found is None else found.metadata.labels

    async def mock_node(self, node: str) -> MockNode | None:
        """What a node has by its profile; None: it has none, or one that cannot be used."""
        chosen = self.choose(node)
        if chosen.profile is None:
            return None
        # Only where there is a profile: its templates take memory.
        from fake_dra_driver.driver.profile.rendering import ProfileError

        labels = self.labels_of(node)
        key = (_version_of(chosen.profile), labels, chosen.reason)
        made = self._made.pop(node, None)
        if made is None or made[0] != key:
            try:
                render = self._renderer(chosen.profile).render
                made = (key, await asyncio.to_thread(render, node, labels, chosen.reason))
            except ProfileError:
                made = (key, None)
            for oldest in list(self._made)[: len(self._made) - _MAX_MADE + 1]:
                del self._made[oldest]
        self._made[node] = made
        return made[1]

    async def problems_of(self, profile: DeviceProfile) -> Sequence[str]:
        """What is wrong with a profile, on any node or on the first by name of those that it describes."""
        from fake_dra_driver.driver.profile.checking import profile_problems
        from fake_dra_driver.driver.profile.rendering import ProfileError

        key = _version_of(profile)
        if key not in self._problems:
            # A profile of hundreds of devices takes a while, in which the lease has to be renewed.
            self._problems[key] = tuple(map(str, await asyncio.to_thread(profile_problems, profile)))
        if problems := self._problems.get(key):
            return problems
        described = (
            node
            for node, chosen in self.choices().items()
            if chosen.profile is not None and chosen.profile.metadata.name == profile.metadata.name
        )
        node = min(described, default=None)
        if node is None:
            return ()
        try:
            await asyncio.to_thread(self._renderer(profile).render, node, self.labels_of(node))
        except ProfileError as error:
            return [f"on {node}: {problem}" for problem in error.problems]
        return ()

    def _renderer(self, profile: DeviceProfile) -> "ProfileRenderer":
        """Raises ProfileError."""
        from fake_dra_driver.driver.profile.rendering import ProfileRenderer

        key = _version_of(profile)
        if key not in self._renderers:
            self._renderers[key] = ProfileRenderer(profile)
        return self._renderers[key]

    def _profiles_changed(self) -> None:
        self._choices = None
        known = {_version_of(profile) for profile in self.profiles.list()}
        for gone in (self._renderers.keys() | self._problems.keys()) - known:
            self._renderers.pop(gone, None)
            self._problems.pop(gone, None)
        for tell in self._on_profiles:
            tell()

    def _faults_changed(self) -> None:
        for tell in self._on_faults:
            tell()


class CatalogOpener(Reconciler):
    """Opens the catalog, as soon as that can be done.

    Args:
        catalog: to be opened.
    """

    def __init__(self, catalog: MockCatalog) -> None:
        self._catalog = catalog
        self._said = ""
        self.controller = Controller("mockcatalog", self)

    def start(self) -> None:
        """Asks for the first pass. Needs a running event loop."""
        self.controller.enqueue(_OPENING)

    @override
    async def reconcile(self, request: Request) -> Result:
        why = await self._catalog.open()
        if not why:
            return Result()
        if why != self._said:
            self._said = why
            log.warning("DeviceProfiles and DeviceFaults are not looked after", error=why)
        return Result(requeue_after=LOOK_AGAIN_SECONDS)


def _version_of(profile: DeviceProfile) -> tuple[UID, int]:
    """What compiled templates, and what is wrong with them, are kept by."""
    return profile.uid, profile.metadata.generation


def _opened(informer: Informer[K] | None, is_open: bool) -> Informer[K]:
    if informer is None or not is_open:
        raise RetryError("DeviceProfiles and DeviceFaults have not been read yet")
    return informer


def _labels_alone(raw: dict[str, Any]) -> dict[str, Any]:
    """A node's identity and labels: a cluster has many nodes, with much in them that does not matter here."""
    metadata = raw.get("metadata", {})
    names = ("name", "uid", "resourceVersion", "labels")
    return {"metadata": {name: metadata[name] for name in names if name in metadata}}


def _has_other_spec(change: Change[DeviceProfile]) -> bool:
    if change.old is None or change.new is None:
        return True
    return change.old.metadata.generation != change.new.metadata.generation or change.old.uid != change.new.uid


def _has_other_labels(change: Change[Node]) -> bool:
    if change.old is None or change.new is None:
        return True
    return change.old.metadata.labels != change.new.metadata.labels
