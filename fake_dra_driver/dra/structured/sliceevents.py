"""What a node's plugin tells people about what it publishes in structured DRA, as Events about the Node."""

from collections.abc import Callable, Sequence

from typing_extensions import override

from fake_dra_driver.api.kube.core import Node, ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.publishobserver import PublishObserver
from fake_dra_driver.dra.structured.slicereason import (
    DEVICE_STATUS_NOT_WRITTEN,
    SLICE_FIELDS_DROPPED,
    SLICES_CORRECTED,
    SLICES_REMOVED,
    SLICES_RESTORED,
)
from fake_dra_driver.runtime.events import EventSink

__all__ = ["SliceEvents"]


class SliceEvents(PublishObserver):
    """Turns repairs of slices, and what the API server does not keep, into Events.

    Args:
        sink: writes them.
        node: the name of the node.
        dropped: is told of fields that the API server does not keep, too.
    """

    def __init__(
        self, sink: EventSink, node: str, dropped: Callable[[DroppedFields], None] = lambda _dropped: None
    ) -> None:
        self._sink = sink
        self._dropped = dropped
        # The kubelet's Events about its Node have the name in place of the UID, and kubectl describe looks for that.
        self._about = ObjectReference(
            api_version=Node.resource.api_version, kind=Node.resource.kind, name=node, uid=UID(node)
        )

    @override
    def slices_restored(self, pool: str, names: Sequence[str]) -> None:
        self._tell(SLICES_RESTORED, f"ResourceSlices of pool {pool} were gone, and are published again", names)

    @override
    def slices_corrected(self, pool: str, names: Sequence[str]) -> None:
        self._tell(SLICES_CORRECTED, f"ResourceSlices of pool {pool} were changed, and are written again", names)

    @override
    def slices_removed(self, pool: str, names: Sequence[str]) -> None:
        self._tell(SLICES_REMOVED, f"ResourceSlices of pool {pool} that the plugin has not made were deleted", names)

    @override
    def fields_dropped(self, pool: str, dropped: DroppedFields) -> None:
        SLICE_FIELDS_DROPPED.tell(self._sink, self._about, f"pool {pool}: {dropped}")
        self._dropped(dropped)

    def status_not_written(self, problem: str) -> None:
        """Devices cannot be reported in the status of claims."""
        DEVICE_STATUS_NOT_WRITTEN.tell(self._sink, self._about, problem)

    def _tell(self, reason: Reason, message: str, names: Sequence[str]) -> None:
        reason.tell(self._sink, self._about, f"{message}: {', '.join(names)}")
