"""Pods that use devices while the driver below them is changed."""

from collections.abc import Mapping, Sequence

from tests.e2e.demo import Demo, Outputs
from tests.e2e.kubectl import Kubectl
from tests.e2e.waiting import wait_until

__all__ = ["Users"]


class Users:
    """Those of the demo's tests that are there: they run, and must go on as they are."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._numbers: list[int] = []
        self._devices: dict[tuple[str, str, str], Sequence[str]] = {}
        self._containers: dict[str, int] = {}

    def come(self, *numbers: int) -> None:
        """These are applied, and not waited for."""
        self._demo.apply(numbers)
        self._numbers += numbers

    def leave(self, *numbers: int) -> None:
        """These are deleted, until they are gone."""
        going = _containers(self._demo, numbers)
        self._demo.delete(numbers)
        self._demo.wait_gone(numbers)
        self._numbers = [number for number in self._numbers if number not in numbers]
        self._containers = {uid: count for uid, count in self._containers.items() if uid not in going}
        gone = {f"test{number}" for number in numbers}
        self._devices = {where: devices for where, devices in self._devices.items() if where[0] not in gone}

    def restart(self, kubectl: Kubectl, *numbers: int) -> None:
        """Has the containers of these end, until the kubelet has started each of them again.

        It does so without another call to the plugin: with the names of CDI devices that it has kept.
        """
        for pod in self._demo.pods(numbers):
            for container in pod.spec.containers:
                # What comes back may also be that the container has ended under the command: its first process is 1.
                said = kubectl.said(
                    *("exec", pod.key.name, f"--namespace={pod.key.namespace}", f"--container={container.name}"),
                    *("--", "sh", "-c", "kill 1"),
                )
                self._containers[pod.uid] += 1

                def started_again(uid: str = pod.uid, said: str = said) -> bool:
                    assert _containers(self._demo, numbers)[uid] == self._containers[uid], f"not yet; kill said: {said}"
                    return True

                wait_until(f"{container.name} of {pod.key} started again", started_again, 60)

    def check(self) -> None:
        """Waits until all of them run; those that ran at the last check are the same, with the same devices."""
        self._demo.wait_running(self._numbers, seconds=120)
        devices: Outputs = self._demo.check_agreement(self._numbers)
        there = _containers(self._demo, self._numbers)
        assert {uid: there.get(uid) for uid in self._containers} == self._containers, "a pod was replaced or restarted"
        assert {where: devices.get(where) for where in self._devices} == self._devices, "a pod has other devices"
        self._devices, self._containers = dict(devices), dict(there)


def _containers(demo: Demo, numbers: Sequence[int]) -> Mapping[str, int]:
    """The pods of these tests by UID, and how often their containers were started again."""
    return {pod.uid: pod.restarts for pod in demo.pods(numbers)}
