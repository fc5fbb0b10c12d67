"""The quickstart's kubectl commands, typed as they stand there into a shell beside ``cluster up``.

A shell expands ``fake-test{1,2,3,4}.yaml`` and runs the loop over the logs; kubectl is the real one, and what it prints
is compared with what the quickstart shows.
"""

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from fake_dra_driver.device.inventory import make_uuids
from tests.support.apiserver import ASSETS_VARIABLE

pytestmark = pytest.mark.apiserver

DEMO = Path(__file__).parents[3] / "demo"
NODE = "fake-dra-driver-cluster-worker"
NAS = f"kubectl describe -n fake-system nas/{NODE}"
LOG_LOOP = """
for example in $(seq 1 4); do \\
  echo "test${example}:"
  for pod in $(kubectl get pod -n test${example} --output=jsonpath='{.items[*].metadata.name}'); do \\
    for ctr in $(kubectl get pod -n test${example} ${pod} -o jsonpath='{.spec.containers[*].name}'); do \\
      echo "${pod} ${ctr}:"
      kubectl logs -n test${example} ${pod} -c ${ctr}| grep FAKE_DEVICE
    done
  done
  echo ""
done
"""
_PATIENCE_SECONDS = 300
"""For one command, on a machine that has a lot to do."""
_UUID = r"FAKE-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Shell:
    """A shell in the folder of the demo, with KUBECONFIG set."""

    environment: dict[str, str]

    def __call__(self, command: str) -> str:
        """What a command prints. Fails when it fails."""
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=DEMO,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{command}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    @contextmanager
    def follow(self, command: str) -> Iterator[IO[str]]:
        """What a command prints while it runs."""
        with subprocess.Popen(
            ["bash", "-c", f"exec timeout {_PATIENCE_SECONDS} {command}"],
            cwd=DEMO,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
            finally:
                process.terminate()

    def until(self, command: str, pattern: str) -> str:
        """What the command prints as soon as that holds; each question is a process of its own."""
        quoted = pattern.replace("'", "'\\''")
        loop = f"until ({command}) | tr '\\n' '~' | grep -Eq '{quoted}'; do :; done"
        self(f"timeout {_PATIENCE_SECONDS} bash -c {_quote(loop)}")
        return self(command)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """``cluster up`` with the driver in it, ended by Ctrl-C."""
    command = [sys.executable, "-m", "fake_dra_driver", "cluster", "up"]
    errors = tmp_path_factory.mktemp("up") / "stderr"
    with errors.open("w") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as cluster:
        assert cluster.stdout is not None
        try:
            line = next(line for line in cluster.stdout if "KUBECONFIG=" in line)
            kubeconfig = line.strip().removeprefix("export KUBECONFIG=")
            assert errors.read_text() == "(waiting until the driver is Ready on 1 node)\n"
            path = f"{os.environ[ASSETS_VARIABLE]}:{os.environ['PATH']}"
            yield Shell({**os.environ, "KUBECONFIG": kubeconfig, "PATH": path})
        finally:
            cluster.send_signal(signal.SIGINT)
            assert cluster.wait(_PATIENCE_SECONDS) == 0, errors.read_text()
    assert not Path(kubeconfig).parent.exists()


def section(text: str, name: str) -> list[str]:
    """The lines below a heading of kubectl describe, with the blanks at their ends taken off."""
    lines = text.splitlines()
    below = lines[lines.index(f"  {name}:") + 1 :]
    return [line.strip() for line in itertools.takewhile(lambda line: line.startswith("    "), below)]


def test_the_quickstart(shell: Shell) -> None:
    """From the first get to the last delete; one test, since each step goes on from the one before."""
    _look_at_the_driver(shell)
    devices = _run_the_apps(shell)
    _look_at_what_is_prepared(shell, devices)
    _give_back(shell)
    _split(shell)
    _look_at_more(shell)


def _look_at_the_driver(shell: Shell) -> None:
    found = shell("kubectl get pod -n fake-system").splitlines()
    assert found[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    shown = [re.sub(r"(controller|kubeletplugin)-[0-9a-z-]+", r"\1-X", line).split()[:4] for line in found[1:]]
    assert shown == [
        ["fake-dra-driver-controller-X", "1/1", "Running", "0"],
        ["fake-dra-driver-kubeletplugin-X", "1/1", "Running", "0"],
    ]
    described = shell.until(NAS, "Uuid:")
    assert section(described, "Allocatable Device") == [
        each
        for uuid in re.findall(_UUID, described)
        for each in ("Fake:", "Name:  LATEST-FAKE-MODEL", f"Uuid:  {uuid}")
    ]
    assert sorted(re.findall(_UUID, described)) == sorted(make_uuids(NODE, 8))


def _run_the_apps(shell: Shell) -> set[str]:
    applied = shell("kubectl apply --filename=fake-test{1,2,3,4}.yaml").splitlines()
    assert "namespace/test1 created" in applied
    for number in (1, 2, 3, 4):
        shell(f"kubectl wait -n test{number} pod --all --for=condition=Ready --timeout={_PATIENCE_SECONDS}s")
    pods = [line.split() for line in shell("kubectl get pod -A").splitlines()]
    assert [line[:4] for line in pods if line[0].startswith("test")] == [
        ["test1", "pod0", "1/1", "Running"],
        ["test1", "pod1", "1/1", "Running"],
        ["test2", "pod0", "2/2", "Running"],
        ["test3", "pod0", "1/1", "Running"],
        ["test3", "pod1", "1/1", "Running"],
        ["test4", "pod0", "1/1", "Running"],
    ]
    logs = shell(LOG_LOOP)
    assert re.sub(_UUID, "U", re.sub("[\"']", "", logs)).split("\n\n") == [
        "test1:\npod0 ctr0:\nexport FAKE_DEVICE_0=U\npod1 ctr0:\nexport FAKE_DEVICE_0=U",
        "test2:\npod0 ctr0:\nexport FAKE_DEVICE_0=U\npod0 ctr1:\nexport FAKE_DEVICE_0=U",
        "test3:\npod0 ctr0:\nexport FAKE_DEVICE_0=U\npod1 ctr0:\nexport FAKE_DEVICE_0=U",
        "test4:\npod0 ctr0:\n" + "\n".join(f"export FAKE_DEVICE_{number}=U" for number in range(4)),
        "",
    ]
    devices = re.findall(_UUID, logs)
    assert devices[2] == devices[3], "the containers of test2 share one"
    assert devices[4] == devices[5], "the pods of test3 share one"
    assert len(set(devices)) == 8
    return set(devices)


def _look_at_what_is_prepared(shell: Shell, devices: set[str]) -> None:
    prepared = section(shell.until(NAS, "Prepared Devices:(.*Devices:.*){5}"), "Prepared Devices")
    assert [line for line in prepared if line in {"Fake:", "Devices:"}] == ["Fake:", "Devices:"] * 5
    assert {line.split()[1] for line in prepared if line.startswith("Uuid:")} == devices


def _give_back(shell: Shell) -> None:
    deleted = shell("kubectl delete --wait=false --filename=fake-test{1,2,3,4}.yaml").splitlines()
    assert 'namespace "test1" deleted' in deleted
    shell(f"kubectl wait --for=delete namespace/test{{1,2,3,4}} --timeout={_PATIENCE_SECONDS}s")
    described = shell.until(f"{NAS} | grep -c 'Prepared Devices:' || true", "^0~$")
    assert described == "0\n"
    assert sorted(re.findall(_UUID, shell(NAS))) == sorted(make_uuids(NODE, 8))


def _split(shell: Shell) -> None:
    shell("kubectl apply --filename=fake-test5.yaml")
    described = shell.until(NAS, "Prepared Devices:.*(Parent UUID:.*){8}")
    allocated = section(described, "Allocated Claims")[3:]
    assert [line.split()[0] for line in allocated] == ["Split:", "Uuid:"] * 4
    assert {line for line in allocated if line.startswith("Split:")} == {"Split:  2"}
    parents = [line.split()[1] for line in allocated if line.startswith("Uuid:")]
    prepared = section(described, "Prepared Devices")[3:]
    assert [line.rsplit(None, 1)[0] for line in prepared] == ["Parent UUID:", "Uuid:"] * 8
    assert [line.split()[-1] for line in prepared[::2]] == [each for parent in parents for each in (parent, parent)]
    shell("kubectl delete --wait=false --filename=fake-test5.yaml")
    shell(f"kubectl wait --for=delete namespace/test5 --timeout={_PATIENCE_SECONDS}s")


def _look_at_more(shell: Shell) -> None:
    """What else people type: rollouts, logs by workload, logs that are followed, scale."""
    assert shell("kubectl rollout status -n fake-system deployment/fake-dra-driver-controller") == (
        'deployment "fake-dra-driver-controller" successfully rolled out\n'
    )
    assert shell("kubectl rollout status -n fake-system daemonset/fake-dra-driver-kubeletplugin") == (
        'daemon set "fake-dra-driver-kubeletplugin" successfully rolled out\n'
    )
    assert shell("kubectl logs -n fake-system ds/fake-dra-driver-kubeletplugin -c plugin --tail=1").count("\n") == 1
    shell("kubectl create deployment ticker --image=busybox -- sh -c 'echo one; exec tail -f /dev/null'")
    shell(f"kubectl rollout status deployment/ticker --timeout={_PATIENCE_SECONDS}s")
    with shell.follow("kubectl logs -f deployment/ticker") as output:
        assert output.readline() == "one\n"
        shell("kubectl scale deployment/ticker --replicas=0")
        assert output.read() == ""
    shell(f"kubectl wait --for=delete pod -l app=ticker --timeout={_PATIENCE_SECONDS}s")
    assert shell("kubectl get deployment ticker --no-headers").split()[:2] == ["ticker", "0/0"]
    assert shell("kubectl get deployment ticker -o jsonpath='{.spec.replicas}'") == "0"
