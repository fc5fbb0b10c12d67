"""All pods of a node: one worker for each, for as long as anything of the pod is here.

Pods are told apart by UID: one that was deleted by force and made again under its name is another pod, which starts
while what is left of the first is stopped (k8s.io/kubernetes/pkg/kubelet/pod_workers.go).
"""

import asyncio
from datetime import datetime

from loguru import logger

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime.container import PodReference
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.pods.podworker import PodServices, PodWorker
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.store import Change

__all__ = ["PodWorkers"]

log = logger.bind(component="podworkers")


class PodWorkers:
    """The workers of one node.

    Args:
        services: what they share.
        pods: the node's pods; synced before ``run``.
    """

    def __init__(self, services: PodServices, pods: Informer[Pod]) -> None:
        self._services = services
        self._pods = pods
        self._workers: dict[UID, PodWorker] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Runs a worker for each pod until cancelled. Containers keep running then."""
        unsubscribe = self._services.runtime.subscribe(self._on_container)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._take_known()
                self._pods.subscribe(self._on_change)
                self._take_leftovers()
                await asyncio.get_running_loop().create_future()
        finally:
            self._group = None
            unsubscribe()

    def wake_users_of(self, driver: str) -> None:
        """Has the pods looked at that have devices of a driver, since their health has changed."""
        for uid in self._services.claims.users(driver):
            if uid in self._workers:
                self._workers[uid].wake()

    def target(self, uid: UID, name: str) -> HandlerTarget | None:
        """The container of that name in a pod, if it runs here."""
        worker = self._workers.get(uid)
        return worker.target(name) if worker is not None else None

    def _take_known(self) -> None:
        """Takes the pods that were there before this kubelet: those of an earlier one first, then the oldest."""
        now = self._services.now()

        def rank(pod: Pod) -> tuple[bool, datetime]:
            return not self._was_taken(pod), pod.metadata.creation_timestamp or now

        for pod in sorted(self._pods.list(), key=rank):
            self._take(pod)

    def _take(self, pod: Pod) -> None:
        rejection = self._services.admission.admit(pod, was_taken=self._was_taken(pod))
        self._start(PodWorker(self._services, pod.reference, pod, rejection))

    def _was_taken(self, pod: Pod) -> bool:
        """Whether an earlier kubelet has taken the pod: it has said so, or has left something of it here."""
        runtime, uid = self._services.runtime, pod.uid
        is_here = runtime.sandbox(uid) is not None or bool(runtime.containers(uid))
        return pod.status.start_time is not None or is_here or uid in self._services.claims.users()

    def _take_leftovers(self) -> None:
        """Cleans up what an earlier kubelet has left of pods that the API server no longer has."""
        left = {pod.uid: pod for pod in self._services.runtime.pods()}
        for uid in self._services.claims.users():
            left.setdefault(uid, PodReference("", "", uid))
        for uid, reference in left.items():
            if uid not in self._workers:
                log.info("Cleaning up after a pod that is gone", pod=f"{reference.namespace}/{reference.name}", uid=uid)
                self._start(PodWorker(self._services, reference, None))

    def _on_change(self, change: Change[Pod]) -> None:
        if change.new is not None:
            worker = self._workers.get(change.new.uid)
            if worker is not None:
                worker.update(change.new)
            else:
                self._take(change.new)
            if change.new.is_finished:
                self._services.admission.release(change.new.uid)
        elif change.old is not None and self._pods.was_deleted(change.old.uid):
            self._services.admission.release(change.old.uid)
            worker = self._workers.get(change.old.uid)
            if worker is not None:
                worker.remove()

    def _on_container(self, uid: UID) -> None:
        if uid in self._workers:
            self._workers[uid].wake()

    def _start(self, worker: PodWorker) -> None:
        if self._group is None:
            return
        self._workers[worker.reference.uid] = worker
        self._group.create_task(self._run(worker), name=f"pod worker {worker.reference.name}")

    async def _run(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        finally:
            del self._workers[worker.reference.uid]
