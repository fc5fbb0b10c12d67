"""A DRA plugin of a made-up driver on real sockets, whose answers a test decides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc
import yaml

from fake_dra_driver.pb import dra_health_v1_pb2_grpc as health_grpc
from fake_dra_driver.pb import dra_v1_pb2 as v1
from fake_dra_driver.pb import dra_v1_pb2_grpc as v1_grpc
from fake_dra_driver.pb import dra_v1alpha2_pb2 as v1alpha2
from fake_dra_driver.pb import dra_v1alpha2_pb2_grpc as v1alpha2_grpc
from fake_dra_driver.pb import dra_v1alpha3_pb2 as v1alpha3
from fake_dra_driver.pb import dra_v1alpha3_pb2_grpc as v1alpha3_grpc
from fake_dra_driver.pb import dra_v1beta1_pb2 as v1beta1
from fake_dra_driver.pb import dra_v1beta1_pb2_grpc as v1beta1_grpc
from fake_dra_driver.pb import plugin_registration_v1_pb2 as registration_pb2
from fake_dra_driver.pb import plugin_registration_v1_pb2_grpc as registration_grpc
from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import DRIVER

__all__ = ["StandInPlugin"]

Context = Any


class StandInPlugin:
    """One plugin: registers, prepares by writing a CDI file for each claim, unprepares by removing it."""

    def __init__(
        self, root: Path, *, name: str = DRIVER, socket: str = "", serves: Sequence[str] = ("v1alpha3",)
    ) -> None:
        self.name = name
        self.versions: list[str] = ["1.0.0"]
        self.type = "DRAPlugin"
        self.refuses_notify = False
        self.statuses: list[tuple[bool, str]] = []
        """What the kubelet has said about the registration."""
        self.calls: list[tuple[str, list[tuple[str, str, str]]]] = []
        """Method, and name, handle and namespace of each claim."""
        self.services: list[str] = []
        """The version of the service of each preparing call, in structured DRA."""
        self.errors: dict[tuple[str, str], str] = {}
        """What to say of a claim, by verb and name of the claim."""
        self.gate = asyncio.Event()
        """Calls wait for it."""
        self.gate.set()
        self.arrived = asyncio.Event()
        """Set by each call that comes in."""
        self.failure: grpc.StatusCode | None = None
        """How calls fail as a whole."""
        self.left_out: set[str] = set()
        """Claims for which there is no answer."""
        self.added: dict[str, str] = {}
        """Answers for claims that were not asked for, by UID."""
        self.writes_cdi = True
        self.requests: tuple[str, ...] = ("",)
        """The requests of each claim, in structured DRA; each has a device of its own."""
        self.health: asyncio.Queue[Any] = asyncio.Queue()
        """Messages for the streams of health, in v1; None ends one. Served with "health" among the services."""
        self.health_streams = 0
        """How many streams of health have been opened."""
        self._serves = serves
        self._cdi = root / "var/run/cdi"
        self._registration = root / "var/lib/kubelet/plugins_registry" / (socket or f"{name}.sock")
        self._endpoint = root / "var/lib/kubelet/plugins" / f"{name}{socket}" / "plugin.sock"

    @property
    def verbs(self) -> list[tuple[str, list[str]]]:
        """Verb and claims of each call."""
        return [(method, [claim[0] for claim in claims]) for method, claims in self.calls]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["StandInPlugin"]:
        """Serves; at the end the sockets go."""
        for path in (self._registration, self._endpoint):
            path.parent.mkdir(parents=True, exist_ok=True)
        node, registrar = grpc.aio.server(), grpc.aio.server()
        if "v1alpha3" in self._serves:
            v1alpha3_grpc.add_NodeServicer_to_server(_V1alpha3(self), node)
        if "v1alpha2" in self._serves:
            v1alpha2_grpc.add_NodeServicer_to_server(_V1alpha2(self), node)
        if "v1beta1" in self._serves:
            v1beta1_grpc.add_DRAPluginServicer_to_server(_V1beta1(self), node)
        if "v1" in self._serves:
            v1_grpc.add_DRAPluginServicer_to_server(_V1(self), node)
        if "health" in self._serves:
            health_grpc.add_DRAResourceHealthServicer_to_server(_Health(self), node)
        registration_grpc.add_RegistrationServicer_to_server(_Registration(self, str(self._endpoint)), registrar)
        node.add_insecure_port(f"unix:{self._endpoint}")
        registrar.add_insecure_port(f"unix:{self._registration}")
        await node.start()
        await registrar.start()
        try:
            yield self
        finally:
            await registrar.stop(0)
            await node.stop(0)
            for path in (self._registration, self._endpoint):
                path.unlink(missing_ok=True)

    async def registered(self, count: int = 1) -> None:
        """Waits until the kubelet has said so that often."""
        await until(lambda: len(self.statuses) >= count)

    async def work(
        self, verb: str, method: str, claims: Sequence[tuple[str, str, str, str]], context: Context
    ) -> dict[str, Any]:
        """Does what a call asks for. For each UID the devices, or an error."""
        self.calls.append((method, [claim[:3] for claim in claims]))
        self.arrived.set()
        await self.gate.wait()
        if self.failure is not None:
            await context.abort(self.failure, "as the test wants it")
        answers: dict[str, Any] = {}
        for name, _, _, uid in claims:
            error = self.errors.get((verb, name))
            if error is None and self.writes_cdi:
                self._write(name) if verb == "prepare" else (self._cdi / f"{name}.yaml").unlink(missing_ok=True)
            if name not in self.left_out:
                answers[uid] = error or [f"{self.name}/dev={name}"]
        return answers

    def _write(self, name: str) -> None:
        self._cdi.mkdir(parents=True, exist_ok=True)
        devices = []
        for request in self.requests:
            device = f"{name}{request and '-'}{request}"
            edits = {"env": [f"DEVICE_{device.upper().replace('-', '_')}={self.name}"]}
            devices.append({"name": device, "containerEdits": edits})
        spec = {"cdiVersion": "0.3.0", "kind": f"{self.name}/dev", "devices": devices}
        (self._cdi / f"{name}.yaml").write_text(yaml.safe_dump(spec))


class _Registration(registration_grpc.RegistrationServicer):
    def __init__(self, plugin: StandInPlugin, endpoint: str) -> None:
        self._plugin = plugin
        self._endpoint = endpoint

    async def GetInfo(self, request: Any, context: Context) -> registration_pb2.PluginInfo:  # noqa: N802
        plugin = self._plugin
        return registration_pb2.PluginInfo(
            type=plugin.type, name=plugin.name, endpoint=self._endpoint, supported_versions=plugin.versions
        )

    async def NotifyRegistrationStatus(  # noqa: N802
        self, request: registration_pb2.RegistrationStatus, context: Context
    ) -> registration_pb2.RegistrationStatusResponse:
        self._plugin.statuses.append((request.plugin_registered, request.error))
        if self._plugin.refuses_notify:
            await context.abort(grpc.StatusCode.INTERNAL, "not wanted")
        return registration_pb2.RegistrationStatusResponse()


class _V1alpha3(v1alpha3_grpc.NodeServicer):
    def __init__(self, plugin: StandInPlugin) -> None:
        self._plugin = plugin

    async def NodePrepareResources(self, request: Any, context: Context) -> v1alpha3.NodePrepareResourcesResponse:  # noqa: N802
        response = v1alpha3.NodePrepareResourcesResponse()
        answers = await self._plugin.work("prepare", "NodePrepareResources", _claims(request), context)
        for uid, answer in {**answers, **self._plugin.added}.items():
            if isinstance(answer, str):
                response.claims[uid].error = answer
            else:
                response.claims[uid].cdi_devices.extend(answer)
        return response

    async def NodeUnprepareResources(self, request: Any, context: Context) -> v1alpha3.NodeUnprepareResourcesResponse:  # noqa: N802
        response = v1alpha3.NodeUnprepareResourcesResponse()
        answers = await self._plugin.work("unprepare", "NodeUnprepareResources", _claims(request), context)
        for uid, answer in answers.items():
            response.claims[uid].error = answer if isinstance(answer, str) else ""
        return response


class _V1alpha2(v1alpha2_grpc.NodeServicer):
    def __init__(self, plugin: StandInPlugin) -> None:
        self._plugin = plugin

    async def NodePrepareResource(self, request: Any, context: Context) -> v1alpha2.NodePrepareResourceResponse:  # noqa: N802
        claim = (request.claim_name, request.resource_handle, request.namespace, request.claim_uid)
        answers = await self._plugin.work("prepare", "NodePrepareResource", [claim], context)
        answer = answers[request.claim_uid]
        if isinstance(answer, str):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, answer)
        return v1alpha2.NodePrepareResourceResponse(cdi_devices=answer)

    async def NodeUnprepareResource(self, request: Any, context: Context) -> v1alpha2.NodeUnprepareResourceResponse:  # noqa: N802
        claim = (request.claim_name, request.resource_handle, request.namespace, request.claim_uid)
        answers = await self._plugin.work("unprepare", "NodeUnprepareResource", [claim], context)
        if isinstance(answers[request.claim_uid], str):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, answers[request.claim_uid])
        return v1alpha2.NodeUnprepareResourceResponse()


class _Structured:
    """DRAPlugin in either version."""

    version: ClassVar[str]
    messages: ClassVar[Any]

    def __init__(self, plugin: StandInPlugin) -> None:
        self._plugin = plugin

    async def NodePrepareResources(self, request: Any, context: Context) -> Any:  # noqa: N802
        self._plugin.services.append(self.version)
        response = self.messages.NodePrepareResourcesResponse()
        asked = [(claim.name, "", claim.namespace, claim.uid) for claim in request.claims]
        for uid, answer in (await self._plugin.work("prepare", "NodePrepareResources", asked, context)).items():
            if isinstance(answer, str):
                response.claims[uid].error = answer
                continue
            for number, name in enumerate(self._plugin.requests):
                device = response.claims[uid].devices.add(pool_name="pool", device_name=f"dev-{number}")
                device.request_names.extend([name] if name else [])
                device.cdi_device_ids.extend(f"{each}{name and '-'}{name}" for each in answer)
        return response

    async def NodeUnprepareResources(self, request: Any, context: Context) -> Any:  # noqa: N802
        response = self.messages.NodeUnprepareResourcesResponse()
        asked = [(claim.name, "", claim.namespace, claim.uid) for claim in request.claims]
        for uid, answer in (await self._plugin.work("unprepare", "NodeUnprepareResources", asked, context)).items():
            response.claims[uid].error = answer if isinstance(answer, str) else ""
        return response


class _V1(_Structured, v1_grpc.DRAPluginServicer):
    version: ClassVar[str] = "v1"
    messages: ClassVar[Any] = v1


class _V1beta1(_Structured, v1beta1_grpc.DRAPluginServicer):
    version: ClassVar[str] = "v1beta1"
    messages: ClassVar[Any] = v1beta1


class _Health(health_grpc.DRAResourceHealthServicer):
    def __init__(self, plugin: StandInPlugin) -> None:
        self._plugin = plugin

    async def NodeWatchResources(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._plugin.health_streams += 1
        while (message := await self._plugin.health.get()) is not None:
            yield message


def _claims(request: Any) -> list[tuple[str, str, str, str]]:
    return [(claim.name, claim.resource_handle, claim.namespace, claim.uid) for claim in request.claims]
