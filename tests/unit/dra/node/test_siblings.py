"""What the sockets of other instances tell about them, and what is removed of those that are dead."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from fake_dra_driver.dra.node.pluginsockets import PluginSockets, unseen
from fake_dra_driver.dra.node.siblings import Siblings
from fake_dra_driver.dra.node.sockets import SocketError
from tests.unit.dra.node.standin import LogWatch

DRIVER: Final = "lamp.example.com"
UIDS: Final = tuple(f"{number:08}-0000-0000-0000-000000000000" for number in range(3))


def sockets_of(folder: Path, uid: str) -> PluginSockets:
    return PluginSockets.of(DRIVER, registry_folder=folder / "registry", plugins_folder=folder / "plugins", pod_uid=uid)


@pytest.fixture
def own(folder: Path) -> PluginSockets:
    sockets = sockets_of(folder, UIDS[0])
    sockets.registration.parent.mkdir(parents=True)
    sockets.plugin.parent.mkdir(parents=True)
    return sockets


@pytest.fixture
def living() -> Iterator[ExitStack]:
    """The processes that live, each with its listening socket."""
    with ExitStack() as stack:
        yield stack


def serve(living: ExitStack, path: Path) -> None:
    listener = living.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen()


def leave(path: Path) -> None:
    """What a killed process leaves behind."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("uid", ["", UIDS[1]])
async def test_another_instance_is_alive_as_long_as_its_registration_can_be_called(
    own: PluginSockets, living: ExitStack, folder: Path, uid: str
) -> None:
    siblings, other = Siblings(own), sockets_of(folder, uid)
    serve(living, own.registration)
    leave(sockets_of(folder, UIDS[2]).registration)
    assert not await siblings.are_alive()
    serve(living, other.registration)
    assert await siblings.are_alive()
    living.close()
    assert not await siblings.are_alive()


@pytest.mark.parametrize(("seconds_later", "is_superseded"), [(-1, False), (0, False), (1, True)])
async def test_the_instance_that_began_to_serve_last_supersedes_the_others(
    own: PluginSockets, living: ExitStack, folder: Path, seconds_later: int, is_superseded: bool
) -> None:
    siblings, other = Siblings(own), sockets_of(folder, UIDS[1])
    serve(living, other.registration)
    assert not await siblings.is_superseded(), "this one does not serve yet"
    serve(living, own.registration)
    os.utime(own.registration, (1_000, 1_000))
    os.utime(other.registration, (1_000 + seconds_later, 1_000 + seconds_later))
    assert await siblings.is_superseded() == is_superseded
    living.close()
    assert not await siblings.is_superseded(), "the other is dead"


async def test_a_folder_that_is_not_there_has_no_instances(folder: Path) -> None:
    siblings = Siblings(sockets_of(folder, UIDS[0]))
    assert not await siblings.are_alive()
    await siblings.remove_dead_sockets()


async def test_a_folder_that_cannot_be_read_is_named_in_the_error(folder: Path) -> None:
    (folder / "registry").touch()
    with pytest.raises(SocketError, match=r"cannot read the folder .*/registry: Not a directory"):
        await Siblings(sockets_of(folder, UIDS[0])).are_alive()


async def test_only_the_sockets_of_dead_instances_are_removed(
    own: PluginSockets, living: ExitStack, folder: Path, log_watch: LogWatch
) -> None:
    alive, dead, before = (sockets_of(folder, uid) for uid in (UIDS[1], UIDS[2], ""))
    foreign = own.registration.with_name("other.example.com.sock")
    kept = [alive.registration, alive.plugin, own.registration, foreign]
    serve(living, alive.registration)
    serve(living, alive.plugin)
    leave(own.registration)
    leave(foreign)
    for path in (dead.registration, dead.plugin, unseen(dead.plugin), before.registration, before.plugin):
        leave(path)
    file = dead.plugin.with_name(f"dra-{'0' * 11}.sock")
    await asyncio.to_thread(file.write_text, "precious")
    await Siblings(own).remove_dead_sockets()
    left = {path for parent in (own.registration.parent, own.plugin.parent) for path in parent.iterdir()}
    assert left == {*kept, file}
    removed = [line for line in log_watch.lines if "Removing the socket of a dead instance" in line]
    assert len(removed) == 5
