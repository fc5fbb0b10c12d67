"""Stand-ins for the parts around a controller, an informer that tests drive by hand, and what was logged."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from loguru import logger
from prometheus_client import CollectorRegistry

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.reconcile import Request, Result
from fake_dra_driver.runtime.store import Change

if TYPE_CHECKING:
    from loguru import Message, Record

K = TypeVar("K", bound=KubeObject)


def pod(name: str, namespace: str = "default", uid: str = "") -> Pod:
    return Pod(metadata=ObjectMeta(name=name, namespace=namespace, uid=UID(uid or f"uid-{name}"), resource_version="7"))


def request(name: str) -> Request:
    return NamespacedName("default", name)


class FakeInformer(Generic[K]):
    """Reports what a test tells it to, and the objects that are there to each new subscriber."""

    def __init__(self, kind: type[K], objects: Sequence[K] = ()) -> None:
        self.kind = kind
        self.objects = {obj.key: obj for obj in objects}
        self.handlers: list[Callable[[Change[K]], None]] = []

    def subscribe(self, handler: Callable[[Change[K]], None]) -> None:
        self.handlers.append(handler)
        for obj in self.objects.values():
            handler(Change(obj.key, None, obj))

    def put(self, obj: K) -> None:
        old = self.objects.get(obj.key)
        self.objects[obj.key] = obj
        for handler in self.handlers:
            handler(Change(obj.key, old, obj))


class FakeReconciler:
    """Does what a test says, and keeps when each pass began and whether two of one object ever overlapped."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[Result | BaseException]] = defaultdict(list)
        """What the next passes of an object lead to, in order; after that, ``Result()``."""
        self.durations: dict[str, float] = {}
        """How long a pass of an object takes, in seconds."""
        self.passes: list[tuple[float, str]] = []
        self.finished: list[str] = []
        self.busy: set[str] = set()
        self.most_busy = 0

    async def reconcile(self, request: Request) -> Result:
        name = request.name
        assert name not in self.busy, "two passes of one object at once"
        self.passes.append((asyncio.get_running_loop().time(), name))
        self.busy.add(name)
        self.most_busy = max(self.most_busy, len(self.busy))
        try:
            if name in self.durations:
                await asyncio.sleep(self.durations[name])
        finally:
            self.busy.remove(name)
        self.finished.append(name)
        outcome = self.outcomes[name].pop(0) if self.outcomes[name] else Result()
        if isinstance(outcome, Result):
            return outcome
        raise outcome

    def times(self, name: str) -> list[float]:
        """When the passes of an object began."""
        return [at for at, found in self.passes if found == name]


@contextmanager
def logged() -> Iterator[list["Record"]]:
    """What is logged while this is open, at every level."""
    records: list[Record] = []

    def keep(message: "Message") -> None:
        records.append(message.record)

    number = logger.add(keep, level=0, format="{message}")
    try:
        yield records
    finally:
        logger.remove(number)


def at_least(level: str, records: Sequence["Record"]) -> list[tuple[str, str]]:
    """Level and message of the records of that level and above."""
    lowest = logger.level(level).no
    return [(record["level"].name, record["message"]) for record in records if record["level"].no >= lowest]


def sample(registry: CollectorRegistry, name: str, /, **labels: str) -> float:
    """The value of a metric. Fails when there is no such series."""
    value = registry.get_sample_value(name, labels)
    assert value is not None, f"no series {name}{labels}"
    return value


async def settle() -> None:
    """Lets everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
