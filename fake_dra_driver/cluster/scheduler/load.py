"""How many pods each node has, including those that are on their way to it.

What kube-scheduler's cache of assumed pods is for. A pod counts once: on the node that it is bound to or, until the
cache shows that, on the node that was chosen for it.
"""

from collections import Counter

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.store import Change

__all__ = ["Load"]


class Load:
    """Counts pods. Fed by the informers' handlers and by the scheduler."""

    def __init__(self) -> None:
        self._bound: dict[UID, str] = {}
        self._chosen: dict[UID, str] = {}
        self._assumed: set[UID] = set()
        """Pods whose binding was accepted and has not come back through the cache yet. Each is in ``_chosen``."""
        self._count: Counter[str] = Counter()
        """Pods by node: for each pod, where it is bound, else what was chosen."""

    def of(self, node: str) -> int:
        """Pods on the node."""
        return self._count[node]

    def is_assumed(self, uid: UID) -> bool:
        """Whether the pod was bound, though the cache does not show it."""
        return uid in self._assumed

    def choose(self, uid: UID, node: str) -> None:
        """Notes that this node is chosen for the pod. Changes nothing once the pod is bound."""
        if uid not in self._bound:
            self._move(uid, chosen=node)

    def assume(self, uid: UID) -> None:
        """Notes that the pod's binding was accepted."""
        if uid not in self._bound:
            self._assumed.add(uid)

    def release(self, uid: UID) -> None:
        """Forgets the node that was chosen for the pod."""
        if uid not in self._assumed:
            self._move(uid, chosen=None)

    def on_pod(self, change: Change[Pod]) -> None:
        """Handler for pods."""
        if change.new is None or change.new.is_finished:
            pod = change.new or change.old
            if pod is not None:
                self._assumed.discard(pod.uid)
                self._move(pod.uid, bound=None, chosen=None)
        elif change.new.spec.node_name:
            self._assumed.discard(change.new.uid)
            self._move(change.new.uid, bound=change.new.spec.node_name, chosen=None)

    def _move(self, uid: UID, *, chosen: str | None, bound: str | None = "") -> None:
        """Counts the pod where it is now; ``bound`` left out stays as it is."""
        before = self._bound.get(uid) or self._chosen.get(uid)
        if bound is None:
            self._bound.pop(uid, None)
        elif bound:
            self._bound[uid] = bound
        if chosen is None:
            self._chosen.pop(uid, None)
        else:
            self._chosen[uid] = chosen
        after = self._bound.get(uid) or self._chosen.get(uid)
        if before != after:
            if before is not None:
                self._count[before] -= 1
            if after is not None:
                self._count[after] += 1
