"""How another process finds the control socket of a cluster, and what it is told when there is none."""

import asyncio
import json
import os
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.cluster import ClusterError, control
from fake_dra_driver.cluster.control import ask, command, serving
from fake_dra_driver.cluster.folder import CONTROL_SOCKET, find_cluster, find_control_socket, running_folders
from fake_dra_driver.cluster.sharedkubeconfig import add_context


@pytest.fixture
def folders() -> Iterator[Path]:
    """In place of the folder in which clusters make theirs; its path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="fdt-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
async def running(folders: Path) -> AsyncIterator[Mapping[str, str]]:
    """The kubeconfigs of two clusters that run, which answer with their names."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in ("fdd-10", "fdd-9"):
            await stack.enter_async_context(serving(_folder(folders, name), _handler(name)))
            found[name] = str(folders / name / "kubeconfig")
        yield found


def _folder(folders: Path, name: str) -> Path:
    folder = folders / name
    folder.mkdir()
    (folder / "kubeconfig").touch()
    return folder


def _handler(name: str) -> Any:
    async def handle(fault: str, options: Mapping[str, Any]) -> str:
        return f"{fault} of {name}"

    return {"fault": handle}


def _share(usual: Path, own: Path) -> None:
    """Has the kubeconfig of a cluster in another one, as its current context."""
    own.write_text(json.dumps({"clusters": [{"cluster": {}}], "users": [{"user": {}}]}))
    add_context(usual, own)


def _refusal(kubeconfig: str, folders: Path) -> str:
    with pytest.raises(ClusterError) as caught:
        find_control_socket(kubeconfig, str(folders))
    return str(caught.value).replace(str(folders), "...")


async def test_each_cluster_has_its_own(running: Mapping[str, str]) -> None:
    for name, kubeconfig in running.items():
        assert await ask(kubeconfig, "heal", {}) == f"heal of {name}"


async def test_of_several_files_the_first_of_a_cluster_counts(running: Mapping[str, str], folders: Path) -> None:
    other = folders / "config"
    other.touch()
    files = os.pathsep.join([str(other), str(folders / "missing"), running["fdd-9"], running["fdd-10"]])
    assert await ask(files, "heal", {}) == "heal of fdd-9"


async def test_a_cluster_of_another_user_is_not_recommended(running: Mapping[str, str], folders: Path) -> None:
    """Its kubeconfig could make whoever uses it run a program."""
    (folders / "fdd-11").symlink_to(folders / "fdd-10")
    mine = await asyncio.to_thread(_refusal, "", folders)
    assert all(kubeconfig.replace(str(folders), "...") in mine for kubeconfig in running.values())
    with pytest.raises(ClusterError, match="Start one with"):
        await asyncio.to_thread(find_control_socket, "", str(folders), os.getuid() + 1)


async def test_a_link_to_a_kubeconfig(running: Mapping[str, str], folders: Path) -> None:
    link = folders / "link"
    link.symlink_to(running["fdd-9"])
    assert await ask(str(link), "heal", {}) == "heal of fdd-9"


def test_none_runs(folders: Path) -> None:
    advice = "Start one with 'fake-dra-driver cluster up', and set KUBECONFIG to what it prints"
    assert _refusal("", folders) == f"KUBECONFIG is not set. {advice}"
    said = f".../config is not the kubeconfig of an embedded cluster that runs. {advice}"
    assert _refusal(str(folders / "config"), folders) == said


async def test_others_run(running: Mapping[str, str], folders: Path) -> None:
    said = await asyncio.to_thread(_refusal, "", folders)
    assert said == (
        "KUBECONFIG is not set. Set KUBECONFIG to that of one that runs: .../fdd-9/kubeconfig, .../fdd-10/kubeconfig"
    )


async def test_without_a_kubeconfig_the_only_one_is_meant(folders: Path) -> None:
    with pytest.raises(ClusterError, match=r"^No embedded cluster runs\. Start one with 'fake-dra-driver cluster up'$"):
        await asyncio.to_thread(find_cluster, "", str(folders))
    async with serving(_folder(folders, "fdd-1"), _handler("fdd-1")):
        assert await asyncio.to_thread(find_cluster, "", str(folders)) == folders / "fdd-1" / CONTROL_SOCKET


async def test_of_several_the_one_in_the_usual_file_is_meant(running: Mapping[str, str], folders: Path) -> None:
    usual, other = folders / "config", Path(running["fdd-9"])
    with pytest.raises(ClusterError, match=r"^Several embedded clusters run\. Set KUBECONFIG to that of"):
        await asyncio.to_thread(find_cluster, "", str(folders), str(usual))
    await asyncio.to_thread(_share, usual, other)
    assert await asyncio.to_thread(find_cluster, "", str(folders), str(usual)) == other.with_name(CONTROL_SOCKET)
    assert await asyncio.to_thread(find_control_socket, str(usual)) == other.with_name(CONTROL_SOCKET)


def test_the_cluster_of_a_shared_kubeconfig_has_ended(folders: Path) -> None:
    usual, own = folders / "config", _folder(folders, "fdd-1") / "kubeconfig"
    _share(usual, own)
    said = _refusal(str(usual), folders)
    assert said.startswith("The cluster of the current context in .../config has ended. Start one with ")


async def test_another_one_runs(folders: Path) -> None:
    config = folders / "config"
    config.touch()
    async with serving(_folder(folders, "fdd-1"), _handler("fdd-1")):
        said = await asyncio.to_thread(_refusal, str(config), folders)
    assert said == (
        ".../config is not the kubeconfig of an embedded cluster that runs. "
        "One runs: export KUBECONFIG=.../fdd-1/kubeconfig"
    )


def test_a_socket_that_a_dead_cluster_has_left(folders: Path) -> None:
    folder = _folder(folders, "fdd-1")
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(folder / CONTROL_SOCKET))
    assert _refusal(str(folder / "kubeconfig"), folders).startswith(
        "The cluster of .../fdd-1/kubeconfig has ended: it was killed, and its folder is left. Start one with "
    )


async def test_the_cluster_ends_before_it_answers(folders: Path) -> None:
    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    folder = _folder(folders, "fdd-1")
    server = await asyncio.start_unix_server(end, folder / CONTROL_SOCKET)
    async with server:
        with pytest.raises(ClusterError, match="The cluster ended, or failed, before it answered"):
            await ask(str(folder / "kubeconfig"), "heal", {})


@pytest.mark.parametrize("request_line", ["hello", "[]", '{"fault": "heal"}', "[" * 10**5])
async def test_what_is_no_request(running: Mapping[str, str], request_line: str) -> None:
    path = Path(running["fdd-9"]).with_name(CONTROL_SOCKET)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"{request_line}\n".encode())
    assert re.search(b"this is no request for a fault", await reader.readline())
    writer.close()


async def test_the_cluster_ends_while_a_fault_is_under_way(folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()

    async def never(fault: str, options: Mapping[str, Any]) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    folder = _folder(folders, "fdd-1")
    async with serving(folder, {"fault": never}):
        asked = asyncio.ensure_future(ask(str(folder / "kubeconfig"), "heal", {}))
        await begun.wait()
    with pytest.raises(ClusterError, match="The cluster ended, or failed, before it answered"):
        await asked
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_request_that_names_thousands_of_nodes(folders: Path) -> None:
    async def count(name: str, options: Mapping[str, Any]) -> int:
        return len(options["nodes"])

    async with serving(_folder(folders, "fdd-1"), {"command": count}):
        nodes = [f"simulated-gpu-pool-{number}" for number in range(5000)]
        assert await command(folders / "fdd-1" / CONTROL_SOCKET, "node-remove", {"nodes": nodes}) == 5000


async def test_a_request_without_end_does_not_end_the_cluster(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_MAX_REQUEST_BYTES", 1000)
    async with serving(_folder(folders, "fdd-1"), _handler("fdd-1")):
        reader, writer = await asyncio.open_unix_connection(folders / "fdd-1" / CONTROL_SOCKET)
        writer.write(b"x" * 2001)
        assert await reader.readline() == b'{"error": "a request has at most 1,000 bytes"}\n'
        writer.close()
        assert await ask(str(folders / "fdd-1" / "kubeconfig"), "heal", {}) == "heal of fdd-1"


async def test_a_request_that_goes_wrong_does_not_end_the_cluster(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(name: str, options: Mapping[str, Any]) -> str:
        return f"did {options['times'] + 1}"

    folder = _folder(folders, "fdd-1")
    async with serving(folder, {"fault": fail}):
        with pytest.raises(ClusterError, match=r"^This failed in the cluster, whose log has more: TypeError: "):
            await ask(str(folder / "kubeconfig"), "heal", {"times": "one"})
        assert await ask(str(folder / "kubeconfig"), "heal", {"times": 1}) == "did 2"
    assert "Request failed" in capsys.readouterr().err


async def test_a_cluster_that_does_not_answer(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(name: str, options: Mapping[str, Any]) -> str:
        await asyncio.Event().wait()
        return "never"

    monkeypatch.setitem(control._QUICK_SECONDS, "status", 0.01)
    folder = _folder(folders, "fdd-4711-ab")
    async with serving(folder, {"command": never}):
        with pytest.raises(ClusterError) as caught:
            await command(folder / CONTROL_SOCKET, "status", {})
    assert str(caught.value).replace(str(folders), "...") == (
        "The cluster in .../fdd-4711-ab did not answer within 0.01 s: its process may be stopped; "
        "end it with 'kill -9 4711'"
    )


def test_folders_that_go_away_while_clusters_are_looked_for(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [folders / "fdd-1", folders / "fdd-gone"]
    found[0].mkdir()
    monkeypatch.setattr(Path, "glob", lambda *_: iter(found))
    assert running_folders(str(folders)) == []
