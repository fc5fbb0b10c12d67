"""Keeps the node's NodeAllocationState in line with the node: inventory, prepared devices, and whether it is usable.

The object is a projection of what the plugin knows, written behind: nothing waits for it, and changes that come close
together share a write. Only the plugin's own fields are written; ``spec.allocatedClaims`` is the controller's. The
status is written when the plugin begins or ceases to serve, and left alone in between: ``set-nas-status`` may say
NotReady for a node that is being drained. During a rolling update another process of the plugin may serve the node; it
is not NotReady then, and neither is it while a plugin that was killed and started again waits for the kubelet.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.nodestate.layout import DeviceT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.pluginpart import PluginPart, by_plugin, is_by_controller, owned_by
from fake_dra_driver.dra.nodestate.state import NOT_READY, READY, StateClient, make_state, owner_of
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["StatePublisher"]

log = logger.bind(component="publisher")

REGISTRATION_SECONDS: Final = 5.0
"""For the kubelet, which looks for plugins every second, to register one that was started again."""


class StatePublisher(Reconciler, Generic[StateT, DeviceT, PreparedT]):
    """Reconciles the node's own NodeAllocationState.

    Args:
        layout: of that object.
        state_key: of that object; its name is the node's.
        inventory: says which devices the node has at this moment.
        files: which claims are prepared.
        states: a cache that has that object.
        client: writes it.
        is_serving: whether the kubelet can use the plugin at this moment.
        has_successor: whether another process of the plugin serves the node.
        events: tells people about changes of the status.
        problem: why the inventory may be out of date; empty where it is not.
        annotations: what else is said of the node, by annotation; an empty text removes one.
    """

    def __init__(
        self,
        layout: NodeStateLayout[StateT, DeviceT, Any, PreparedT],
        state_key: NamespacedName,
        inventory: Callable[[], Sequence[DeviceT]],
        files: NodeFiles[PreparedT],
        states: Informer[StateT],
        client: StateClient,
        is_serving: Callable[[], bool],
        has_successor: Callable[[], Awaitable[bool]],
        events: NodeEvents,
        *,
        problem: Callable[[], str] = str,
        annotations: Callable[[], Mapping[str, str]] = dict,
        clock: Clock = loop_time,
    ) -> None:
        self._layout = layout
        self._key = state_key
        self._inventory = inventory
        self._files = files
        self._states = states
        self._client = client
        self._is_serving = is_serving
        self._has_successor = has_successor
        self._events = events
        self._problem = problem
        self._annotations = annotations
        self._clock = clock
        self._expected_until: float | None = None
        """When the node counts as not usable without a registration by the kubelet; None before the first pass."""
        self._announced: bool | None = None
        """What the status was last set to by this process, so that it is set on a change of ours alone."""
        self._announced_on = UID("")
        """The object that it was set on: another one of the same name knows nothing of it."""
        self._has_taken_over = False
        """Whether the object has a label that says whose word it is."""

    @override
    async def reconcile(self, request: Request) -> Result:
        if request != self._key:
            return Result()
        # Held to learn what another process has prepared: two that published what each remembers would go on for ever.
        async with self._files.hold():
            checkpoint = self._files.checkpoint
            prepared = checkpoint.claims if checkpoint.is_complete else None
        if prepared is None:
            # The object may be all that says what was prepared by an earlier process.
            return Result()
        state = self._states.get(self._key)
        if state is None:
            state = await make_state(self._client, self._layout, self._key, NOT_READY)
        self._events.object_found(state.uid)
        if is_by_controller(self._layout, state):
            # Until now the node was one without a plugin: what it says is not what this process has said.
            self._announced = None
        self._has_taken_over = self._layout.simulated_label in state.metadata.labels
        if self._announced is not None and state.uid != self._announced_on:
            # Also when the answer to that write was lost, or another client has created the object.
            self._announced = None
            self._events.state_recreated()
        waits_seconds = self._waits_for_kubelet_seconds(state)
        await self._publish(state, prepared, is_expected=waits_seconds > 0)
        return Result(requeue_after=waits_seconds or None)

    async def retire(self) -> None:
        """Says that the node is not usable any more: the last act of a plugin that stops. Raises as the API calls.

        Does nothing when another process serves the node.
        """
        if await self._has_successor():
            log.info("Node stays as it is: another process of the plugin serves it")
            return
        left: dict[str, Any] = {"status": NOT_READY}
        if self._has_taken_over:
            # From now on the node may be one without a plugin again.
            left["metadata"] = {"labels": {self._layout.simulated_label: None}}
        await self._client.merge_patch(self._layout.kind, self._key, left)
        self._events.plugin_stopped()

    def _waits_for_kubelet_seconds(self, state: StateT) -> float:
        """How much longer a node stays Ready that an earlier process has left so; 0: the status is this process's."""
        now = self._clock()
        if self._expected_until is None:
            self._expected_until = now + REGISTRATION_SECONDS
        if self._is_serving() or self._announced is not None or self._layout.status_of(state) != READY:
            return 0
        return max(0, self._expected_until - now)

    async def _publish(
        self, state: StateT, prepared: Mapping[str, PreparedClaim[PreparedT]], *, is_expected: bool
    ) -> None:
        serving = self._is_serving()
        layout = self._layout
        is_news = serving != self._announced and (serving or not (is_expected or await self._has_successor()))
        status = {True: READY, False: NOT_READY}[serving] if is_news else layout.status_of(state)
        part = PluginPart(self._inventory(), prepared, status, self._problem(), self._annotations())
        operations = [*await self._missing_owner(state), *by_plugin(layout, state), *part.missing(layout, state)]
        if operations:
            log.debug("Publishing", operations=len(operations))
            await self._client.json_patch(
                self._layout.kind,
                self._key,
                [patch.test(pointer("metadata", "uid"), state.uid), *operations],
            )
        if is_news:
            log.info("Node status published", status=status, devices=len(part.inventory))
            if self._announced:
                self._events.not_ready()
            self._announced, self._announced_on = serving, state.uid

    async def _missing_owner(self, state: StateT) -> Sequence[Operation]:
        """For an object that was made by hand: without an owner it would outlive its node."""
        if any(owner.kind == Node.resource.kind for owner in state.metadata.owner_references):
            return ()
        return owned_by(state, await owner_of(self._client, self._key.name))
