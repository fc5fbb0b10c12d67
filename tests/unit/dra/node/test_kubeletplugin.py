"""Registration, start, stop and repair of the plugin, with the test in the kubelet's part."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.interface import CLASSIC, KubeletInterface
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin, PluginSockets
from fake_dra_driver.dra.node.sockets import PathTooLongError, SocketInUseError
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc
from fake_dra_driver.pb import plugin_registration_v1_pb2 as registration_pb2
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as registration_grpc
from tests.unit.dra.node.standin import LogWatch, SteeredDriver, ready_lamps

DRIVER_NAME = "fake.example.com"
ClaimT = TypeVar("ClaimT", bound=NodeClaim)


@pytest.fixture
def sockets(folder: Path) -> PluginSockets:
    return PluginSockets.of(DRIVER_NAME, registry_folder=folder / "registry", plugins_folder=folder / "plugins")


@asynccontextmanager
async def running(plugin: KubeletPlugin[ClaimT], log_watch: LogWatch) -> AsyncIterator[asyncio.Task[None]]:
    """The plugin, from the moment at which the kubelet can see it; stopped at the end if it still runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(plugin.run())
        await log_watch.wait_for("Kubelet plugin is serving")
        try:
            yield task
        finally:
            task.cancel()


async def register(
    sockets: PluginSockets, status: registration_pb2.RegistrationStatus | None = None
) -> registration_pb2.PluginInfo:
    """Does what the kubelet does when it sees the registration socket."""
    async with grpc.aio.insecure_channel(f"unix:{sockets.registration}") as channel:
        registrar = registration_grpc.RegistrationStub(channel)
        info = await registrar.GetInfo(registration_pb2.InfoRequest(), timeout=1)
        await registrar.NotifyRegistrationStatus(
            status or registration_pb2.RegistrationStatus(plugin_registered=True), timeout=5
        )
        return info


def test_the_default_paths_are_those_of_the_go_driver() -> None:
    sockets = PluginSockets.of("fake.resource.3-shake.com")
    assert str(sockets.registration) == "/var/lib/kubelet/plugins_registry/fake.resource.3-shake.com.sock"
    assert str(sockets.plugin) == "/var/lib/kubelet/plugins/fake.resource.3-shake.com/plugin.sock"


def test_every_part_of_the_paths_can_be_set() -> None:
    sockets = PluginSockets.of(
        "d",
        registry_folder=Path("/r"),
        plugins_folder=Path("/p"),
        registration_socket_name="r.sock",
        plugin_socket_name="p.sock",
    )
    assert (sockets.registration, sockets.plugin) == (Path("/r/r.sock"), Path("/p/d/p.sock"))


async def test_the_kubelet_registers_the_plugin_and_calls_it(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    assert plugin.not_ready_reason() == "the sockets are not served"
    async with running(plugin, log_watch):
        assert "has not registered" in (plugin.not_ready_reason() or "")
        info = await register(sockets)
        assert (info.type, info.name, info.endpoint) == ("DRAPlugin", DRIVER_NAME, str(sockets.plugin))
        assert list(info.supported_versions) == ["1.0.0"]
        assert plugin.not_ready_reason() is None
        async with grpc.aio.insecure_channel(f"unix:{info.endpoint}") as channel:
            new = await v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
                v1alpha3.NodePrepareResourcesRequest(claims=[v1alpha3.Claim(namespace="n", uid="a", name="c")])
            )
            old = await v1alpha2_grpc.NodeStub(channel).NodePrepareResource(
                v1alpha2.NodePrepareResourceRequest(namespace="n", claim_uid="a", claim_name="c")
            )
        assert list(new.claims["a"].cdi_devices) == list(old.cdi_devices) != []
    assert plugin.not_ready_reason() == "the sockets are not served"
    assert not sockets.registration.exists()
    assert not sockets.plugin.exists()


async def test_the_plugin_serves_and_registers_its_interface(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    """Another mode of DRA, whose calls name claims by their identity alone."""
    served: list[ClaimCalls[NodeClaim]] = []
    interface = KubeletInterface[NodeClaim](("v9.DRAPlugin",), lambda _server, calls: served.append(calls))
    async with running(KubeletPlugin(DRIVER_NAME, sockets, interface, driver), log_watch):
        assert list((await register(sockets)).supported_versions) == ["v9.DRAPlugin"]
        (calls,) = served
        claim = NodeClaim("n", "c", UID("a"))
        assert await calls.run("prepare", [claim], None) == {"a": ready_lamps("a")}
    assert driver.prepared == {"a": claim}


async def test_the_start_hook_runs_before_the_kubelet_can_call(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    seen = []

    async def start() -> None:
        seen.append((sockets.plugin.parent.is_dir(), sockets.plugin.exists(), sockets.registration.exists()))

    async with running(KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver, start=start), log_watch):
        assert seen == [(True, False, False)]


async def test_a_restarted_kubelet_registers_the_plugin_again(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    async with running(plugin, log_watch):
        assert await register(sockets) == await register(sockets)
        assert plugin.not_ready_reason() is None


async def test_a_refused_registration_is_an_error_until_it_is_accepted(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    async with running(plugin, log_watch):
        await register(sockets, registration_pb2.RegistrationStatus(error="another plugin has that name"))
        assert plugin.not_ready_reason() == "the kubelet refused the registration: another plugin has that name"
        (entry,) = [line for line in log_watch.lines if line.startswith("ERROR")]
        assert "another plugin has that name" in entry
        await register(sockets, registration_pb2.RegistrationStatus())
        assert plugin.not_ready_reason() == "the kubelet refused the registration: no reason given"
        await register(sockets)
        assert plugin.not_ready_reason() is None


async def test_stopping_deregisters_first_and_lets_calls_in_flight_finish(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    gate = driver.hold_up("a")
    async with running(plugin, log_watch) as task, grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
        call = asyncio.ensure_future(
            v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
                v1alpha3.NodePrepareResourcesRequest(claims=[v1alpha3.Claim(namespace="n", uid="a", name="c")])
            )
        )
        await driver.wait_started("a")
        task.cancel()
        await log_watch.wait_for("Deregistered")
        assert not sockets.registration.exists()
        assert sockets.plugin.exists()
        assert not task.done()
        gate.set()
        assert list((await call).claims["a"].cdi_devices)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not sockets.plugin.exists()


async def test_stopping_waits_no_longer_than_the_grace_period(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver, grace_seconds=0.1)
    driver.hold_up("a")
    async with running(plugin, log_watch) as task, grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
        call = asyncio.ensure_future(
            v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
                v1alpha3.NodePrepareResourcesRequest(claims=[v1alpha3.Claim(namespace="n", uid="a", name="c")])
            )
        )
        await driver.wait_started("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert driver.busy == set()
    assert not sockets.plugin.exists()


async def test_work_without_a_caller_is_finished_before_stopping(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    gate = driver.hold_up("a")
    async with running(plugin, log_watch) as task:
        async with grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
            call = asyncio.ensure_future(
                v1alpha2_grpc.NodeStub(channel).NodePrepareResource(
                    v1alpha2.NodePrepareResourceRequest(namespace="n", claim_uid="a", claim_name="c")
                )
            )
            await driver.wait_started("a")
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call
        task.cancel()
        await log_watch.wait_for("Deregistered")
        assert not sockets.registration.exists()
        ended, _ = await asyncio.wait({task}, timeout=0.3)
        assert not ended, "the work goes on, though no caller waits for its answer"
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert set(driver.prepared) == {"a"}


async def test_sockets_left_by_a_killed_instance_are_replaced(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    for path in (sockets.registration, sockets.plugin):
        path.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    async with running(plugin, log_watch):
        await register(sockets)
        assert plugin.not_ready_reason() is None


async def test_a_second_instance_ends_with_a_clear_error_and_harms_nothing(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    async with running(KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver), log_watch):
        with pytest.raises(SocketInUseError, match="another kubelet plugin runs on"):
            await KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver).run()
        await register(sockets)


async def test_a_driver_that_ignores_the_lock_is_noticed_too(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    """The Go driver, whose place this one takes, uses the same sockets and knows nothing of the lock."""
    sockets.registration.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sockets.registration))
        listener.listen()
        with pytest.raises(SocketInUseError, match="another process serves"):
            await KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver).run()
    assert sockets.registration.exists()
    assert not sockets.plugin.exists()


async def test_a_path_that_is_too_long_is_an_error_at_the_start(
    folder: Path, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    sockets = PluginSockets.of("x" * 110, registry_folder=folder / "registry", plugins_folder=folder)
    with pytest.raises(PathTooLongError, match="choose a shorter folder or socket name"):
        await KubeletPlugin("x" * 110, sockets, CLASSIC, driver).run()


@pytest.mark.parametrize("which", ["registration", "plugin"])
async def test_a_socket_that_was_deleted_is_served_again(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch, which: str
) -> None:
    restored: list[Path] = []
    plugin = KubeletPlugin(
        DRIVER_NAME, sockets, CLASSIC, driver, check_interval_seconds=0.01, on_socket_restored=restored.append
    )
    path = sockets.registration if which == "registration" else sockets.plugin
    async with running(plugin, log_watch):
        path.unlink()
        await log_watch.wait_for("Socket is served again", str(path))
        info = await register(sockets)
        async with grpc.aio.insecure_channel(f"unix:{info.endpoint}") as channel:
            response = await v1alpha3_grpc.NodeStub(channel).NodePrepareResources(
                v1alpha3.NodePrepareResourcesRequest(claims=[v1alpha3.Claim(namespace="n", uid="a", name="c")])
            )
        assert response.claims["a"].error == ""
    await log_watch.wait_for("WARNING Socket is gone", str(path))
    assert restored == [path]


async def test_a_socket_taken_over_by_another_process_ends_the_plugin(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver, check_interval_seconds=0.01)
    run = asyncio.ensure_future(plugin.run())
    await log_watch.wait_for("Kubelet plugin is serving")
    with socket.socket(socket.AF_UNIX) as listener:
        unseen = sockets.registration.with_name(".other")
        listener.bind(str(unseen))
        listener.listen()
        unseen.rename(sockets.registration)
        with pytest.raises(SocketInUseError, match="another process serves"):
            await run
    assert sockets.registration.exists(), "it is the other's"
    assert not sockets.plugin.exists()
