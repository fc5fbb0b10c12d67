"""``cluster up --detach`` and the commands about a cluster that runs, as a person types them."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.waiting import wait_until
from tests.integration.programs.test_programs import PATIENCE_SECONDS, ended, processes_below, started

POOLS = """
pools:
  - {name: gpu, count: 1, cpu: 32, memory: 256Gi, profile: dra-example-gpu, taints: [{key: gpu, effect: NoSchedule}]}
  - {name: cpu, count: 1, cpu: 4, memory: 8Gi}
"""
OTHERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "real", "cluster": {"server": "https://127.0.0.1:1"}}],
    "contexts": [{"name": "real", "context": {"cluster": "real", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "secret"}}],
    "current-context": "real",
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig with a context of another cluster. The embedded cluster that is in it is ended after the test."""
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(OTHERS))
    yield path
    if yaml.safe_load(path.read_text())["current-context"] != "real":
        run("cluster", "down", f"--kubeconfig={path}")


def run(*arguments: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of the program."""
    with started(*arguments) as program:
        return ended(program)


def detached(kubeconfig: Path, *flags: str) -> dict[str, Any]:
    """Starts a cluster. Returns its status."""
    status, output, problems = run("cluster", "up", "--detach", f"--kubeconfig={kubeconfig}", *flags)
    assert (status, problems) == (0, "(waiting until the cluster is ready)\n")
    assert f"  export KUBECONFIG={kubeconfig}\n" in output
    (found,) = of_json("cluster", "status", f"--kubeconfig={kubeconfig}", "-o", "json")["clusters"]
    return dict(found)


def of_json(*arguments: str) -> Any:
    status, output, problems = run(*arguments)
    assert (status, problems) == (0, "")
    return json.loads(output)


def test_pools_from_the_command_line(kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text(POOLS)
    found = detached(kubeconfig, "--kubernetes-version=1.37", "-f", str(tmp_path / "pools.yaml"))
    place = f"--kubeconfig={kubeconfig}"
    assert (found["context"], found["sharedKubeconfig"]) == ("fake-dra-driver-cluster", str(kubeconfig))
    devices = {node["name"]: (node["isReady"], node["cpu"], node["devices"]) for node in found["nodes"]}
    assert devices == {"gpu-1": (True, "32", 8), "cpu-1": (True, "4", 0)}
    assert run("cluster", "node", "add", "cpu", "--count=2", place) == (0, "added: cpu-2, cpu-3\n", "")
    assert run("cluster", "node", "remove", "cpu-1", "cpu-3", place) == (0, "removed: cpu-1, cpu-3\n", "")
    assert run("cluster", "node", "cordon", "cpu-2", place) == (0, "cordoned: cpu-2\n", "")
    assert run("cluster", "fault", "stop-node", "--node=cpu-2", place) == (0, "cpu-2 is switched off\n", "")
    status, output, _ = run("cluster", "node", "list", place)
    names, states = zip(*(line.split()[:3:2] for line in output.splitlines()), strict=True)
    assert (status, names) == (0, ("NODE", "cpu-2", "gpu-1"))
    assert states == ("STATE", "Ready,Off,SchedulingDisabled", "Ready")
    folder = Path(found["kubeconfig"]).parent
    assert run("cluster", "down", place) == (0, "The cluster is gone, with all its files.\n", "")
    assert yaml.safe_load(kubeconfig.read_text()) == OTHERS
    wait_until("its process has ended", lambda: not processes_below(Path(found["log"])), PATIENCE_SECONDS)
    assert not folder.exists()
    assert not Path(found["log"]).exists()
    assert not processes_below(folder)


def test_a_detached_cluster_is_killed(kubeconfig: Path) -> None:
    found = detached(kubeconfig, "--no-driver")
    folder, log = Path(found["kubeconfig"]).parent, Path(found["log"])
    os.kill(found["process"], signal.SIGKILL)
    wait_until("the folder is gone", lambda: not folder.exists(), PATIENCE_SECONDS)
    wait_until("nothing runs", lambda: not processes_below(folder), PATIENCE_SECONDS)
    # What it said until then is what there is to find out why.
    log.unlink()
    status, _, problems = run("cluster", "node", "list", f"--kubeconfig={kubeconfig}")
    assert status == 1
    assert f"The cluster of the current context in {kubeconfig} has ended. " in problems
    status, output, _ = run("cluster", "down", f"--kubeconfig={kubeconfig}")
    assert (status, output) == (0, f"The cluster had ended already; {kubeconfig} no longer names it.\n")
    assert yaml.safe_load(kubeconfig.read_text()) == OTHERS


def children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_ctrl_c_while_it_starts(kubeconfig: Path) -> None:
    with started("cluster", "up", "--detach", "--no-driver", f"--kubeconfig={kubeconfig}") as program:
        assert program.stderr is not None
        assert program.stderr.readline() == "(waiting until the cluster is ready)\n"
        (child,) = children(program.pid)
        program.send_signal(signal.SIGINT)
        assert ended(program)[0] == 130
    assert not Path(f"/proc/{child}").exists()
    assert not list(Path("/tmp").glob(f"fdd-{child}-*"))
    assert yaml.safe_load(kubeconfig.read_text()) == OTHERS


def test_what_is_refused(kubeconfig: Path, tmp_path: Path) -> None:
    status, _, problems = run("cluster", "down", f"--kubeconfig={kubeconfig}")
    assert status == 1
    assert f"{kubeconfig} is not the kubeconfig of an embedded cluster that runs. " in problems
    pools = tmp_path / "pools.yaml"
    pools.write_text("pools: [{name: a, profile: nope}]")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for flags, said in (
            ([f"--port={listener.getsockname()[1]}"], "of this machine cannot be listened on"),
            (
                ["-f", str(pools)],
                f"in {pools} cannot be used: pools[0].profile: there is no profile nope. There are: amd-mi300x, ",
            ),
            ([f"--kubeconfig={pools}"], f"{pools} is no kubeconfig, but something else"),
        ):
            status, output, problems = run("cluster", "up", "--detach", *flags)
            assert (status, output) == (1, "")
            waiting, sentence = problems.splitlines()
            assert waiting == "(waiting until the cluster is ready)"
            assert said in sentence


def test_the_program_that_waits_is_killed(kubeconfig: Path) -> None:
    with started("cluster", "up", "--detach", "--no-driver", f"--kubeconfig={kubeconfig}") as program:
        assert program.stderr is not None
        program.stderr.readline()
        (child,) = children(program.pid)
        program.kill()
        ended(program)
    wait_until("the cluster has ended as well", lambda: not is_running(child), PATIENCE_SECONDS)
    assert yaml.safe_load(kubeconfig.read_text()) == OTHERS


def is_running(process: int) -> bool:
    """Whether it is there, and no zombie that nobody waits for."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
