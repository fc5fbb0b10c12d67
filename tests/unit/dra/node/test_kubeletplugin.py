"""Registration, start, stop and repair of the plugin, with the test in the kubelet's part."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.health import DeviceHealth, Health, HealthReports
from fake_dra_driver.dra.node.interface import CLASSIC, KUBELETS, STRUCTURED, KubeletInterface
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
from fake_dra_driver.dra.node.pluginsockets import PluginSockets
from fake_dra_driver.dra.node.sockets import PathTooLongError, SocketInUseError
from fake_dra_driver.pb import dra_health_v1_pb2 as health_pb2
from fake_dra_driver.pb import dra_health_v1_pb2_grpc as health_grpc
from fake_dra_driver.pb import dra_v1_pb2 as v1
from fake_dra_driver.pb import dra_v1_pb2_grpc as v1_grpc
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc
from fake_dra_driver.pb import plugin_registration_v1_pb2 as registration_pb2
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as registration_grpc
from tests.unit.dra.node.standin import LogWatch, SteeredDriver, ready_lamps

DRIVER_NAME = "fake.example.com"
ClaimT = TypeVar("ClaimT", bound=NodeClaim)
HealthCall = grpc.aio.UnaryStreamCall[health_pb2.NodeWatchResourcesRequest, health_pb2.NodeWatchResourcesResponse]


@pytest.fixture
def sockets(folder: Path) -> PluginSockets:
    return PluginSockets.of(DRIVER_NAME, registry_folder=folder / "registry", plugins_folder=folder / "plugins")


@asynccontextmanager
async def running(
    plugin: KubeletPlugin[ClaimT], log_watch: LogWatch, uid: str = ""
) -> AsyncIterator[asyncio.Task[None]]:
    """The plugin, from the moment at which the kubelet can see it; stopped at the end if it still runs.

    Args:
        plugin: runs.
        log_watch: says when it serves.
        uid: of its pod, where another one may run.
    """
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(plugin.run())
        await log_watch.wait_for("Kubelet plugin is serving", uid)
        try:
            yield task
        finally:
            task.cancel()


def leave_socket(path: Path) -> None:
    """What a killed process leaves behind."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


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


async def test_a_plugin_that_is_withheld_is_unknown_to_the_kubelet_until_it_is_offered_again(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver, check_interval_seconds=0.01)
    async with running(plugin, log_watch):
        await register(sockets)
        plugin.withhold(is_withheld=True)
        await log_watch.wait_for("Deregistered from the kubelet until further notice")
        assert not sockets.registration.exists()
        assert plugin.not_ready_reason() == "the plugin is deregistered from the kubelet on purpose"
        async with grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
            call = v1alpha3.NodePrepareResourcesRequest(claims=[v1alpha3.Claim(namespace="n", uid="a", name="c")])
            answer = await v1alpha3_grpc.NodeStub(channel).NodePrepareResources(call)
        assert list(answer.claims["a"].cdi_devices) != [], "calls that come all the same are served"
        assert not sockets.registration.exists(), "nor do the regular looks at the sockets offer it"
        plugin.withhold(is_withheld=False)
        await log_watch.wait_for("Offered to the kubelet again")
        assert "has not registered" in (plugin.not_ready_reason() or "")
        await register(sockets)
        assert plugin.not_ready_reason() is None


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
        leave_socket(path)
    plugin = KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver)
    async with running(plugin, log_watch):
        await register(sockets)
        assert plugin.not_ready_reason() is None


async def test_only_the_folder_of_the_plugin_itself_is_closed_to_other_users(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    for path in (sockets.registration, sockets.plugin):
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o755)
    async with running(KubeletPlugin(DRIVER_NAME, sockets, CLASSIC, driver), log_watch):
        modes = [stat.S_IMODE(path.parent.stat().st_mode) for path in (sockets.registration, sockets.plugin)]
    assert modes == [0o755, 0o750]


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


# --- Health ---


@pytest.fixture
def health() -> HealthReports:
    reports = HealthReports()
    reports.report([DeviceHealth("study", "lamp-0", Health.HEALTHY, datetime(2026, 5, 1, tzinfo=UTC))])
    return reports


@asynccontextmanager
async def watching(sockets: PluginSockets) -> AsyncIterator[HealthCall]:
    """A stream from which the kubelet has read the first message."""
    async with grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
        call = health_grpc.DRAResourceHealthStub(channel).NodeWatchResources(health_pb2.NodeWatchResourcesRequest())
        message = await call.read()
        assert isinstance(message, health_pb2.NodeWatchResourcesResponse)
        assert [device.device.device_name for device in message.devices] == ["lamp-0"]
        yield call


async def test_health_is_served_and_named_where_the_driver_reports_it(
    sockets: PluginSockets, driver: SteeredDriver, health: HealthReports, log_watch: LogWatch
) -> None:
    named = ["v1.DRAPlugin", "v1beta1.DRAPlugin", "v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth", "1.0.0"]
    async with running(KubeletPlugin(DRIVER_NAME, sockets, KUBELETS, driver, health=health), log_watch):
        assert list((await register(sockets)).supported_versions) == named
        async with watching(sockets):
            pass


async def test_without_health_nothing_is_said_of_it(
    sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    async with running(KubeletPlugin(DRIVER_NAME, sockets, KUBELETS, driver), log_watch):
        info = await register(sockets)
        assert list(info.supported_versions) == ["v1.DRAPlugin", "v1beta1.DRAPlugin", "1.0.0"]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async with watching(sockets):
                pass
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_stream_does_not_hold_up_the_stop(
    sockets: PluginSockets, driver: SteeredDriver, health: HealthReports, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(DRIVER_NAME, sockets, KUBELETS, driver, health=health, grace_seconds=60)
    async with asyncio.timeout(10), running(plugin, log_watch) as task, watching(sockets) as call:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await call.read() is grpc.aio.EOF


async def test_a_stream_does_not_hold_up_the_repair_of_a_socket(
    sockets: PluginSockets, driver: SteeredDriver, health: HealthReports, log_watch: LogWatch
) -> None:
    plugin = KubeletPlugin(
        DRIVER_NAME, sockets, KUBELETS, driver, health=health, grace_seconds=60, check_interval_seconds=0.01
    )
    async with asyncio.timeout(10), running(plugin, log_watch), watching(sockets) as call:
        sockets.plugin.unlink()
        assert await call.read() is grpc.aio.EOF
        await log_watch.wait_for("Socket is served again", str(sockets.plugin))
        async with watching(sockets):
            pass


# --- Rolling update ---

OLD = "11111111-1111-1111-1111-111111111111"
NEW = "22222222-2222-2222-2222-222222222222"


@pytest.fixture
def old(folder: Path) -> PluginSockets:
    return shared_sockets(folder, OLD)


@pytest.fixture
def new(folder: Path) -> PluginSockets:
    return shared_sockets(folder, NEW)


def shared_sockets(folder: Path, uid: str) -> PluginSockets:
    return PluginSockets.of(
        DRIVER_NAME, registry_folder=folder / "registry", plugins_folder=folder / "plugins", pod_uid=uid
    )


async def prepare(sockets: PluginSockets, uid: str) -> str:
    """The error of the claim; none when it is prepared."""
    async with grpc.aio.insecure_channel(f"unix:{sockets.plugin}") as channel:
        response = await v1_grpc.DRAPluginStub(channel).NodePrepareResources(
            v1.NodePrepareResourcesRequest(claims=[v1.Claim(namespace="n", uid=uid, name="c")])
        )
    return response.claims[uid].error


async def test_the_old_and_the_new_instance_serve_at_the_same_time(
    old: PluginSockets, new: PluginSockets, log_watch: LogWatch
) -> None:
    first, second = (KubeletPlugin(DRIVER_NAME, each, STRUCTURED, SteeredDriver()) for each in (old, new))
    async with running(first, log_watch, OLD) as task:
        assert not await first.has_successor()
        os.utime(old.registration, (1_000, 1_000))  # the clock of file systems has ticks of some milliseconds
        async with running(second, log_watch, NEW):
            assert (await register(old)).endpoint != (await register(new)).endpoint
            assert await first.has_successor()
            assert (await first.is_superseded(), await second.is_superseded()) == (True, False)
            assert await prepare(old, "a") == await prepare(new, "b") == ""
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not old.registration.exists()
            assert not old.plugin.exists()
            assert await prepare(new, "c") == ""
            assert not await second.has_successor()
    assert not new.registration.exists()
    assert not new.plugin.exists()


async def test_an_instance_with_a_successor_answers_its_calls_before_it_deregisters(
    old: PluginSockets, new: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    """Kubelets since 1.33 close the connection when the registration socket is gone, and the pod sees an error."""
    gate = driver.hold_up("a")
    first, second = (KubeletPlugin(DRIVER_NAME, each, STRUCTURED, driver) for each in (old, new))
    async with running(first, log_watch, OLD) as task, running(second, log_watch, NEW):
        call = asyncio.ensure_future(prepare(old, "a"))
        await driver.wait_started("a")
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=0.3)
        assert not ended
        assert old.registration.exists()
        gate.set()
        assert await call == ""
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not old.registration.exists()


async def test_an_instance_whose_calls_never_end_stops_all_the_same(
    old: PluginSockets, new: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    driver.hold_up("a")
    first = KubeletPlugin(DRIVER_NAME, old, STRUCTURED, driver, grace_seconds=0.2)
    second = KubeletPlugin(DRIVER_NAME, new, STRUCTURED, SteeredDriver())
    async with running(first, log_watch, OLD) as task, running(second, log_watch, NEW):
        call = asyncio.ensure_future(prepare(old, "a"))
        await driver.wait_started("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_a_successor_that_was_killed_is_not_left_to_the_kubelet(
    old: PluginSockets, new: PluginSockets, log_watch: LogWatch
) -> None:
    """The update is called off, and nothing starts any more that would remove what it has left."""
    plugin = KubeletPlugin(DRIVER_NAME, old, STRUCTURED, SteeredDriver(), check_interval_seconds=0.01)
    async with running(plugin, log_watch, OLD):
        for path in (new.plugin, new.registration):
            leave_socket(path)
            await log_watch.wait_for("Removing the socket of a dead instance", str(path))
        assert await prepare(old, "a") == ""
    left = [*old.registration.parent.iterdir(), *old.plugin.parent.iterdir()]
    assert left == []


async def test_an_instance_registers_while_it_waits_for_the_folder(
    new: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    """A predecessor that holds the folder for its whole life is stopped only once this instance is ready."""
    lock = FolderLock(new.plugin.parent)
    is_started = False

    async def start() -> None:
        nonlocal is_started
        async with lock.hold():
            is_started = True

    plugin = KubeletPlugin(DRIVER_NAME, new, STRUCTURED, driver, start=start, lock=lock)
    async with AsyncExitStack() as predecessor:
        await predecessor.enter_async_context(FolderLock(new.plugin.parent).keep())
        async with running(plugin, log_watch):
            await register(new)
            assert plugin.not_ready_reason() is None
            call = asyncio.ensure_future(prepare(new, "a"))
            answered, _ = await asyncio.wait({call}, timeout=0.3)
            assert not answered
            assert not driver.log
            await predecessor.aclose()
            assert await call == ""
            assert is_started


async def test_an_instance_that_waits_for_the_folder_can_be_stopped(
    new: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    lock = FolderLock(new.plugin.parent)

    async def start() -> None:
        async with lock.hold():
            raise AssertionError("the predecessor still has the folder")

    plugin = KubeletPlugin(DRIVER_NAME, new, STRUCTURED, driver, start=start, lock=lock, grace_seconds=0.1)
    async with FolderLock(new.plugin.parent).keep():
        async with running(plugin, log_watch) as task:
            call = asyncio.ensure_future(prepare(new, "a"))
            answered, _ = await asyncio.wait({call}, timeout=0.1)
            assert not answered
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        assert not new.registration.exists()
    assert not driver.log


async def test_a_start_that_fails_ends_an_instance_that_serves_already(
    new: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    may_fail = asyncio.Event()

    async def start() -> None:
        await may_fail.wait()
        raise OSError("Read-only file system")

    run = asyncio.ensure_future(KubeletPlugin(DRIVER_NAME, new, STRUCTURED, driver, start=start).run())
    await log_watch.wait_for("Kubelet plugin is serving")
    may_fail.set()
    with pytest.raises(OSError, match="Read-only file system"):
        await run
    assert not new.registration.exists()
    assert not new.plugin.exists()


async def test_sockets_of_killed_instances_are_removed_at_the_start(
    old: PluginSockets, new: PluginSockets, sockets: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    dead = [old.registration, old.plugin, sockets.registration, sockets.plugin]
    for path in dead:
        path.parent.mkdir(parents=True, exist_ok=True)
        leave_socket(path)
    async with running(KubeletPlugin(DRIVER_NAME, new, STRUCTURED, driver), log_watch):
        assert not any(path.exists() for path in dead)
        await register(new)


async def test_a_successor_that_cannot_be_looked_for_is_taken_for_none(
    old: PluginSockets, driver: SteeredDriver, log_watch: LogWatch
) -> None:
    old.registration.parent.touch()
    assert not await KubeletPlugin(DRIVER_NAME, old, STRUCTURED, driver).has_successor()
    await log_watch.wait_for("WARNING Cannot find out whether another instance serves", "Not a directory")
