"""The commands ``device fault``, ``device heal`` and ``device list``."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from fake_dra_driver import __version__
from fake_dra_driver.api.condition import ObjectCondition
from fake_dra_driver.api.devicefault import ACTIVE, DeviceFault
from fake_dra_driver.api.fake import DRIVER_ANNOTATION, DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.devicefault.manifest import CannotFaultError, manifest_of
from fake_dra_driver.devicefault.settings import FaultSettings, HealSettings, ListSettings
from fake_dra_driver.devicefault.table import FaultList, table
from fake_dra_driver.documenttext import json_text, yaml_text
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from fake_dra_driver.settings import colors_wanted
from fake_dra_driver.status.faults import fault_report
from fake_dra_driver.tablelayout import Layout
from fake_dra_driver.untrustedtext import one_line
from fake_dra_driver.yamldumper import dump_yaml

__all__ = ["run_fault", "run_heal", "run_list"]

DEFAULT_SERVER: Final = "http://localhost:8080"
"""Where kubectl looks when nothing names a server: ``kubectl proxy --port=8080`` listens there."""
_POLL_SECONDS: Final = 0.25
_WAITING: Final = "Waiting"
"""Reason of the condition as long as it is not known what the fault does."""
_WRONG: Final = frozenset({"NothingMatches", "Problem"})
"""Reasons of the condition of a fault that does not do what was meant."""
_NOTHING_SAID: Final = "the driver's controller has not yet said what it does"
_NO_KIND: Final = (
    "the cluster does not know DeviceFaults: apply the CRDs of this release, "
    f"{DeviceFault.resource.plural}.{DeviceFault.resource.group} among them"
)


async def run_fault(settings: FaultSettings) -> int:
    """Makes a DeviceFault, and says what it does. Returns the exit status: 1 when it does not do what was meant.

    Raises:
        CannotFaultError: what is asked for makes no sense, or the cluster has no DeviceFaults.
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    manifest = manifest_of(settings)
    if settings.dry_run:
        await _print(dump_yaml(manifest))
        return 0
    async with _connected(settings.kubeconfig, settings.api_timeout_seconds) as client:
        await _check_driver(client, settings.driver_name)
        fault = await _create(client, manifest)
        active = await _judged(client, fault.key, settings.wait_seconds)
    name, is_wrong = fault.metadata.name, active is not None and active.reason in _WRONG
    said = _NOTHING_SAID if active is None else one_line(f"{active.reason}: {active.message}")
    await _print(f"DeviceFault {name} created: {said}\n")
    if is_wrong:
        await _print(f"It stays until it is healed: device heal {name}\n")
    return int(is_wrong)


async def run_heal(settings: HealSettings) -> int:
    """Deletes DeviceFaults. Returns the exit status.

    Raises:
        CannotFaultError: none is named, or there is none of a name.
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    if bool(settings.names) == settings.all:
        raise CannotFaultError("name the DeviceFaults to heal, or give --all")
    async with _connected(settings.kubeconfig, settings.api_timeout_seconds) as client:
        known = [fault.metadata.name for fault in await _faults_of(client, settings.driver_name)]
        for name in settings.names:
            if name not in known:
                raise CannotFaultError(_no_such(name, known, settings.driver_name))
        healed = known if settings.all else settings.names
        for name in healed:
            try:
                await client.delete(DeviceFault, NamespacedName("", name))
            except NotFoundError:
                continue  # it has just been healed by another hand
            await _print(f"DeviceFault {name} deleted\n")
    if not healed:
        await _print(f"driver {settings.driver_name} has no DeviceFaults\n")
    return 0


async def run_list(settings: ListSettings) -> int:
    """Lists DeviceFaults. Returns the exit status.

    Raises:
        CannotFaultError: the cluster has no DeviceFaults.
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    async with _connected(settings.kubeconfig, settings.api_timeout_seconds) as client:
        found = await _faults_of(client, settings.driver_name)
    faults = FaultList(driver=settings.driver_name, faults=tuple(map(fault_report, found)))
    await _print(_text(faults, settings))
    return 0


def _text(faults: FaultList, settings: ListSettings) -> str:
    if settings.output == "json":
        return json_text(faults)
    if settings.output == "yaml":
        return yaml_text(faults)
    is_terminal = sys.stdout.isatty()
    is_colored = settings.color == "always" or (settings.color == "auto" and colors_wanted(is_terminal=is_terminal))
    columns = shutil.get_terminal_size().columns if is_terminal else None
    return table(faults, datetime.now(UTC), Layout(columns, is_colored))


@asynccontextmanager
async def _connected(kubeconfig: str, timeout_seconds: float) -> AsyncIterator[Client]:
    client = await Client.connect(
        kubeconfig=kubeconfig or None,
        user_agent=f"fake-dra-device/{__version__}",
        default_timeout_seconds=timeout_seconds,
        default_server=DEFAULT_SERVER,
    )
    try:
        yield client
    finally:
        await client.close()


async def _check_driver(client: Client, driver: str) -> None:
    """Raises CannotFaultError where nodes have devices of other drivers alone: none would look at the fault."""
    try:
        states = (await client.list(NodeAllocationState)).items
    except (NotFoundError, ForbiddenError):
        return  # it is not known then
    drivers = sorted({state.metadata.annotations.get(DRIVER_ANNOTATION, DRIVER_NAME) for state in states})
    if drivers and driver not in drivers:
        raise CannotFaultError(
            f"no node has devices of driver {driver}: name one that has with --driver-name: {', '.join(drivers)}"
        )


async def _create(client: Client, manifest: Mapping[str, Any]) -> DeviceFault:
    fault = DeviceFault.from_wire(manifest)
    try:
        return await client.create(fault)
    except NotFoundError as error:
        raise CannotFaultError(_NO_KIND) from error
    except AlreadyExistsError as error:
        name = fault.metadata.name
        raise CannotFaultError(
            f"there is a DeviceFault {name} already: choose another --name, or heal it: device heal {name}"
        ) from error


async def _judged(client: Client, key: NamespacedName, wait_seconds: float) -> ObjectCondition | None:
    """What the controller says of a fault, as soon as it knows what it does; None: it has said nothing in time."""
    active = None
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            while True:
                fault = await client.get(DeviceFault, key)
                conditions = () if fault.status is None else fault.status.conditions
                active = next((each for each in conditions if each.type == ACTIVE), None)
                if active is not None and active.reason != _WAITING:
                    break
                await asyncio.sleep(_POLL_SECONDS)
    return active


async def _faults_of(client: Client, driver: str) -> Sequence[DeviceFault]:
    try:
        found = (await client.list(DeviceFault)).items
    except NotFoundError as error:
        raise CannotFaultError(_NO_KIND) from error
    return sorted((fault for fault in found if fault.spec.driver_name == driver), key=lambda fault: fault.metadata.name)


def _no_such(name: str, known: Sequence[str], driver: str) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        hint = f"; did you mean {close[0]}?"
    else:
        hint = f"; there are {', '.join(known)}" if known else "; there are none"
    return f"driver {driver} has no DeviceFault {name}{hint}"


async def _print(text: str) -> None:
    await in_thread(_write, text)  # writing blocks while no one reads the other end of a pipe


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
