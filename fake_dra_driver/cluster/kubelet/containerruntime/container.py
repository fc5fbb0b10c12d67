"""Containers as the runtime keeps them and the kubelet reads them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime.cdi import DeviceEdits
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import ContainerLog
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Host
from fake_dra_driver.cluster.kubelet.containerruntime.program import Program
from fake_dra_driver.cluster.kubelet.containerruntime.stdio import Stdio
from fake_dra_driver.cluster.remotecommand.inputbuffer import InputBuffer

__all__ = ["Container", "ContainerConfig", "ExecResult", "Job", "PodReference", "Sandbox"]


@dataclass(frozen=True, slots=True)
class PodReference:
    """Which pod a container belongs to."""

    namespace: str
    name: str
    uid: UID


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """What to run."""

    pod: PodReference
    name: str
    attempt: int
    """How many containers of this name there were before it."""
    argv: Sequence[str]
    env: Mapping[str, str]
    """Its whole environment."""
    folder: Path
    """Its working directory; made if it is missing."""
    ports: Mapping[int, int] = field(default_factory=dict)
    """Port of this machine by container port, where they differ."""
    edits: DeviceEdits = field(default_factory=DeviceEdits)
    """What its devices add; of it only variables and mounted programs have an effect here, both in ``env``."""
    host: Host | None = None
    """Runs its programs where it can; None: each is a process."""
    sleeps: str = ""
    """Why nothing runs in it; empty: its program does."""
    ends_at_once: bool = False
    """Whether a container in which nothing runs ends, and well, in place of sleeping."""
    advice: str = ""
    """What can be done if its program is not on this machine."""
    stdio: Stdio = field(default_factory=Stdio)
    """What its program reads from and writes to."""
    digest: str = ""
    """Of the part of the pod's spec that it was made from."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the containers of a pod share. Here it only records that the node has set the pod up.

    A reboot removes it, so the kubelet knows that everything has to be set up again.
    """

    pod: PodReference
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The outcome of a command in a container."""

    exit_code: int
    output: str


@dataclass(slots=True, eq=False)
class Container:
    """One container, for reading; only the runtime changes it."""

    id: str
    config: ContainerConfig
    log: ContainerLog
    created_at: datetime
    state: Literal["created", "running", "exited"] = "created"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    """After its end: ``Completed``, ``Error``, ``StartError``, or ``Unknown`` after a reboot."""
    message: str = ""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it runs, or has failed to start."""
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    process: Program | None = None
    jobs: set["Job"] = field(default_factory=set)
    """Commands of probes, hooks and clients that run in it."""
    attached: set[InputBuffer] = field(default_factory=set)
    """Each gets what it writes from now on."""
    is_doomed: bool = False
    """Whether its end has begun: no command is started in it any more."""
    is_lost: bool = False
    """Whether a reboot has ended it."""

    def kill(self) -> None:
        """Kills its process group, and the commands that run in it."""
        self.is_doomed = True
        for job in self.jobs:
            job.kill()
        if self.process is not None:
            self.process.kill()


@dataclass(slots=True, eq=False)
class Job:
    """A command that runs in a container: of a probe, a hook, or a client."""

    process: Program | None = None
    """Set once it runs; a ``Process``, if it was given more than an output."""
    error: OSError | ValueError | None = None
    """Why it could not be started."""
    exit_code: int = 0
    """128 and the number of the signal, if one has ended it."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it runs, or has failed to start."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_doomed: bool = False
    is_abandoned: bool = False
    """Whether nobody reads its output any more."""

    def kill(self) -> None:
        """Kills it, or keeps it from starting."""
        self.is_doomed = True
        if self.process is not None:
            self.process.kill()

    def abandon(self) -> None:
        """Kills it, and drops what it has written. To be called in the end, also when it has ended by itself."""
        self.is_abandoned = True
        self.kill()
        if self.process is not None:
            self.process.close()
