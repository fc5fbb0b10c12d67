"""Containers that share a process: for the runtime they are as others."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container, ContainerConfig, PodReference
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import LogOptions
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Host, Hosts
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from tests.unit.cluster.kubelet.waiting import gone, in_own_task

ROOT = Path(__file__).resolve().parents[4]
TOY = Host(
    (sys.executable, "-m", "tests.unit.cluster.kubelet.toyhost"),
    {f"toy-{name}": (name,) for name in ("echo", "run", "hang", "crash", "write", "missing")},
    {"PYTHONPATH": str(ROOT)},
)
POD = PodReference("default", "pod0", UID("uid-0"))


class Node:
    """A runtime, and the hosts that it shares."""

    def __init__(self, root: Path, runtime: ProcessRuntime, hosts: Hosts) -> None:
        self.root, self.runtime, self.hosts = root, runtime, hosts

    async def start(self, *argv: str, name: str = "ctr0", host: Host | None = TOY) -> Container:
        env = {"PATH": "/usr/bin:/bin", "NAME": name}
        return await self.runtime.start(ContainerConfig(POD, name, 0, argv, env, self.root / "folder", host=host))

    async def started(self, *argv: str, name: str = "ctr0") -> Container:
        """One that has said something."""
        container = await self.start(*argv, name=name)
        async with asyncio.timeout(10):
            blocks = container.log.read(LogOptions(follow=True))
            await anext(blocks)
            await blocks.aclose()
        return container


@asynccontextmanager
async def node(root: Path, kill_seconds: float = 60) -> AsyncIterator[Node]:
    async with (
        in_own_task(Hosts(root, kill_seconds=kill_seconds)) as hosts,
        in_own_task(ProcessRuntime(root, hosts=hosts)) as runtime,
        asyncio.timeout(30),
    ):
        yield Node(root, runtime, hosts)


async def ended(container: Container) -> tuple[int, int, str]:
    """Exit code, signal, and output."""
    await container.exited.wait()
    text = b"".join([block async for block in container.log.read(LogOptions())]).decode()
    return container.exit_code, container.signal, text


async def test_each_has_its_own_arguments_environment_and_log(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        one, other = await it.start("toy-echo", "a", name="one"), await it.start("toy-echo", name="other")
        assert await ended(one) == (1, 0, "one a\none in a thread\n")
        assert await ended(other) == (0, 0, "other\nother in a thread\n")
        assert len(it.hosts.pids) == 1


async def test_signals_stop_and_kill_one_alone(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        stopped, killed, other = [await it.started("toy-run", name=name) for name in ("stopped", "killed", "other")]
        await it.runtime.stop(stopped, grace_seconds=10)
        await it.runtime.stop(killed, grace_seconds=0)
        (pid,) = it.hosts.pids
        assert await ended(stopped) == (3, 0, f"running in {pid}\nstopped\n")
        assert await ended(killed) == (137, 9, f"running in {pid}\n")
        assert other.state == "running"
        assert other.process is not None
        with pytest.raises(ClusterError, match="SIGSTOP would hold the containers of all nodes"):
            other.process.signal_group(signal.SIGSTOP)
        assert other.process.signal_group(signal.SIGTERM)
        assert (await ended(other))[0] == 3


async def test_commands_that_the_host_does_not_have_are_processes(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        script = await it.start("sh", "-c", "echo $NAME")
        alone = await it.start("toy-echo", name="alone", host=None)
        assert await ended(script) == (0, 0, "ctr0\n")
        assert (await ended(alone))[0] == 128
        assert alone.reason == "StartError"
        assert not it.hosts.pids


async def test_a_probe_or_a_hook_runs_there_too(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        container = await it.started("toy-run")
        result = await it.runtime.exec(container, ("toy-echo", "a", "b"), 10)
        assert (result.exit_code, result.output) == (2, "ctr0 a b\nctr0 in a thread\n")
        (pid,) = it.hosts.pids
    await gone(pid)


async def test_a_program_that_the_host_does_not_know_is_said_to_be_missing(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        assert await ended(await it.start("toy-missing")) == (127, 0, "missing: no program of this process\n")


async def test_the_death_of_a_host_kills_what_runs_in_it_and_the_next_container_gets_another(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        one, other = await it.started("toy-run", name="one"), await it.started("toy-run", name="other")
        (pid,) = it.hosts.pids
        await it.start("toy-crash", name="culprit")
        for container in (one, other):
            assert (await ended(container))[:2] == (137, 9)
        again = await it.started("toy-run", name="again")
        assert it.hosts.pids != [pid]
        assert again.state == "running"


async def test_a_host_that_was_killed_by_someone_is_replaced(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        one = await it.started("toy-run")
        (pid,) = it.hosts.pids
        os.kill(pid, signal.SIGKILL)
        assert (await ended(one))[:2] == (137, 9)
        await gone(pid)


async def test_a_host_that_hangs_is_killed_with_all_that_runs_in_it(tmp_path: Path) -> None:
    async with node(tmp_path, kill_seconds=0.1) as it:
        other = await it.started("toy-run", name="other")
        hanging = await it.start("toy-hang", name="hanging")
        await it.runtime.stop(hanging, grace_seconds=0)
        assert (await ended(other))[:2] == (137, 9)


@pytest.mark.parametrize(
    ("character", "times", "written"),
    [("6f22", 800_000, "\u6f22"), ("1f600", 400_000, "\U0001f600"), ("d800", 2, "\\ud800")],
    ids=["much", "more than 16 bits", "half a pair"],
)
async def test_whatever_one_writes_is_in_its_log_and_no_matter_to_others(
    tmp_path: Path, character: str, times: int, written: str
) -> None:
    async with node(tmp_path) as it:
        other = await it.started("toy-run", name="other")
        writer = await it.start("toy-write", character, str(times), name="writer")
        code, number, text = await ended(writer)
        assert (code, number, text == written * times + "\n") == (0, 0, True)
        assert other.state == "running"


@pytest.mark.parametrize(
    "says",
    [
        "os.write(0, b'hello\\n')",
        """os.write(0, b'["Output",{"id":[],"text":3}]\\n')""",
        """os.write(0, b'["Output",{"id":1,"text":3}]\\n')""",
        "socket.socket(fileno=0).sendall(bytes(5 << 20))",
    ],
    ids=["no message", "no number", "no text", "no end of a line"],
)
async def test_a_host_that_speaks_nonsense_has_died(tmp_path: Path, says: str) -> None:
    script = f"import os, socket, threading; os.read(0, 1); {says}; threading.Event().wait()"
    async with node(tmp_path) as it:
        container = await it.start("any", host=Host((sys.executable, "-c", script), {"any": ("any",)}))
        assert await ended(container) == (137, 9, "")
        assert await ended(await it.start("toy-echo", name="other")) == (0, 0, "other\nother in a thread\n")


async def test_a_host_may_write_a_long_line_itself(tmp_path: Path) -> None:
    script = "import os; os.read(0, 1); os.write(2, b'x' * (1 << 20))"
    async with node(tmp_path) as it:
        container = await it.start("any", host=Host((sys.executable, "-c", script), {"any": ("any",)}))
        assert await ended(container) == (137, 9, "")
        assert await ended(await it.start("toy-echo", name="other")) == (0, 0, "other\nother in a thread\n")


async def test_a_program_with_too_long_arguments_does_not_start(tmp_path: Path) -> None:
    async with node(tmp_path) as it:
        other = await it.started("toy-run", name="other")
        container = await it.start("toy-echo", "x" * (5 << 20))
        assert (container.state, container.reason) == ("exited", "StartError")
        assert "Argument list too long" in container.message
        assert other.state == "running"


async def test_a_host_that_cannot_be_started_is_why_a_container_does_not_start(tmp_path: Path) -> None:
    nothing = Host(("no-such-program",), {"toy-run": ("run",)}, {"PATH": "/nowhere"})
    async with node(tmp_path) as it:
        container = await it.start("toy-run", host=nothing)
        assert (container.state, container.reason) == ("exited", "StartError")
        assert "the process for it cannot be started" in container.message
        assert "no-such-program" in container.message
