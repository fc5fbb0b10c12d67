"""The container runtime of a simulated node: containers are processes. What containerd is to a real kubelet.

It knows which containers there are, runs them, keeps their logs, and tells its listeners when one of them starts or
ends. It outlives the kubelet, which asks for its containers after a restart; and it decides nothing: the kubelet says
what runs, and when. ``reboot`` is a loss of power.

The last two containers of each name are kept after their end, for their exit codes and logs, until the kubelet removes
the pod.
"""

import asyncio
import secrets
import shutil
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from loguru import logger

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime.container import (
    Container,
    ContainerConfig,
    ExecResult,
    Job,
    PodReference,
    Sandbox,
)
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import ContainerLog
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Hosts
from fake_dra_driver.cluster.kubelet.containerruntime.process import Process
from fake_dra_driver.cluster.kubelet.containerruntime.program import Program
from fake_dra_driver.cluster.kubelet.containerruntime.sleeper import Sleeper
from fake_dra_driver.cluster.kubelet.containerruntime.stdio import Stdio
from fake_dra_driver.cluster.remotecommand.inputbuffer import InputBuffer
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["NotRunningError", "ProcessRuntime"]

log = logger.bind(component="container-runtime")

Listener = Callable[[UID], None]
"""Gets the UID of a pod of which a container has started or ended. Must not block."""

_DRAIN_SECONDS = 2.0
"""How long the rest of a container's output is read after its end. Only an escaped process makes it last that long."""
_READ_BYTES = 64 * 1024
_MAX_EXEC_OUTPUT_BYTES = 10 * 1024
"""How much is kept of the output of a probe or a hook (maxRespBodyLength of the kubelet)."""
_PATIENCE_SECONDS = 10.0
"""How long a container waits for a client that is attached to it and does not read."""
_NO_INPUT = Stdio()
_KEPT = 2
"""Containers of one name: the current one, and the one before it for ``kubectl logs --previous``."""


class NotRunningError(Exception):
    """The container does not run, or is about to end."""


class ProcessRuntime:
    """The containers of one node. An async context manager: on leaving it, all of them are killed.

    Args:
        root: the folder that is the node's root file system.
        warden: kills the containers when this process is killed; without one they would live on.
        hosts: run programs of images that have a host; without them each program is a process.
        now: for the times of containers and of their log lines.
    """

    def __init__(
        self, root: Path, *, warden: Warden | None = None, hosts: Hosts | None = None, now: WallClock = utc_now
    ) -> None:
        self.root = root
        self._warden = warden
        self._hosts = hosts
        self.boot_id = str(uuid.uuid4())
        """A new one for each boot, like /proc/sys/kernel/random/boot_id."""
        self._now = now
        self._containers: dict[UID, list[Container]] = {}
        # By pod, in order of creation.
        self._sandboxes: dict[UID, Sandbox] = {}
        self._listeners: list[Listener] = []
        self._stack = AsyncExitStack()
        self._group: asyncio.TaskGroup | None = None
        # The parent of the containers' tasks; None while the runtime does not run.

    async def __aenter__(self) -> Self:
        """Makes the node's folders."""
        await asyncio.to_thread(self._pod_logs.mkdir, parents=True, exist_ok=True)
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kills all containers and waits for their end."""
        self._kill_all()
        self._group = None
        await self._stack.aclose()

    # --- What there is -------------------------------------------------------------------------------------------

    def pods(self) -> Sequence[PodReference]:
        """The pods that have a sandbox or a container here."""
        found = {uid: sandbox.pod for uid, sandbox in self._sandboxes.items()}
        for uid, containers in self._containers.items():
            found.setdefault(uid, containers[-1].config.pod)
        return [found[uid] for uid in sorted(found)]

    def sandbox(self, uid: UID) -> Sandbox | None:
        """The sandbox of a pod."""
        return self._sandboxes.get(uid)

    def containers(self, uid: UID) -> Sequence[Container]:
        """The containers of a pod, including ended ones, in order of creation."""
        return tuple(self._containers.get(uid, ()))

    def find(self, container_id: str) -> Container | None:
        """The container of that ID."""
        return next((each for every in self._containers.values() for each in every if each.id == container_id), None)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls ``listener`` at each start and end. Returns a function that unsubscribes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- What can be done ----------------------------------------------------------------------------------------

    def create_sandbox(self, pod: PodReference) -> Sandbox:
        """The pod's sandbox; made if it is missing."""
        return self._sandboxes.setdefault(pod.uid, Sandbox(pod, self._now()))

    async def start(self, config: ContainerConfig) -> Container:
        """Creates and starts a container. One that cannot be started has ended, with reason ``StartError``.

        Raises:
            RuntimeError: the runtime is shut down.
        """
        group = self._running_group()
        container = Container(secrets.token_hex(32), config, self._log_of(config), self._now())
        mine = self._containers.setdefault(config.pod.uid, [])
        namesakes = [each for each in mine if each.config.name == config.name]
        mine.append(container)
        group.create_task(self._run(container), name=f"container {config.pod.name}/{config.name}")
        for old in namesakes[: 1 - _KEPT]:
            await self._remove(old)
        await container.settled.wait()
        return container

    async def stop(self, container: Container, grace_seconds: float) -> None:
        """SIGTERM to the container's program, and SIGKILL to all of its group after the grace period.

        Returns once it has ended. If cancelled, it leaves the container running.
        """
        if grace_seconds > 0 and container.process is not None:
            container.process.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace_seconds):
                    await container.exited.wait()
            except TimeoutError:
                log.debug("Container did not end within its grace period", container=container.config.name)
        container.kill()
        await container.exited.wait()

    async def exec(self, container: Container, argv: Sequence[str], timeout_seconds: float) -> ExecResult:
        """Runs a command in a container: in its environment and working directory. It dies with the container.

        A command that cannot be started has exit code 126 or 127, as in a shell; so has one in a container that does
        not run (126).

        Raises:
            TimeoutError: it took too long, and was killed.
        """
        async with asyncio.timeout(timeout_seconds):
            try:
                job = await self.open(container, argv)
            except NotRunningError as error:
                return ExecResult(126, str(error))
            except (OSError, ValueError) as error:
                code = 127 if isinstance(error, FileNotFoundError) else 126
                why = getattr(error, "strerror", None) or error
                return ExecResult(code, f"{argv[0] if argv else 'no command'}: {why}")
            try:
                output = await _output_of(job)
                return ExecResult(job.exit_code, output)
            finally:
                job.abandon()

    async def open(self, container: Container, argv: Sequence[str], stdio: Stdio = _NO_INPUT) -> Job:
        """Starts a command in a container: in its environment and working directory. It dies with the container.

        Returns:
            The command, which runs; to be abandoned in the end.

        Raises:
            NotRunningError: the container does not run.
            OSError, ValueError: the command cannot be started.
        """
        if container.state != "running" or container.is_doomed:
            raise NotRunningError("the container is not running")
        job = Job()
        container.jobs.add(job)
        self._running_group().create_task(self._run_job(container, job, argv, stdio), name="container exec")
        try:
            await job.settled.wait()
        except BaseException:
            job.abandon()
            raise
        if job.error is not None:
            raise job.error
        return job

    async def remove_pod(self, uid: UID) -> None:
        """Removes a pod: kills what still runs of it, and deletes its logs. Does nothing if it is unknown."""
        for container in self._containers.get(uid, ()):
            container.kill()
            await container.exited.wait()
        sandbox, containers = self._sandboxes.pop(uid, None), self._containers.pop(uid, [])
        if sandbox is not None or containers:
            pod = sandbox.pod if sandbox is not None else containers[-1].config.pod
            await in_thread(shutil.rmtree, self._folder_of_logs(pod), ignore_errors=True)

    async def reboot(self) -> None:
        """The node loses power and comes back: nothing runs, and ``/var/run`` is empty."""
        for containers in self._containers.values():
            for container in containers:
                container.is_lost = container.is_lost or container.state != "exited"
        self._kill_all()
        for containers in list(self._containers.values()):
            for container in list(containers):
                await container.exited.wait()
        self._sandboxes.clear()
        await asyncio.to_thread(_empty, self.root / "var/run")
        self.boot_id = str(uuid.uuid4())
        for uid in list(self._containers):
            self._tell(uid)

    # --- One container -------------------------------------------------------------------------------------------

    async def _run(self, container: Container) -> None:
        """Starts a container and waits for its end. Raises nothing."""
        config = container.config
        try:
            await asyncio.to_thread(config.folder.mkdir, parents=True, exist_ok=True)
            process = await self._begin(config)
        except (OSError, ValueError) as error:
            container.reason, container.message, container.exit_code = "StartError", _why(config, error), 128
            container.started_at = self._now()
        else:
            container.process, container.state, container.started_at = process, "running", self._now()
            if container.is_doomed:
                process.kill()
            container.settled.set()
            self._tell(config.pod.uid)
            await self._accompany(container, process)
        await self._close_log(container)
        for each in container.attached:
            each.end()
        container.state, container.finished_at, container.process = "exited", self._now(), None
        if container.is_lost:
            container.reason, container.exit_code, container.signal = "Unknown", 255, 0
        container.exited.set()
        container.settled.set()
        self._tell(config.pod.uid)

    async def _accompany(self, container: Container, process: Program) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(container, process), name="container log")
                code = await process.wait()
                container.kill()
                await asyncio.wait([pump], timeout=_DRAIN_SECONDS)
                process.close()
        finally:
            process.kill()
        container.exit_code, container.signal = (code, 0) if code >= 0 else (128 - code, -code)
        container.reason = "Completed" if code == 0 else "Error"

    async def _pump(self, container: Container, process: Program) -> None:
        """Logs the container's output. If the log cannot be written, it is dropped, and the container goes on."""
        is_failing = False
        while data := await process.output.read(_READ_BYTES):
            try:
                await container.log.append(data)
            except OSError as error:
                if not is_failing:
                    log.warning("Container log not written", path=str(container.log.path), error=str(error))
                is_failing = True
            for each in list(container.attached):
                await _hand_on(data, each, container.attached)

    async def _close_log(self, container: Container) -> None:
        try:
            await container.log.close()
        except OSError as error:
            log.warning("Container log not written", path=str(container.log.path), error=str(error))

    async def _run_job(self, container: Container, job: Job, argv: Sequence[str], stdio: Stdio) -> None:
        """Runs a command to its end. Raises nothing."""
        config = container.config
        env = {"TERM": "xterm", **config.env} if stdio.tty else config.env
        try:
            process = await self._spawn(config, argv, env, stdio)
        except (OSError, ValueError) as error:
            job.error = error
        else:
            job.process = process
            if job.is_doomed or container.is_doomed:
                process.kill()
            job.settled.set()
            code = await process.wait()
            job.exit_code = code if code >= 0 else 128 - code
            if job.is_abandoned:
                process.close()
        container.jobs.discard(job)
        job.settled.set()
        job.ended.set()

    async def _begin(self, config: ContainerConfig) -> Program:
        """Starts what a container is for."""
        if config.sleeps:
            return Sleeper(config.sleeps, ends_at_once=config.ends_at_once)
        return await self._spawn(config, config.argv, config.env, config.stdio)

    async def _spawn(
        self, config: ContainerConfig, argv: Sequence[str], env: Mapping[str, str], stdio: Stdio
    ) -> Program:
        hosts, host = self._hosts, config.host
        if (
            stdio == _NO_INPUT
            and hosts is not None
            and host is not None
            and hosts.are_wanted()
            and (hosted := host.argv_of(argv))
        ):
            return await hosts.start(host, hosted, env)
        return await Process.start(argv, env=env, folder=config.folder, warden=self._warden, stdio=stdio)

    # --- Inside --------------------------------------------------------------------------------------------------

    def _running_group(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise RuntimeError("the container runtime is shut down")
        return self._group

    def _kill_all(self) -> None:
        for containers in self._containers.values():
            for container in containers:
                container.kill()

    def _tell(self, uid: UID) -> None:
        for listener in list(self._listeners):
            listener(uid)

    async def _remove(self, container: Container) -> None:
        await container.exited.wait()
        self._containers[container.config.pod.uid].remove(container)
        for path in (container.log.path, container.log.path.with_name(f"{container.log.path.name}.1")):
            await asyncio.to_thread(path.unlink, missing_ok=True)

    @property
    def _pod_logs(self) -> Path:
        return self.root / "var/log/pods"

    def _folder_of_logs(self, pod: PodReference) -> Path:
        return self._pod_logs / f"{pod.namespace}_{pod.name}_{pod.uid}"

    def _log_of(self, config: ContainerConfig) -> ContainerLog:
        path = self._folder_of_logs(config.pod) / config.name / f"{config.attempt}.log"
        return ContainerLog(path, now=self._now)


async def _output_of(job: Job) -> str:
    """What a command writes, or the beginning of that, once it has ended."""
    output = bytearray()

    async def collect(reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_READ_BYTES):
            output.extend(data[: _MAX_EXEC_OUTPUT_BYTES - len(output)])

    if job.process is not None:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(collect(job.process.output), name="container exec output")
            await job.ended.wait()
            await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
            job.process.close()
    return output.decode(errors="replace")


async def _nothing() -> None:
    pass


async def _hand_on(data: bytes, to: InputBuffer, attached: set[InputBuffer]) -> None:
    """Gives output of a container to a client, for which it waits, as on a real node, but not for ever."""
    to.put(data)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await to.room(_nothing)
    except TimeoutError:
        attached.discard(to)
        to.end()


def _why(config: ContainerConfig, error: OSError | ValueError) -> str:
    """Why a container did not start, for a person who has a shell and a manifest."""
    program = config.argv[0] if config.argv else ""
    if isinstance(error, FileNotFoundError) and "/" not in program:
        path = config.env.get("PATH", "")
        where = f"it is in none of the folders of PATH ({path})"
        return f'"{program}" is not a program of this machine: {where}{config.advice}'
    if isinstance(error, OSError):
        return f'"{program}" cannot be run on this machine: {error.strerror}'
    return f'"{program}" cannot be run: {error}'


def _empty(folder: Path) -> None:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
