"""A recorder of Events that keeps them, for tests that ask what people were told."""

from collections.abc import Sequence

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import KubeObject


class Recorder:
    """Keeps events instead of writing them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []
        """Name of the object, reason and message."""
        self.uids: set[str] = set()
        """Of the objects that were told of."""
        self.abouts: list[KubeObject | ObjectReference] = []
        """What each event is about, as it was said."""

    def event(self, obj: KubeObject | ObjectReference, type_: str, reason: str, message: str) -> None:
        about = obj if isinstance(obj, ObjectReference) else obj.metadata
        self.uids.add(about.uid)
        self.abouts.append(obj)
        self.events.append((about.name, reason, message))

    def messages(self, reason: str) -> Sequence[str]:
        """What was told for that reason."""
        return [message for _, found, message in self.events if found == reason]
