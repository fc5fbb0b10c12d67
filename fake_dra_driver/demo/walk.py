"""The quickstart, walked through on a cluster: each step with its command and its output, and checked.

Steps, order and commands are those of the quickstart, and one more, which runs ``fake-dra-driver status``; what a
person does there with kind and helm is a sentence here. Where the cluster has structured DRA, the walk is the same with
other manifests, and shows as well what is new there: slices, classes, and claims that say which devices they have. A
step with a wrong result raises DemoError. Of long outputs only what is new is shown, unless all of it is asked for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.demo.command import Program
from fake_dra_driver.demo.excerpt import first_lines, spec_excerpt, status_excerpt
from fake_dra_driver.demo.expectations import (
    Logs,
    check_allocated,
    check_initial,
    check_logs,
    check_prepared,
    check_split,
    devices_in,
)
from fake_dra_driver.demo.inspector import Inspector, Question
from fake_dra_driver.demo.install import NAMESPACE, install_driver
from fake_dra_driver.demo.kubectl import Kubectl
from fake_dra_driver.demo.manifests import Manifests
from fake_dra_driver.demo.screen import Screen

__all__ = ["Walk", "what_next"]

_PODS = {1: 2, 2: 1, 3: 2, 4: 1, 5: 1}
"""Pods of each test."""
_LIST_LINES = 3
"""Of what is said about each object of a manifest."""
_SECTION_LINES = 7
"""Of a section of the NodeAllocationState: two devices, or a claim."""
_CLAIM_LINES = 12
"""Of a claim's status: its first two devices."""
_ALLOCATABLE, _ALLOCATED, _PREPARED = "Allocatable Device", "Allocated Claims", "Prepared Devices"
"""The sections, as kubectl describe writes them."""
_LOG_LOOP = """\
for example in $(seq 1 4); do \\
  echo "test${example}:"
  for pod in $(kubectl get pod -n test${example} --output=jsonpath='{.items[*].metadata.name}'); do \\
    for ctr in $(kubectl get pod -n test${example} ${pod} -o jsonpath='{.spec.containers[*].name}'); do \\
      echo "${pod} ${ctr}:"
      kubectl logs -n test${example} ${pod} -c ${ctr}| grep FAKE_DEVICE
    done
  done
  echo ""
done"""
"""The quickstart's loop, to be typed in; the walk itself asks kubectl for the same logs."""

Place = tuple[str, str, str]
"""Namespace, pod and container."""
Lines = Mapping[Place, Sequence[str]]
"""What ``grep FAKE_DEVICE`` finds in the log of each container."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through the quickstart."""

    cluster: Cluster
    kubectl: Kubectl
    driver: Program
    screen: Screen
    inspector: Inspector
    manifests: Manifests
    stays: bool
    """Whether the cluster is still there after the walk."""
    full: bool
    """Whether to show all that the commands print."""

    async def run(self) -> None:
        """Walks from an empty cluster to one whose devices are all free again; where it stays, some are not.

        Raises:
            DemoError: a step did not lead to what it must.
            RuntimeLayerError: kubectl or the API server refused something.
        """
        await self._make_cluster()
        await self._install()
        await self._show_devices()
        logs = await self._run_apps()
        await self._show_prepared(logs)
        await self._show_status()
        await self._delete([1, 2, 3, 4])
        await self._split()
        await self._delete([5])
        if self.stays:
            await self._leave_apps()

    # --- the steps ---

    async def _make_cluster(self) -> None:
        self.screen.step("Make a cluster")
        self.screen.note(f"It is Kubernetes {self.cluster.kubernetes_version}, embedded in this program.")
        if self._api is not None:
            self.screen.note("It has structured DRA: its scheduler allocates devices, from what nodes publish.")
        if self.stays:
            self.screen.note("It stays up until Ctrl-C. To look at it yourself, in another terminal:")
            self.screen.command(f"export KUBECONFIG={self.cluster.kubeconfig}")
        await self._show("get", "nodes")

    async def _install(self) -> None:
        self.screen.step("Install the driver")
        self.screen.note("The manifests of the chart are applied here. On another cluster this is:")
        self.screen.command(
            "helm upgrade -i --create-namespace --namespace fake-system fake-dra-driver \\\n"
            "  deployments/helm/fake-dra-driver"
        )
        await install_driver(self.cluster)
        await self._wait(
            "controller and kubelet plugin are Ready", lambda: self.inspector.driver_is_ready(self.cluster.nodes)
        )
        await self._show("get", "pod", "-n", NAMESPACE)

    async def _show_devices(self) -> None:
        self.screen.step("Look at the devices of the node")
        await self._wait("all devices are free", self._is_initial)
        await self._describe(_ALLOCATABLE)
        if self._api is not None:
            await self._show("get", "resourceslices")
            await self._show("get", "deviceclasses")

    async def _run_apps(self) -> Logs:
        self.screen.step("Deploy four example apps")
        await self._apply([1, 2, 3, 4])
        await self._show("get", "pod", "-A")
        self.screen.step("See which devices they have")
        self.screen.command(_LOG_LOOP)
        lines = await self._read_logs([1, 2, 3, 4])
        for number in (1, 2, 3, 4):
            shown = [f"test{number}:"]
            for (namespace, pod, container), found in lines.items():
                if namespace == f"test{number}":
                    shown += [f"{pod} {container}:", *found]
            self.screen.output("\n".join([*shown, "", ""]))
        logs = {where: devices_in("\n".join(found)) for where, found in lines.items()}
        check_logs(logs, self._node)
        return logs

    async def _show_prepared(self, logs: Logs) -> None:
        self.screen.step("Look at what is prepared on the node")
        await self._wait(
            "the NodeAllocationState says the same as the logs",
            lambda: self.inspector.holds(self._node, lambda state: check_prepared(state, logs)),
        )
        await self._describe(_PREPARED)
        if self._api is not None:
            await self._show_claims(self._api)

    async def _show_claims(self, api: ResourceApi) -> None:
        await self._show("get", "resourceclaims", "-A")
        [claim] = (await self.cluster.client.list(api.claims, "test4")).items
        arguments = ("get", "resourceclaims", "-n", claim.key.namespace, claim.key.name, "-o", "yaml")
        self.screen.command(f"kubectl {' '.join(arguments)}")
        printed = await self.kubectl(*arguments)
        self.screen.output(printed if self.full else status_excerpt(printed, _CLAIM_LINES))

    async def _show_status(self) -> None:
        self.screen.step("See which claims and pods hold them")
        self.screen.command(f"{self.driver.typed} status")
        if self.screen.is_terminal:
            await self.driver.run_on_terminal("status")
        else:
            self.screen.output(await self.driver.run("status"))

    async def _split(self) -> None:
        self.screen.step("Split devices")
        await self._apply([5])
        logs = {where: devices_in("\n".join(found)) for where, found in (await self._read_logs([5])).items()}
        await self._wait(
            "the NodeAllocationState says the same as the logs",
            lambda: self.inspector.holds(self._node, lambda state: check_prepared(state, logs)),
        )
        await self._describe(_ALLOCATED, _PREPARED)
        state = await self.inspector.state(self._node)
        check_allocated(state, count=4, split=2)
        check_split(state, logs)

    async def _delete(self, numbers: Sequence[int]) -> None:
        self.screen.step("Free the devices")
        self.screen.command(self.manifests.typed("kubectl delete --wait=false", numbers))
        self._list(await self.kubectl("delete", "--wait=false", *self._flags(numbers)))
        await self._wait("the apps have ended", lambda: self.inspector.have_ended(_namespaces(numbers)))
        await self._wait("all devices are free", self._is_initial)
        await self._describe()

    async def _leave_apps(self) -> None:
        self.screen.step("Leave some apps to look at")
        # A namespace outlives its deletion by some seconds, in which nothing can be made in it.
        namespaces = _namespaces([1, 2, 3, 4, 5])
        await self._wait("the namespaces are gone", lambda: self.inspector.are_gone(namespaces))
        await self._apply([1, 2, 3])

    # --- what they do ---

    @property
    def _node(self) -> str:
        return self.cluster.nodes[0]

    @property
    def _api(self) -> ResourceApi | None:
        return RESOURCE_APIS.get(self.cluster.release.structured_version)

    async def _show(self, *arguments: str) -> None:
        self.screen.command(f"kubectl {' '.join(arguments)}")
        self.screen.output(await self.kubectl(*arguments))

    async def _describe(self, *sections: str) -> None:
        """Shows the NodeAllocationState, of which these sections are new to the reader."""
        arguments = ("describe", "-n", NAMESPACE, f"nas/{self._node}")
        self.screen.command(f"kubectl {' '.join(arguments)}")
        described = await self.kubectl(*arguments)
        self.screen.output(described if self.full else spec_excerpt(described, sections, _SECTION_LINES))

    def _list(self, output: str) -> None:
        """Shows what is said about each object of some manifests."""
        self.screen.output(output if self.full else "\n".join(first_lines(output.splitlines(), _LIST_LINES)))

    async def _apply(self, numbers: Sequence[int]) -> None:
        self.screen.command(self.manifests.typed("kubectl apply", numbers))
        self._list(await self.kubectl("apply", *self._flags(numbers)))
        count = sum(_PODS[number] for number in numbers)
        await self._wait("all pods run", lambda: self.inspector.pods_run(_namespaces(numbers), count))

    def _flags(self, numbers: Sequence[int]) -> Sequence[str]:
        return [f"--filename={file}" for file in self.manifests.files(numbers)]

    async def _read_logs(self, numbers: Sequence[int]) -> Lines:
        """What the containers say about their devices: each prints its environment right after its start."""
        lines: dict[Place, Sequence[str]] = {}

        async def all_have_printed() -> str:
            lines.clear()
            places = [place for name in _namespaces(numbers) for place in await self.inspector.containers(name)]
            async with asyncio.TaskGroup() as group:
                for place in places:
                    lines[place] = ()
                    group.create_task(self._grep(place, lines), name="kubectl logs")
            silent = ["/".join(place) for place, found in lines.items() if not found]
            return f"nothing about devices in the logs of {', '.join(silent)}" if silent else ""

        await self._wait("the containers have printed their environment", all_have_printed)
        return lines

    async def _grep(self, place: Place, lines: dict[Place, Sequence[str]]) -> None:
        namespace, pod, container = place
        log = await self.kubectl("logs", "-n", namespace, pod, "-c", container)
        lines[place] = [line for line in log.splitlines() if "FAKE_DEVICE" in line]

    async def _is_initial(self) -> str:
        return await self.inspector.holds(self._node, check_initial)

    async def _wait(self, what: str, question: Question) -> None:
        with self.screen.waiting(what):
            await self.inspector.wait(what, question)


def what_next(driver: Program, manifests: Manifests, *, has_kubectl: bool) -> str:
    """What a person can type while the cluster stays up."""
    apply = manifests.typed("kubectl apply", [4])
    return (
        "The cluster stays up until Ctrl-C.\nIn another terminal, in this folder:\n\n"
        f"  export KUBECONFIG={driver.kubeconfig}\n"
        f"  {driver.typed} status\n"
        + (f"  {apply}\n" if has_kubectl else f"\nWith kubectl, which is not installed here, also: {apply}\n")
    )


def _namespaces(numbers: Sequence[int]) -> Sequence[str]:
    return [f"test{number}" for number in numbers]
