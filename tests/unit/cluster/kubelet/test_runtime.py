"""Containers as processes: their life, their end, what they leave behind, and that nothing of them stays."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime import process
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container, ContainerConfig, PodReference
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import LogOptions
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from tests.unit.cluster.kubelet.waiting import gone, in_own_task, until

POD = PodReference("default", "pod0", UID("uid-0"))
ENV = {"PATH": "/usr/bin:/bin"}
FOREVER = "trap 'exit 3' TERM; sleep 1000 & echo $!; wait"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1000; done"


GET_AWAY = "mkfifo away; setsid sh -c 'echo $$; echo > away; exec sleep 1000' & read -r _ < away"
"""Ends once a child of it has a session of its own, which prints its number and goes on."""


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    async with in_own_task(ProcessRuntime(tmp_path)) as runtime:
        yield runtime


def config(
    root: Path, script: str, *, name: str = "ctr0", attempt: int = 0, env: Mapping[str, str] | None = None
) -> ContainerConfig:
    return ContainerConfig(POD, name, attempt, ("sh", "-c", script), {**ENV, **(env or {})}, root / "folder")


async def first_line(container: Container) -> str:
    """The first line that the container writes, once it is there."""
    async with asyncio.timeout(10):
        blocks = container.log.read(LogOptions(follow=True))
        line = (await anext(blocks)).decode().split("\n")[0]
        await blocks.aclose()
        return line


async def output(container: Container) -> str:
    return b"".join([block async for block in container.log.read(LogOptions())]).decode()


async def test_a_container_has_its_environment_its_folder_and_nothing_else(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    container = await runtime.start(
        ContainerConfig(POD, "ctr0", 0, ("/usr/bin/env",), {"PATH": "/bin", "A": "b c"}, tmp_path / "folder")
    )
    await container.exited.wait()
    assert await output(container) == "PATH=/bin\nA=b c\n"
    where = await runtime.start(config(tmp_path, "pwd", attempt=1))
    await where.exited.wait()
    assert await output(where) == f"{tmp_path}/folder\n"


async def test_both_outputs_are_in_the_log_in_their_order(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, "echo 1; echo 2 >&2; echo 3; printf 4 >&2"))
    await container.exited.wait()
    assert await output(container) == "1\n2\n3\n4"
    assert container.log.path == tmp_path / "var/log/pods/default_pod0_uid-0/ctr0/0.log"


@pytest.mark.parametrize(
    ("script", "code", "number", "reason"),
    [("exit 0", 0, 0, "Completed"), ("exit 7", 7, 0, "Error"), ("kill -9 $$", 137, 9, "Error")],
)
async def test_the_end_of_a_container_is_recorded(
    runtime: ProcessRuntime, tmp_path: Path, script: str, code: int, number: int, reason: str
) -> None:
    container = await runtime.start(config(tmp_path, script))
    await container.exited.wait()
    assert (container.state, container.exit_code, container.signal, container.reason) == (
        "exited",
        code,
        number,
        reason,
    )
    assert container.created_at <= container.started_at <= container.finished_at  # type: ignore[operator] # all are set


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ("no-such-program",),
            '"no-such-program" is not a program of this machine: it is in none of the folders of PATH (/usr/bin:/bin)',
        ),
        (("/etc/passwd",), '"/etc/passwd" cannot be run on this machine: Permission denied'),
        (("sh", "-c", "\0"), '"sh" cannot be run: embedded null byte'),
    ],
)
async def test_a_program_that_cannot_be_started_is_a_container_that_has_ended(
    runtime: ProcessRuntime, tmp_path: Path, argv: tuple[str, ...], message: str
) -> None:
    container = await runtime.start(ContainerConfig(POD, "ctr0", 0, argv, ENV, tmp_path / "folder"))
    assert (container.state, container.reason, container.exit_code) == ("exited", "StartError", 128)
    assert container.message == message


async def test_stop_lets_a_container_end_by_itself(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, FOREVER))
    child = int(await first_line(container))
    await runtime.stop(container, grace_seconds=60)
    assert (container.exit_code, container.signal) == (3, 0)
    await gone(child)


async def test_stop_kills_the_whole_group_after_the_grace_period(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, "trap '' TERM; sleep 1000 & echo $!; wait; wait"))
    child = int(await first_line(container))
    await runtime.stop(container, grace_seconds=0.05)
    assert (container.exit_code, container.signal) == (137, 9)
    await gone(child)


async def test_what_a_container_leaves_in_its_group_ends_with_it(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, "sleep 1000 & echo $!"))
    await container.exited.wait()
    await gone(int(await output(container)))


async def test_a_process_that_got_away_does_not_keep_its_container(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_dra_driver.cluster.kubelet.containerruntime.runtime._DRAIN_SECONDS", 0.05)
    container = await runtime.start(config(tmp_path, GET_AWAY))
    pid = int(await first_line(container))
    try:
        await container.exited.wait()
        assert container.exit_code == 0
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_no_process_gets_a_signal_once_the_program_has_ended(
    runtime: ProcessRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_dra_driver.cluster.kubelet.containerruntime.runtime._DRAIN_SECONDS", 1000)
    container = await runtime.start(config(tmp_path, GET_AWAY))
    assert container.process is not None
    pid = int(await first_line(container))
    try:
        await until(lambda: container.process and not container.process.signal_group(signal.SIGCONT))
        assert container.state == "running", "its output is still waited for"
    finally:
        os.kill(pid, signal.SIGKILL)
    await container.exited.wait()


async def test_the_last_two_containers_of_a_name_are_kept(runtime: ProcessRuntime, tmp_path: Path) -> None:
    for attempt in range(4):
        await (await runtime.start(config(tmp_path, f"echo {attempt}", attempt=attempt))).exited.wait()
        await (await runtime.start(config(tmp_path, "echo other", name="other", attempt=attempt))).exited.wait()
    kept = [(each.config.name, each.config.attempt) for each in runtime.containers(POD.uid)]
    assert kept == [("ctr0", 2), ("other", 2), ("ctr0", 3), ("other", 3)]
    assert sorted(path.name for path in (tmp_path / "var/log/pods/default_pod0_uid-0/ctr0").iterdir()) == [
        "2.log",
        "3.log",
    ]
    latest = runtime.containers(POD.uid)[2]
    assert runtime.find(latest.id) is latest
    assert runtime.find("missing") is None


async def test_listeners_hear_of_starts_and_ends_until_they_do_not_want_to(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    heard: list[tuple[str, str]] = []
    unsubscribe = runtime.subscribe(lambda uid: heard.append((uid, runtime.containers(uid)[-1].state)))
    await (await runtime.start(config(tmp_path, "true"))).exited.wait()
    assert heard == [("uid-0", "running"), ("uid-0", "exited")]
    unsubscribe()
    await (await runtime.start(config(tmp_path, "true", attempt=1))).exited.wait()
    assert len(heard) == 2


async def test_exec_runs_in_the_containers_environment(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, FOREVER, env={"A": "b"}))
    result = await runtime.exec(container, ("sh", "-c", "echo $A; pwd; exit 4"), 10)
    assert (result.exit_code, result.output) == (4, f"b\n{tmp_path}/folder\n")
    missing = await runtime.exec(container, ("no-such-program",), 10)
    assert (missing.exit_code, missing.output) == (127, "no-such-program: No such file or directory")
    assert (await runtime.exec(container, ("/etc/passwd",), 10)).exit_code == 126
    await runtime.stop(container, 0)
    assert (await runtime.exec(container, ("true",), 10)).exit_code == 126


async def test_exec_is_killed_when_it_takes_too_long(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, FOREVER))
    with pytest.raises(TimeoutError):
        await runtime.exec(container, ("sh", "-c", "echo $$ > pid; sleep 1000"), 0.5)
    await gone(int((tmp_path / "folder/pid").read_text()))


async def test_exec_ends_with_its_container(runtime: ProcessRuntime, tmp_path: Path) -> None:
    container = await runtime.start(config(tmp_path, STUBBORN))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runtime.exec(container, ("sh", "-c", "echo started >> ../started; sleep 1000"), 1000))
        await until((tmp_path / "started").exists)
        await runtime.stop(container, 0)
        assert (await task).exit_code == 137


async def test_removing_a_pod_leaves_nothing(runtime: ProcessRuntime, tmp_path: Path) -> None:
    runtime.create_sandbox(POD)
    container = await runtime.start(config(tmp_path, FOREVER))
    child = int(await first_line(container))
    assert runtime.pods() == [POD]
    await runtime.remove_pod(POD.uid)
    await gone(child)
    assert (runtime.pods(), runtime.containers(POD.uid), runtime.sandbox(POD.uid)) == ([], (), None)
    assert list((tmp_path / "var/log/pods").iterdir()) == []
    await runtime.remove_pod(POD.uid)


async def test_a_reboot_ends_everything_and_empties_var_run(runtime: ProcessRuntime, tmp_path: Path) -> None:
    for name in ("var/run/cdi/spec.yaml", "var/run/file", "var/lib/kept"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    runtime.create_sandbox(POD)
    done = await runtime.start(config(tmp_path, "exit 5", name="done"))
    await done.exited.wait()
    container = await runtime.start(config(tmp_path, FOREVER))
    child, boot = int(await first_line(container)), runtime.boot_id
    await runtime.reboot()
    await gone(child)
    assert (container.state, container.exit_code, container.reason) == ("exited", 255, "Unknown")
    assert (done.exit_code, done.reason) == (5, "Error")
    assert runtime.sandbox(POD.uid) is None
    assert runtime.boot_id != boot
    assert list((tmp_path / "var/run").iterdir()) == []
    assert (tmp_path / "var/lib/kept").exists()


async def test_leaving_the_runtime_ends_all_containers(tmp_path: Path) -> None:
    async with ProcessRuntime(tmp_path) as runtime:
        pids = [int(await first_line(await runtime.start(config(tmp_path, FOREVER, name=f"c{n}")))) for n in range(3)]
    for pid in pids:
        await gone(pid)
    with pytest.raises(RuntimeError, match="shut down"):
        await runtime.start(config(tmp_path, "true"))


async def test_a_container_that_is_just_starting_when_the_runtime_is_left_is_ended_too(tmp_path: Path) -> None:
    async with ProcessRuntime(tmp_path) as runtime, asyncio.TaskGroup() as group:
        start = group.create_task(runtime.start(config(tmp_path, FOREVER)))
        await asyncio.sleep(0)
        start.cancel()
    (container,) = runtime.containers(POD.uid)
    assert (container.state, container.signal) == ("exited", 9)


async def test_the_end_is_noticed_where_there_is_no_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    started = await process.Process.start(("sh", "-c", "exit 6"), env=ENV, folder=tmp_path)
    assert await started.wait() == 6
    started.kill()
    started.signal(signal.SIGTERM)
    assert await started.output.read() == b""
