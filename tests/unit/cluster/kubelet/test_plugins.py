"""Plugins: found by their sockets, asked, registered or refused, and forgotten when their sockets go."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.dra.calls import ClaimRequest, PluginError
from fake_dra_driver.cluster.kubelet.dra.plugins import PluginRegistry
from fake_dra_driver.cluster.kubelet.dra.socketfolders import SocketFolders
from fake_dra_driver.cluster.releases import DEFAULT
from tests.unit.cluster.kubelet.standin import StandInPlugin
from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import DRIVER

FOLDER = "var/lib/kubelet/plugins_registry"


@contextlib.asynccontextmanager
async def registry_of(root: Path) -> AsyncIterator[PluginRegistry]:
    async with SocketFolders(poll_seconds=0.01) as folders:
        registry = PluginRegistry(root / FOLDER, DEFAULT, folders)
        task = asyncio.create_task(registry.run())
        try:
            yield registry
        finally:
            task.cancel()
            await asyncio.wait((task,))


async def test_a_plugin_is_registered_and_hears_of_it(root: Path) -> None:
    async with registry_of(root) as registry, StandInPlugin(root).running() as plugin:
        await plugin.registered()
        assert plugin.statuses == [(True, "")]
        assert registry.drivers() == [DRIVER]
        assert registry.client("other") is None


async def test_a_plugin_is_found_that_was_there_before_and_in_a_folder_below(root: Path) -> None:
    async with StandInPlugin(root, socket="below/reg.sock").running() as plugin, registry_of(root):
        await plugin.registered()
        assert plugin.statuses == [(True, "")]


async def test_a_plugin_whose_socket_is_gone_is_forgotten_and_comes_back_with_a_new_one(root: Path) -> None:
    async with registry_of(root) as registry:
        async with StandInPlugin(root).running() as plugin:
            await plugin.registered()
            client = registry.client(DRIVER)
        await until(lambda: registry.drivers() == [])
        async with StandInPlugin(root).running() as successor:
            await successor.registered()
            assert registry.drivers() == [DRIVER]
            again = registry.client(DRIVER)
            assert again is not None
            assert again is not client
            await again.prepare([ClaimRequest("default", "a", UID("u"), "h")])
            assert successor.verbs == [("NodePrepareResources", ["a"])]


async def test_a_socket_that_is_replaced_by_another_is_registered_again(root: Path) -> None:
    async with registry_of(root), StandInPlugin(root).running() as plugin:
        await plugin.registered()
        (root / FOLDER / f"{DRIVER}.sock").unlink()
        async with StandInPlugin(root).running() as successor:
            await successor.registered()
            assert successor.statuses == [(True, "")]


@pytest.mark.parametrize(
    ("versions", "text"),
    [(["2.0.0"], "supports no version"), ([], "supports no version"), (["v1.DRAPlugin", "1"], "supports no version")],
)
async def test_a_plugin_of_an_unknown_version_is_refused(root: Path, versions: list[str], text: str) -> None:
    plugin = StandInPlugin(root)
    plugin.versions = versions
    async with registry_of(root) as registry, plugin.running():
        await plugin.registered()
        registered, error = plugin.statuses[0]
        assert not registered
        assert text in error
        assert registry.drivers() == []


async def test_versions_that_do_not_parse_are_passed_over(root: Path) -> None:
    plugin = StandInPlugin(root)
    plugin.versions = ["v1.DRAPlugin", "1.0.0"]
    async with registry_of(root), plugin.running():
        await plugin.registered()
        assert plugin.statuses == [(True, "")]


async def test_a_plugin_of_another_type_is_refused(root: Path) -> None:
    plugin = StandInPlugin(root)
    plugin.type = "CSIPlugin"
    async with registry_of(root), plugin.running():
        await plugin.registered()
        assert not plugin.statuses[0][0]
        assert "no handler is registered for plugins of type 'CSIPlugin'" in plugin.statuses[0][1]


async def test_a_plugin_that_does_not_want_to_be_registered_is_not_and_is_asked_again(root: Path) -> None:
    plugin = StandInPlugin(root)
    plugin.refuses_notify = True
    async with registry_of(root) as registry, plugin.running():
        await plugin.registered()
        await until(lambda: registry.drivers() == [])
        plugin.refuses_notify = False
        await plugin.registered(2)
        assert registry.drivers() == [DRIVER]


async def test_a_second_plugin_of_a_name_waits_until_the_first_is_gone(root: Path) -> None:
    async with (
        registry_of(root) as registry,
        StandInPlugin(root).running() as first,
        StandInPlugin(root, socket="second.sock").running() as second,
    ):
        await second.registered()
        await first.registered()
        (winner, loser) = (first, second) if first.statuses[0][0] else (second, first)
        assert winner.statuses[0] == (True, "")
        assert not loser.statuses[0][0]
        assert f"another DRA plugin named {DRIVER} is registered" in loser.statuses[0][1]
        assert registry.drivers() == [DRIVER]


async def test_a_plugin_of_a_higher_version_takes_the_place_of_one_that_is_there(root: Path) -> None:
    async with registry_of(root) as registry, StandInPlugin(root).running() as first:
        await first.registered()
        second = StandInPlugin(root, socket="second.sock")
        second.versions = ["1.1.0"]
        async with second.running():
            await second.registered()
            assert second.statuses == [(True, "")]
            client = registry.client(DRIVER)
            assert client is not None
            await client.prepare([ClaimRequest("default", "a", UID("u"), "h")])
            assert (first.calls, len(second.calls)) == ([], 1)


async def test_other_files_and_hidden_sockets_are_ignored_and_a_dead_socket_does_no_harm(root: Path) -> None:
    folder = root / FOLDER
    await asyncio.to_thread(folder.mkdir, parents=True)
    (folder / "file.sock").touch()
    for name in ("dead.sock", ".hidden.sock"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder / name))
    async with registry_of(root) as registry, StandInPlugin(root).running() as plugin:
        await plugin.registered()
        assert registry.drivers() == [DRIVER]


async def test_a_call_to_a_plugin_that_has_died_fails_in_the_words_of_go(root: Path) -> None:
    async with registry_of(root) as registry, StandInPlugin(root).running() as plugin:
        await plugin.registered()
        plugin.failure = grpc.StatusCode.DEADLINE_EXCEEDED
        client = registry.client(DRIVER)
        assert client is not None
        with pytest.raises(PluginError, match="rpc error: code = DeadlineExceeded desc = as the test wants it"):
            await client.prepare([ClaimRequest("default", "a", UID("u"), "h")])
