"""``cluster up`` and ``demo`` as a person starts them, and what is left of them: nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fake_dra_driver.cluster.kinds import Pod, ServiceAccount
from fake_dra_driver.device.inventory import make_uuids
from tests.e2e.waiting import wait_until
from tests.scenarios.http import HttpClient

PROGRAM = [sys.executable, "-m", "fake_dra_driver"]
PATIENCE_SECONDS = 300
"""For a program to end, on a machine that has a lot to do."""
NODE = "fake-dra-driver-cluster-worker"
STEPS = [
    "Make a cluster",
    "Install the driver",
    "Look at the devices of the node",
    "Deploy four example apps",
    "See which devices they have",
    "Look at what is prepared on the node",
    "See which claims and pods hold them",
    "Free the devices",
    "Split devices",
    "Free the devices",
]
KEEP = "To try things yourself, keep the cluster: "


@contextmanager
def started(*arguments: str, path: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """The program, which is over at the end of the block, whatever happens in it."""
    environment = {**os.environ, "PATH": path} if path else None
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        try:
            yield program
        finally:
            if program.poll() is None:
                program.terminate()


def ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Status, standard output and standard error of a program, once it has ended."""
    output, problems = program.communicate(timeout=PATIENCE_SECONDS)
    return program.returncode, output, problems


def folders(program: subprocess.Popen[str]) -> set[Path]:
    """The folders of a program's clusters, which have its number in their names."""
    return set(Path("/tmp").glob(f"fdd-{program.pid}-*"))


def processes_below(folder: Path) -> Sequence[str]:
    """Command lines of the processes that run in this folder, or have it in their command or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = b" ".join((process / name).read_bytes() for name in ("cmdline", "environ"))
            text += bytes((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder).encode() in text:
            found.append(text[:200].decode(errors="replace"))
    return found


def assert_nothing_is_left(program: subprocess.Popen[str], folder: Path) -> None:
    assert not folders(program)
    assert not processes_below(folder)


@pytest.mark.parametrize("flags", [[], ["--kubernetes-version=1.37"]])
def test_demo_shows_every_step_of_the_quickstart(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    with started("demo", "--full", *flags, path=f"{tmp_path}:{Path(sys.executable).parent}") as demo:
        status, output, problems = ended(demo)
    assert (status, problems) == (0, "")
    assert re.findall(r"^== \d+\. (.*)$", output, re.MULTILINE) == STEPS
    uuids = set(make_uuids(NODE, 8))
    assert set(re.findall(r"Uuid:  (FAKE-\S{36})$", output, re.MULTILINE)) >= uuids
    assert set(re.findall(r"^export FAKE_DEVICE_\d=['\"](\S+)['\"]$", output, re.MULTILINE)) == uuids
    again = " ".join(["fake-dra-driver", "demo", *flags, "--keep"])
    assert output.endswith(f" s. The cluster is gone, with all its files.\n{KEEP}{again}\n")
    assert "KUBECONFIG" not in output, "nothing could be done with it any more"
    assert not folders(demo)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cluster_up_until_it_is_told_to_end(number: signal.Signals) -> None:
    with started("cluster", "up", "--no-driver", "--nodes=2") as cluster:
        assert cluster.stdout is not None
        greeting = cluster.stdout.readline()
        assert greeting == "Kubernetes 1.30 is up: 2 nodes, no driver is installed. In another terminal:\n"
        kubeconfig = kubeconfig_of(cluster)
        assert kubeconfig.is_file()
        with started("cluster", "fault", "reboot-node", f"--kubeconfig={kubeconfig}") as fault:
            assert ended(fault) == (0, f"{NODE} was rebooted\n", "")
        cluster.send_signal(number)
        status, _, problems = ended(cluster)
    assert (status, problems) == (0, "")
    assert_nothing_is_left(cluster, kubeconfig.parent)


def kubeconfig_of(cluster: subprocess.Popen[str]) -> Path:
    """What ``cluster up`` prints, once it is up."""
    assert cluster.stdout is not None
    line = next(line for line in cluster.stdout if "KUBECONFIG=" in line)
    return Path(line.strip().removeprefix("export KUBECONFIG="))


def run_pod(kubeconfig: Path) -> None:
    """Has a container run that has a child, and ends at no signal but SIGKILL."""
    command = ["sh", "-c", "trap '' TERM; sleep 1000 & wait; wait"]
    spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "busybox", "command": command}]}
    client = HttpClient(kubeconfig)
    try:
        wait_until("pods can be made", lambda: client.list(ServiceAccount, "default"), PATIENCE_SECONDS)
        client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
        wait_until("it runs", lambda: client.get(Pod, "p").status.phase == "Running", PATIENCE_SECONDS)
    finally:
        client.close()


def test_cluster_up_is_killed() -> None:
    with started("cluster", "up", "--no-driver") as cluster:
        kubeconfig = kubeconfig_of(cluster)
        run_pod(kubeconfig)
        assert any("sleep" in found for found in processes_below(kubeconfig.parent))
        cluster.kill()
        ended(cluster)
    wait_until("the container has ended", lambda: not processes_below(kubeconfig.parent), PATIENCE_SECONDS)
    wait_until("the folder is gone", lambda: not folders(cluster), PATIENCE_SECONDS)


def test_demo_is_interrupted() -> None:
    with started("demo", "--keep") as demo:
        assert demo.stdout is not None
        kubeconfig = next(line for line in demo.stdout if "KUBECONFIG=" in line).partition("=")[2].strip()
        next(line for line in demo.stdout if "Ready" in line)
        demo.send_signal(signal.SIGTERM)
        status, _, problems = ended(demo)
    assert (status, problems) == (128 + signal.SIGTERM, "")
    assert_nothing_is_left(demo, Path(kubeconfig).parent)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which a server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_what_cannot_be_started(tmp_path: Path, taken_port: int) -> None:
    for arguments, path, message in (
        (["cluster", "up", f"--port={taken_port}"], None, f"Port {taken_port} of this machine cannot be listened on"),
        (["demo", f"--manifests={tmp_path}"], None, f"There is no fake-test1.yaml in {tmp_path}"),
        (["demo"], str(tmp_path), "There is no sh on this machine"),
    ):
        with started(*arguments, path=path) as program:
            status, output, problems = ended(program)
        assert (status, output) == (1, "")
        assert problems.count("\n") == 1
        assert message in problems
        assert not folders(program)
