"""Names of sockets: bound unseen, never taken from a process that lives, never removed by another."""

import asyncio
import socket
import stat
from pathlib import Path

import grpc
import pytest

from fake_dra_driver.dra.node.pluginsockets import MAX_PATH_SIZE_BYTES
from fake_dra_driver.dra.node.sockets import (
    NotASocketError,
    PathTooLongError,
    SocketError,
    SocketInUseError,
    SocketServer,
    close_to_others,
)
from tests.unit.dra.node.standin import LogWatch


def nothing(_server: grpc.aio.Server) -> None:
    """Adds no services."""


async def answers(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


def leave_stale_socket(path: Path) -> None:
    """What a killed process leaves behind."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


async def test_the_socket_file_exists_only_while_it_is_served(folder: Path) -> None:
    server = SocketServer(folder / "made" / "x.sock", nothing)
    await server.start()
    assert await answers(server.path)
    assert await server.is_in_place()
    assert [path.name for path in server.path.parent.iterdir()] == ["x.sock"]
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    await server.stop(0)
    assert list(server.path.parent.iterdir()) == []
    await server.stop(0)


async def test_the_socket_file_appears_only_once_calls_are_answered(folder: Path) -> None:
    names: list[list[str]] = []
    server = SocketServer(folder / "x.sock", lambda _server: names.append([path.name for path in folder.iterdir()]))
    await server.start()
    await server.stop(0)
    assert names == [[]], "no name before it is served"


async def test_a_socket_of_a_dead_process_is_replaced(folder: Path) -> None:
    path = folder / "x.sock"
    leave_stale_socket(path)
    leave_stale_socket(folder / ".x.soc")
    assert not await answers(path)
    server = SocketServer(path, nothing)
    await server.start()
    assert await answers(path)
    await server.stop(0)
    assert not path.exists()


async def test_a_socket_of_a_living_process_is_left_alone(folder: Path) -> None:
    first, second = (SocketServer(folder / "x.sock", nothing) for _ in range(2))
    await first.start()
    with pytest.raises(SocketInUseError, match=r"x\.sock; a node needs one instance, stop the other"):
        await second.start()
    await second.stop(0)
    assert await answers(first.path)
    await first.stop(0)


async def test_a_file_that_is_not_a_socket_is_left_alone(folder: Path) -> None:
    path = folder / "x.sock"
    path.write_text("precious")
    with pytest.raises(NotASocketError, match="exists and is not a socket"):
        await SocketServer(path, nothing).start()
    assert path.read_text() == "precious"


async def test_the_length_of_a_path_is_limited_by_the_system(folder: Path) -> None:
    fitting = folder / ("x" * (MAX_PATH_SIZE_BYTES - len(str(folder)) - 1))
    server = SocketServer(fitting, nothing)
    await server.start()
    assert await answers(fitting)
    await server.stop(0)
    with pytest.raises(PathTooLongError, match=r"has 108 bytes, the system allows 107; choose a shorter"):
        await SocketServer(fitting.with_name(fitting.name + "x"), nothing).start()


async def test_an_unusable_folder_is_named_in_the_error(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(SocketError, match=r"cannot use .*file/x\.sock"):
        await SocketServer(folder / "file" / "x.sock", nothing).start()


async def test_a_socket_file_that_belongs_to_a_successor_stays(folder: Path) -> None:
    old, new = (SocketServer(folder / "x.sock", nothing) for _ in range(2))
    await old.start()
    old.path.unlink()
    await new.start()
    assert not await old.is_in_place()
    await old.stop(0)
    assert await answers(new.path)
    await new.stop(0)
    assert not new.path.exists()


async def test_a_socket_file_that_was_deleted_can_be_restored(folder: Path) -> None:
    server = SocketServer(folder / "x.sock", nothing)
    await server.start()
    server.path.unlink()
    assert not await server.is_in_place()
    await server.restart(0)
    assert await server.is_in_place()
    assert await answers(server.path)
    await server.stop(0)


@pytest.mark.parametrize(("there", "afterwards"), [(None, 0o750), (0o755, 0o750), (0o777, 0o750), (0o700, 0o700)])
def test_a_folder_is_for_its_owner(tmp_path: Path, there: int | None, afterwards: int) -> None:
    folder = tmp_path / "plugins" / "driver"
    if there is not None:
        folder.mkdir(parents=True)
        folder.chmod(there)
    close_to_others(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == afterwards


async def test_a_folder_that_belongs_to_another_user_is_used_all_the_same(log_watch: LogWatch) -> None:
    await asyncio.to_thread(close_to_others, Path("/proc/self"))
    await log_watch.wait_for("WARNING Other users can look into the plugin's folder", "/proc/self")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SocketError, match=f"cannot use the folder {tmp_path}/file/driver: Not a directory"):
        close_to_others(tmp_path / "file" / "driver")
