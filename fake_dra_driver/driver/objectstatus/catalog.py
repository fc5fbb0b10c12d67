"""What there is in the cluster of DeviceProfiles, DeviceFaults, and of nodes that they may be about.

The controller works without them: after an upgrade by helm, which leaves CRDs alone, the API server may not have these
kinds. So they are asked for while the program runs, again and again until they can be read, and only then watched.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.driver.live.describer import NodeDescriber, Unusable
from fake_dra_driver.driver.live.readablekind import LOOK_AGAIN_SECONDS, why_unreadable
from fake_dra_driver.driver.live.specchange import has_other_spec
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.profile.selection import ChosenProfile, choose_profile
from fake_dra_driver.runtime import Cache, Change, Client, Controller, Informer, Reconciler, Request, Result, RetryError

__all__ = ["CatalogOpener", "MockCatalog"]

_OPENING: Final = NamespacedName("", "catalog")

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
        self.describer = NodeDescriber()
        self._choices: dict[str, ChosenProfile] | None = None
        """By node; None: another profile may be for any of them."""
        self._on_open: list[Callable[[], None]] = []
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
        """With their metadata, and nothing else. Raises RetryError as long as they are not read."""
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

    @property
    def is_open(self) -> bool:
        """Whether they are read."""
        return self._is_open

    def when_open(self, opened: Callable[[], None]) -> None:
        """``opened`` is called once all is read. Its own subscriptions are told of a change after the catalog."""
        self._on_open.append(opened)

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
        self._nodes = self._cache.informer(Node, metadata_only=True)
        for informer in (self._profiles, self._faults, self._nodes):
            await informer.wait_for_sync()
        self._is_open = True
        # Each is told of all that is there as well.
        self._profiles.subscribe(self._see_profile)
        self._faults.subscribe(lambda _: self._tell(self._on_faults))
        self._nodes.subscribe(self._see_node)
        self._tell(self._on_open)
        return ""

    def why_refused(self, profile: str) -> str:
        """Why a profile of that name is there and cannot be read; empty where it can, or is not there."""
        return next((str(error) for error in self.profiles.invalid() if error.key.name == profile), "")

    def choose(self, node: str) -> ChosenProfile:
        """Which profile describes a node. Raises RetryError as long as they are not read."""
        return self.choices().get(node) or ChosenProfile(None, "there is no such node")

    def choices(self) -> Mapping[str, ChosenProfile]:
        """The same for all nodes, by name."""
        if self._choices is None:
            self._choices = {node.metadata.name: self._chosen(node) for node in self.nodes.list()}
        return self._choices

    def labels_of(self, node: str) -> Mapping[str, str]:
        """Labels of a node; none where there is no such node."""
        found = self.nodes.get(NamespacedName("", node))
        return {} if found is None else found.metadata.labels

    def has_node(self, node: str) -> bool:
        """Whether there is such a Node."""
        return self.nodes.get(NamespacedName("", node)) is not None

    async def mock_node(self, node: str) -> MockNode | None:
        """What a node has by its profile; None: it has none, or one that cannot be used."""
        chosen = self.choose(node)
        if chosen.profile is None:
            return None
        renderer = await self.describer.renderer(chosen.profile)
        if isinstance(renderer, Unusable):
            return None
        found = await self.describer.describe(renderer, node, self.labels_of(node), chosen.reason)
        return None if isinstance(found, Unusable) else found

    async def problems_of(self, profile: DeviceProfile) -> Sequence[str]:
        """What is wrong with a profile, on any node or on the first by name of those that it describes."""
        renderer = await self.describer.renderer(profile)
        if isinstance(renderer, Unusable):
            return renderer.problems
        described = (
            node
            for node, chosen in self.choices().items()
            if chosen.profile is not None and chosen.profile.metadata.name == profile.metadata.name
        )
        node = min(described, default=None)
        if node is None:
            return ()
        found = await self.describer.describe(renderer, node, self.labels_of(node), self.choose(node).reason)
        return [f"on {node}: {problem}" for problem in found.problems] if isinstance(found, Unusable) else ()

    def _chosen(self, node: Node) -> ChosenProfile:
        return choose_profile(self.profiles.list(), self.driver, node.metadata.labels)

    def _see_profile(self, change: Change[DeviceProfile]) -> None:
        if not has_other_spec(change):
            return
        self._choices = None
        self.describer.forget_others({profile.uid for profile in self.profiles.list()})
        self._tell(self._on_profiles)

    def _see_node(self, change: Change[Node]) -> None:
        if not _has_other_labels(change):
            return
        # Of thousands of nodes that come one after the other, each is looked at once.
        if self._choices is not None and change.new is not None:
            self._choices[change.key.name] = self._chosen(change.new)
        elif self._choices is not None:
            self._choices.pop(change.key.name, None)
        self._tell(self._on_profiles)

    def _tell(self, subscribers: Sequence[Callable[[], None]]) -> None:
        for tell in subscribers:
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


def _opened(informer: Informer[K] | None, is_open: bool) -> Informer[K]:
    if informer is None or not is_open:
        raise RetryError("DeviceProfiles and DeviceFaults have not been read yet")
    return informer


def _has_other_labels(change: Change[Node]) -> bool:
    if change.old is None or change.new is None:
        return True
    return change.old.metadata.labels != change.new.metadata.labels
