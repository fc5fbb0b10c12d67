"""What stands for images: nothing is pulled, but a cluster can define what runs when a pod names a certain image.

An image here is the programs that it would contain, as installed on this machine. A container of a registered image
finds them in its PATH, and may get what no other container does: a kubeconfig, and ports of its own. A container of any
other image runs its command with the programs of this machine, and cannot run without a command; unless the cluster is
told that such containers sleep, for those who need pods that run and not what runs in them.

    images = Images({"example.com/driver:v1": Image(cmd=("driver",), path=("/opt/driver/bin",), api_access=True)})
"""

import itertools
import random
import shlex
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Host
from fake_dra_driver.cluster.kubelet.containerruntime.terminal import check as check_program
from fake_dra_driver.cluster.kubelet.pod import Container

__all__ = ["Image", "Images", "NoImageError", "UnknownImages"]

UnknownImages = Literal["refuse", "sleep"]
"""What becomes of a container whose image is not registered, and whose command is missing or not on this machine."""

_ADVICE = "start the cluster with --unknown-images=sleep to have such containers sleep"

_PORTS = range(20_000, 30_000)
"""Below the ports of outgoing connections (from 32,768 on Linux, 49,152 on macOS)."""


class NoImageError(Exception):
    """There is nothing to run for a container; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image contains."""

    entrypoint: Sequence[str] = ()
    """Replaced by the container's ``command``."""
    cmd: Sequence[str] = ()
    """Replaced by the container's ``args``, and by its ``command``."""
    env: Mapping[str, str] = field(default_factory=dict)
    path: Sequence[str] = ()
    """Folders in which programs are looked for before those of the system."""
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More programs, which need no folder: by name, the command that runs in its place, before the arguments."""
    host: Host | None = None
    """Runs some of the programs, for many nodes in one process; None: each runs in a process of its own."""
    api_access: bool = False
    """Whether containers get KUBECONFIG with the credentials of their pod's service account. On a real node these are
    mounted at /var/run/secrets; other containers here get none."""
    own_ports: bool = False
    """Whether each of a container's ports is replaced by a free one of this machine, so that several nodes can run it:
    an argument or a variable that ends in ``:<port>``, such as ``--listen=:8080``, then has that one, on 127.0.0.1."""


class Images:
    """The images of a cluster; one for all of its nodes, which share the ports of this machine."""

    def __init__(
        self,
        images: Mapping[str, Image] | None = None,
        ports: Sequence[int] = _PORTS,
        *,
        unknown: UnknownImages = "refuse",
    ) -> None:
        """Begins to give out ports at a random one, so that clusters that start together hardly ever choose the same.

        Args:
            images: by reference, exactly as pods name them.
            ports: those that may be given out.
            unknown: what becomes of containers of other images that cannot be run.
        """
        self._unknown = unknown
        self._images = dict(images or {})
        self._ports = ports
        first = random.randrange(len(ports))  # noqa: S311 - no secret
        self._next_ports = itertools.cycle((*ports[first:], *ports[:first]))

    def unpack(self, folder: Path) -> None:
        """Makes the ``programs`` of each image a folder of scripts below this one, in their PATH. Blocks.

        Not only the commands of containers find them there, but also those of hooks and probes.
        """
        for number, (reference, image) in enumerate(self._images.items()):
            if image.programs:
                scripts = folder / str(number)
                scripts.mkdir(parents=True)
                for name, command in image.programs.items():
                    script = scripts / name
                    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
                    script.chmod(0o755)
                self._images[reference] = replace(image, path=(str(scripts), *image.path))

    def of(self, container: Container) -> Image:
        """The image of a container; an empty one if it is not registered."""
        return self._images.get(container.image, Image())

    @property
    def names(self) -> Collection[str]:
        """The images that are registered."""
        return self._images.keys()

    def is_known(self, container: Container) -> bool:
        """Whether the image is registered."""
        return container.image in self._images

    def command(self, container: Container) -> Sequence[str]:
        """What to run, from the container's command and the image's defaults; nothing, if it may sleep.

        Raises:
            NoImageError: there is no command.
        """
        image = self.of(container)
        if container.command:
            return (*container.command, *container.args)
        command = (*image.entrypoint, *(container.args or image.cmd))
        if not self.is_known(container) and self._unknown == "sleep":
            return ()
        if not self.is_known(container) or not command:
            known = f" or one of the images {', '.join(sorted(self._images))}" if self._images else ""
            raise NoImageError(
                f'image "{container.image}" is not pulled, since containers of this cluster are processes of this '
                f"machine: give the container a command{known}, or {_ADVICE}"
            )
        return command

    def why_it_sleeps(
        self, container: Container, argv: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> str:
        """Why nothing runs in a container but sleep; empty: its command is to be run. Blocks shortly.

        Args:
            container: its spec.
            argv: its command on this machine.
            environment: its variables, of which PATH counts.
            folder: where it runs.
        """
        if self._unknown != "sleep" or self.is_known(container):
            return ""
        what = f'image "{container.image}" is not known to this cluster'
        if not argv:
            return f"Nothing runs in this container: {what}, and its pod names no command"
        try:
            check_program(argv, environment, folder)
        except OSError:
            return (
                f'Nothing runs in this container: {what}, and "{container.command[0]}" is not a program of this machine'
            )
        return ""

    def advice(self, container: Container) -> str:
        """What can be done where the command of a container is not on this machine, to be added to a sentence."""
        return "" if self.is_known(container) else f"; {_ADVICE}"

    def free_port(self) -> int:
        """A free port of 127.0.0.1 that was not given out lately. Blocks shortly.

        Raises:
            OSError: there is none.
        """
        for port in itertools.islice(self._next_ports, len(self._ports)):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise OSError(f"all ports from {self._ports[0]} to {self._ports[-1]} are taken")
