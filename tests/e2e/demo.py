"""The manifests of ``demo/``, applied and looked at with the quickstart's own commands."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from tests.e2e.client import Client
from tests.e2e.driver import Driver, check_ledger, check_prepared
from tests.e2e.kubectl import Kubectl, KubectlError
from tests.e2e.objects import Namespace, RunningPod
from tests.e2e.protocol import DEMO_FOLDER, Claim
from tests.e2e.waiting import wait_until

__all__ = ["Apps", "Demo", "Outputs", "claim_names", "parse_outputs"]

_PODS: Final = {1: 2, 2: 1, 3: 2, 4: 1, 5: 1, 6: 2}
"""Pods of each test."""
_CLAIMS: Final = {1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2}
"""Claims of each test."""

Outputs = Mapping[tuple[str, str, str], Sequence[str]]
"""Namespace, pod and container: the device UUIDs that the container printed, in order of the variables' numbers."""

# The quickstart's loop, letter for letter but for the numbers of the tests.
_LOG_LOOP = """
for example in {numbers}; do \\
  echo "test${{example}}:"
  for pod in $(kubectl get pod -n test${{example}} --output=jsonpath='{{.items[*].metadata.name}}'); do \\
    for ctr in $(kubectl get pod -n test${{example}} ${{pod}} -o jsonpath='{{.spec.containers[*].name}}'); do \\
      echo "${{pod}} ${{ctr}}:"
      kubectl logs -n test${{example}} ${{pod}} -c ${{ctr}}| grep FAKE_DEVICE
    done
  done
  echo ""
done
"""
_VARIABLE = re.compile(r"export FAKE_DEVICE_(\d+)='(FAKE-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'")


class Apps:
    """The apps of the demo's tests, by the tests' numbers, as any client sees them."""

    def __init__(self, client: Client, driver: Driver) -> None:
        self._client = client
        self._driver = driver

    def pods(self, numbers: Sequence[int]) -> Sequence[RunningPod]:
        """The pods of these tests."""
        return [pod for number in numbers for pod in self._client.list(RunningPod, f"test{number}")]

    def claims(self, numbers: Sequence[int]) -> Sequence[Claim]:
        """The claims of these tests."""
        kind = self._driver.protocol.claims
        return [claim for number in numbers for claim in self._client.list(kind, f"test{number}")]

    def wait_claims(self, numbers: Sequence[int], seconds: float = 30) -> None:
        """Waits until every claim of these tests is there."""

        def there() -> bool:
            claims = self.claims(numbers)
            assert len(claims) == sum(_CLAIMS[number] for number in numbers), f"{len(claims)} claims"
            return True

        wait_until(f"claims of tests {numbers}", there, seconds)

    def wait_scheduling(self, numbers: Sequence[int], seconds: float = 30) -> None:
        """Waits until every claim of these tests is there, and the scheduler has asked about a node for every pod.

        In structured DRA it does not ask: it allocates.
        """
        self.wait_claims(numbers, seconds)
        if self._driver.protocol.structured is not None:
            return

        def asked() -> bool:
            contexts = [context for n in numbers for context in self._client.list(PodSchedulingContext, f"test{n}")]
            asked_for = [context for context in contexts if context.spec.selected_node or context.spec.potential_nodes]
            assert len(asked_for) == sum(_PODS[number] for number in numbers), f"{len(asked_for)} pods"
            return True

        wait_until(f"PodSchedulingContexts of tests {numbers}", asked, seconds)

    def wait_unprepared(self, numbers: Sequence[int], seconds: float = 120) -> None:
        """Waits until the kubelet has ended every container of these tests, and still has their claims to unprepare.

        Of the pods that share a claim, only the last to end has it unprepared; the others may be gone by now. The
        kubelet says that a container has ended only after its first call to a plugin that hangs: 10 s in 1.27, 45 s
        since.
        """

        def ended() -> bool:
            late = [str(pod.key) for pod in self.pods(numbers) if not pod.has_ended]
            assert not late, f"not ended: {late}"
            claims = {claim.uid for claim in self.claims(numbers)}
            assert len(claims) == sum(_CLAIMS[number] for number in numbers), f"{len(claims)} claims"
            assert claims <= self._driver.prepared_claims(), "a claim is unprepared already"
            return True

        wait_until(f"containers of tests {numbers} have ended", ended, seconds)

    def wait_deallocating(self, numbers: Sequence[int], seconds: float = 60) -> None:
        """Waits until the pods of these tests are gone, and every claim of theirs waits for the driver's controller."""

        def waiting() -> bool:
            pods, claims = self.pods(numbers), self.claims(numbers)
            assert not pods, f"{len(pods)} pods are still there"
            assert len(claims) == sum(_CLAIMS[number] for number in numbers), f"{len(claims)} claims"
            early = [str(claim.key) for claim in claims if not claim.is_deleting or claim.status.reserved_for]
            assert not early, f"in use, or not being deleted: {early}"
            return True

        wait_until(f"claims of tests {numbers} being deleted", waiting, seconds)

    def wait_allocated(self, numbers: Sequence[int], seconds: float = 60) -> None:
        """Waits until every claim of these tests is allocated, and every pod has its node."""

        def allocated() -> bool:
            pending = [str(claim.key) for claim in self.claims(numbers) if claim.status.allocation is None]
            assert not pending, f"not allocated: {pending}"
            unbound = [str(pod.key) for pod in self.pods(numbers) if not pod.spec.node_name]
            assert not unbound, f"not bound: {unbound}"
            return True

        self.wait_claims(numbers, seconds)
        wait_until(f"claims of tests {numbers} allocated", allocated, seconds)

    def wait_running(self, numbers: Sequence[int], seconds: float = 60) -> None:
        """Waits until every pod of these tests runs."""

        def running() -> bool:
            pods = self.pods(numbers)
            assert len(pods) == sum(_PODS[number] for number in numbers), f"{len(pods)} pods"
            late = [str(pod.key) for pod in pods if not pod.is_ready]
            assert not late, f"not running: {late}"
            return True

        wait_until(f"pods of tests {numbers} running", running, seconds)

    def wait_gone(self, numbers: Sequence[int], seconds: float = 90) -> None:
        """Waits until the namespaces of these tests are gone, and everything in them."""

        def gone() -> bool:
            wanted = {f"test{number}" for number in numbers}
            left = sorted(wanted & {namespace.metadata.name for namespace in self._client.list(Namespace)})
            assert not left, f"namespaces left: {left}"
            return True

        wait_until(f"namespaces of tests {numbers} gone", gone, seconds)

    def agree(self, numbers: Sequence[int], outputs: Outputs) -> bool:
        """True when what containers printed, what is prepared, what is allocated and what the claims say is the same.

        Raises AssertionError with the difference.
        """
        nodes = {nas.metadata.name: nas for nas in self._driver.nodes()}
        claims = {claim.key: claim for claim in self.claims(numbers)}
        check_ledger(list(nodes.values()), list(claims.values()), self._driver.protocol)
        held = {uid for nas in nodes.values() for uid in nas.spec.allocated_claims}
        assert held >= {claim.uid for claim in claims.values()}, "a claim is in no ledger"
        seen = set()
        for pod in self.pods(numbers):
            (claim_name,) = claim_names(pod).values()
            claim = next(
                c for c in claims.values() if c.key.namespace == pod.key.namespace and c.key.name == claim_name
            )
            assert pod.uid in {consumer.uid for consumer in claim.status.reserved_for}
            nas = nodes[pod.spec.node_name]
            assert claim.uid in nas.spec.prepared_devices, f"{claim.key} is not prepared"
            prepared = check_prepared(nas, claim.uid)
            for container in pod.spec.containers:
                where = (pod.key.namespace, pod.key.name, container.name)
                assert outputs[where] == prepared, f"{where} printed {outputs[where]}, prepared is {prepared}"
                seen.add(where)
        assert seen == set(outputs)
        return True


class Demo(Apps):
    """The demo's tests by number, with the quickstart's own commands."""

    def __init__(self, kubectl: Kubectl, driver: Driver, manifests: Path = DEMO_FOLDER) -> None:
        super().__init__(kubectl, driver)
        self._kubectl = kubectl
        self._manifests = manifests

    def apply(self, numbers: Sequence[int]) -> None:
        """``kubectl apply --filename=fake-test{1,2,3,4}.yaml``: all at once, as a user does."""
        self._kubectl("apply", *self._files(numbers))

    def delete(self, numbers: Sequence[int]) -> None:
        """``kubectl delete --wait=false --filename=...``."""
        self._kubectl("delete", "--wait=false", "--ignore-not-found", *self._files(numbers))

    def log_loop(self, numbers: Sequence[int]) -> str:
        """What the quickstart's loop over the logs prints."""
        script = _LOG_LOOP.format(numbers=" ".join(str(number) for number in numbers))
        result = subprocess.run(
            ["bash", "-c", script], cwd=DEMO_FOLDER, capture_output=True, text=True, timeout=60, check=False
        )
        if result.returncode != 0 or result.stderr:
            raise KubectlError(("bash", "-c", script), result.returncode, result.stderr)
        return result.stdout

    def wait_logs_served(self, numbers: Sequence[int], seconds: float = 60) -> None:
        """Waits until the kubelet serves the logs of these pods.

        A kubelet that was started again says that it is ready before it knows of its pods, and answers 404 until then.
        """

        def served() -> bool:
            for pod in self.pods(numbers):
                try:
                    self._kubectl(
                        "logs", "--namespace", pod.key.namespace, pod.key.name, "--all-containers", "--tail=1"
                    )
                except KubectlError as error:
                    raise AssertionError(error.stderr) from error
            return True

        wait_until(f"logs of tests {numbers} served", served, seconds)

    def _files(self, numbers: Sequence[int]) -> Sequence[str]:
        return [f"--filename={self._manifests / f'fake-test{number}.yaml'}" for number in numbers]

    def check_agreement(self, numbers: Sequence[int]) -> Outputs:
        """What containers printed, what is prepared, what is allocated and what the claims say: all the same.

        Returns what the containers printed. The plugin writes preparedDevices behind, so that is waited for.
        """
        outputs = parse_outputs(self.log_loop(numbers))
        wait_until("preparedDevices agree", lambda: self.agree(numbers, outputs), 30)
        return outputs


def parse_outputs(text: str) -> Outputs:
    """Reads what the log loop printed; the variables of a container must be numbered from 0 without a gap."""
    outputs: dict[tuple[str, str, str], dict[int, str]] = {}
    namespace, current = "", dict[int, str]()
    for line in text.splitlines():
        words = line.removesuffix(":").split()
        if variable := _VARIABLE.fullmatch(line):
            assert int(variable[1]) not in current, f"twice: {line}"
            current[int(variable[1])] = variable[2]  # the shell sorts by name: 10 comes before 2
        elif line.endswith(":") and len(words) == 1:
            namespace = words[0]
        elif line.endswith(":") and len(words) == 2:
            current = outputs.setdefault((namespace, words[0], words[1]), {})
        else:
            assert not line, f"not a line of the quickstart: {line!r}"
    for where, devices in outputs.items():
        assert sorted(devices) == list(range(len(devices))), f"{where}: variables {sorted(devices)}"
    return {where: [devices[index] for index in sorted(devices)] for where, devices in outputs.items()}


def claim_names(pod: Pod) -> Mapping[str, str]:
    """The claim of each entry of ``pod.spec.resourceClaims``; 1.27 has no list in the status, but a fixed rule."""
    made = {status.name: status.resource_claim_name for status in pod.status.resource_claim_statuses or ()}
    return {
        entry.name: entry.claim_name or made.get(entry.name) or f"{pod.key.name}-{entry.name}"
        for entry in pod.spec.resource_claims
    }
