"""The sub-command ``status``: one report, or one after each change until Ctrl-C."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final

from fake_dra_driver import __version__
from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ForbiddenError, NotFoundError
from fake_dra_driver.settings import colors_wanted
from fake_dra_driver.standardstreams import until_reader_gone
from fake_dra_driver.status.build import Reporter
from fake_dra_driver.status.reporteddriver import ReportedDriver
from fake_dra_driver.status.screen import ReportScreen, Style
from fake_dra_driver.status.settings import StatusSettings
from fake_dra_driver.status.table import Detail
from fake_dra_driver.status.view import (
    CannotReportError,
    ClusterView,
    availability_of,
    check_namespace,
    find_api,
    find_namespace,
    nodes_are_hidden,
)

__all__ = ["run_status", "watch"]

DEFAULT_SERVER: Final = "http://localhost:8080"
"""Where kubectl looks when nothing names a server: ``kubectl proxy --port=8080`` listens there."""
SETTLE_SECONDS: Final = 0.3
"""Changes within this time share a report: the start of one pod is a dozen of them."""
REDRAW_SECONDS: Final = 5.0
"""How often a terminal is redrawn without any change, so that ages are right."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def run_status(settings: StatusSettings) -> int:
    """Reports once, or until SIGINT or SIGTERM. Returns the exit status.

    Raises:
        CannotReportError: the cluster cannot be reported on.
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    detail = Detail.ALL if settings.details else Detail.DEVICES if settings.nodes else Detail.SHORT
    is_colored = settings.color == "always" or (
        settings.color == "auto" and colors_wanted(is_terminal=sys.stdout.isatty())
    )
    screen = ReportScreen(sys.stdout, Style(settings.output, detail, is_colored))
    timeout_seconds = settings.api_timeout_seconds
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"fake-dra-status/{__version__}",
        default_timeout_seconds=timeout_seconds,
        default_server=DEFAULT_SERVER,
    )
    try:
        api = await find_api(client)
        driver = await _driver(client, settings.driver_name, api, timeout_seconds)
        namespace = settings.namespace or await find_namespace(client, driver)
        cache = Cache(client)
        hidden = await nodes_are_hidden(client, timeout_seconds)
        faults = await availability_of(client, DeviceFault, timeout_seconds) if driver.has_faults else "absent"
        view = ClusterView.of(driver, cache, client, api, namespace, nodes_hidden=hidden, faults=faults)
        await view.load(client, timeout_seconds)
        if settings.namespace and not any(map(driver.includes, view.states.list())) and not view.states.invalid():
            await check_namespace(client, driver, settings.namespace)
        _check_nodes(settings.nodes, view)
        reporter = Reporter(view, namespace or "", settings.nodes)
        if settings.watch:
            with _interruptible() as stopped:
                await watch(cache, view, reporter, screen, stopped)
        else:
            await screen.write(reporter.report())
    finally:
        await client.close()
    return 0


async def _driver(client: Client, name: str, api: DraApi, timeout_seconds: float) -> ReportedDriver[Any, Any]:
    """What is known of a driver; of those that are not here, as much as they say themselves.

    The driver of mock devices may run under any name. Every other one has a kind of its own for its nodes.

    Raises:
        CannotReportError: it runs under several names, and under none that was asked for.
    """
    is_default = name == NAMES.driver
    if is_default or DriverNames.of(name).state_group not in await client.discovery.group_names():
        from fake_dra_driver.status.ourdriver import OurDriver

        running = await _releases(client)
        if is_default and running and name not in running:
            if len(running) > 1:
                options = " or ".join(f"--driver-name {each}" for each in running)
                raise CannotReportError(f"no node has devices of {name}: use {options}")
            (name,) = running
        if is_default or name in running:
            # In classic DRA, parameters are objects of their own.
            is_read = api.structured is not None
            profiles = await availability_of(client, DeviceProfile, timeout_seconds) if is_read else "absent"
            return OurDriver(name, profiles)
    from fake_dra_driver.status.anydriver import AnyDriver

    return AnyDriver(name)


async def _releases(client: Client) -> Sequence[str]:
    """The names under which the driver of mock devices has nodes, as far as that can be found out."""
    from fake_dra_driver.status.ourdriver import release_of

    try:
        listed = await client.list(NodeAllocationState)
    except (ForbiddenError, NotFoundError):  # what is read next says so, or can be read
        return ()
    return sorted({*map(release_of, listed.items)} | ({NAMES.driver} if listed.invalid else set()))


def _check_nodes(nodes: Sequence[str], view: ClusterView[Any, Any]) -> None:
    known = [state.metadata.name for state in view.states.list()] + [error.key.name for error in view.states.invalid()]
    for node in nodes:
        if node not in known:
            close = get_close_matches(node, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            if view.nodes.exists(node) is False:
                raise CannotReportError(f"there is no node {node}{hint}")
            raise CannotReportError(
                f"node {node} has no NodeAllocationState: no kubelet plugin of this driver runs there{hint}"
            )


@contextmanager
def _interruptible() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, as long as the block runs."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def watch(
    cache: Cache,
    view: ClusterView[Any, Any],
    reporter: Reporter[Any, Any],
    screen: ReportScreen,
    stopped: asyncio.Event,
) -> None:
    """Shows a report at once and after each change, until ``stopped``.

    Raises:
        ReaderGoneError: the program at the other end of a pipe has ended; noticed at once, also while nothing changes.
        StandardOutputError: the output cannot be written.
    """
    changed = asyncio.Event()

    async def draw() -> None:
        await screen.enter()
        try:
            while True:
                changed.clear()
                await screen.show(reporter.report(), cache.trouble)
                await _wait(changed, REDRAW_SECONDS if screen.is_terminal else None)
        finally:
            await screen.leave()

    view.subscribe(changed.set)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run(), name="cache")
        drawing = group.create_task(draw(), name="screen")
        reading = group.create_task(until_reader_gone(screen.stream), name="reader")
        await stopped.wait()
        for task in (running, drawing, reading):
            task.cancel()


async def _wait(changed: asyncio.Event, timeout_seconds: float | None) -> None:
    """Waits for a change and those that come with it, or until the timeout."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await changed.wait()
    except TimeoutError:
        return
    await asyncio.sleep(SETTLE_SECONDS)
