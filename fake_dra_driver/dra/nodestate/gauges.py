"""What metrics show of each node, by its object: not counted as it changes, but when metrics are scraped.

A change only marks the node, and the next scrape looks at the marked nodes. When a node is gone, its series go with it.
"""

from collections import Counter as Tally
from typing import Any, Final, Generic

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.nodestate.deviceuse import DEVICE_STATES, device_uses
from fake_dra_driver.dra.nodestate.layout import EntryT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.state import closed_reason
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.untrustedtext import cut

__all__ = ["NodeGauges"]

MAX_MODELS: Final = 32
"""Models of a node that have series of their own."""
MAX_MODEL: Final = 63
"""Characters of a model in a label; a claim cannot ask for a longer one."""
OTHER_MODELS: Final = "other models"


class NodeGauges(Generic[StateT, EntryT]):
    """Devices, readiness and claims of each node that has a NodeAllocationState."""

    def __init__(
        self, metrics: Metrics, layout: NodeStateLayout[StateT, Any, EntryT, Any], states: Informer[StateT]
    ) -> None:
        self._layout = layout
        self._states = states
        self._devices = metrics.gauge(families.DEVICES)
        self._ready = metrics.gauge(families.NODE_READY)
        self._claims = metrics.gauge(families.ALLOCATED_CLAIMS)
        self._changed: set[NamespacedName] = set()
        """Nodes whose object has changed since the last scrape."""
        self._models: dict[NamespacedName, set[str]] = {}
        """By node: the models that have series."""
        states.subscribe(self._mark)
        metrics.add_refresher(self._refresh)

    def _mark(self, change: Change[StateT]) -> None:
        self._changed.add(change.key)

    def _refresh(self) -> None:
        while self._changed:
            key = self._changed.pop()
            try:
                state = self._states.get(key)
            except InvalidObjectError:
                state = None
            if state is None:
                self._remove(key)
            else:
                self._show(key, state)

    def _show(self, key: NamespacedName, state: StateT) -> None:
        node = key.name
        tally = self._tally(state)
        models = {model for model, _ in tally}
        self._remove_models(node, self._models.get(key, set()) - models)
        self._models[key] = models
        for model in models:
            for use in DEVICE_STATES:
                self._devices.labels(node, model, use).set(tally[model, use])
        self._ready.labels(node).set(closed_reason(self._layout, state) is None)
        self._claims.labels(node).set(len(self._layout.entries_of(state)))

    def _tally(self, state: StateT) -> Tally[tuple[str, str]]:
        """Devices by model and state. What the object calls models may be anything, so few of them become labels."""
        names: dict[str, str] = {}
        tally: Tally[tuple[str, str]] = Tally()
        for use in device_uses(self._layout, state):
            if use.model not in names:
                names[use.model] = cut(use.model, MAX_MODEL) if len(names) < MAX_MODELS else OTHER_MODELS
            tally[names[use.model], use.state] += 1
        return tally

    def _remove(self, key: NamespacedName) -> None:
        if key in self._models:
            self._remove_models(key.name, self._models.pop(key))
            self._ready.remove(key.name)
            self._claims.remove(key.name)

    def _remove_models(self, node: str, models: set[str]) -> None:
        for model in models:
            for state in DEVICE_STATES:
                self._devices.remove(node, model, state)
