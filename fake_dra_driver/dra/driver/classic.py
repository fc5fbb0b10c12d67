"""The controller's side of classic DRA for any driver: what claims ask for, and which devices are given to them.

A claim asks for a number of devices that fit its configuration (``Driver.fits``), and takes a part of those that are
shared (``Driver.demand``). Devices that are not healthy, or tainted, are not given to new claims: classic DRA knows no
tolerations. What the author's code does wrong is told in an Event about the claim that it was asked for; a device whose
``fits`` raises fits nothing.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from typing_extensions import override

from fake_dra_driver.api.fieldproblem import problems_of
from fake_dra_driver.api.resource.v1alpha2 import MAX_RESOURCE_HANDLE_BYTES, ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.driver import ControllerDriver, NodeDevices, ParametersError, Unsuitable
from fake_dra_driver.dra.classic.matching import Wish, assign
from fake_dra_driver.dra.classic.parameters import ClaimParameters
from fake_dra_driver.dra.classic.setup import make_classic_controllers
from fake_dra_driver.dra.driver.calls import AuthorCalls, DriverFaultError
from fake_dra_driver.dra.driver.classichandle import claimed_device, classic_entry, entry_of_handle, handle_of_entry
from fake_dra_driver.dra.driver.classicshortage import RequestSupply, advise, describe_request, describe_supply
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.demand import share_of
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.parameters import DriverParameters, config_of, parameters_kind
from fake_dra_driver.dra.driver.prepared import config_text
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.dra.nodestate.kind import ClaimEntry, NodeState
from fake_dra_driver.dra.nodestate.sharing import Share, is_within
from fake_dra_driver.dra.nodestate.state import closed_reason
from fake_dra_driver.quantity import Quantity
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.untrustedtext import short_name

__all__ = ["DeviceRequest", "DriverController", "OfferedDevice", "make_driver_controllers"]

MAX_CONFIG_BYTES: Final = 4096
"""What a claim may say about its devices, as it is on record: then 128 claims of one node are below the next bound."""
MAX_LEDGER_BYTES: Final = 512 * 1024
"""For the entries of one node; beyond, it takes no more claims. A third of what etcd takes for an object: what the
plugin of the node writes has to fit in as well, and a few claims at a time, of up to 16 KiB each, may come on top."""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What one claim asks for."""

    config: DeviceConfig
    """Of the class that the author's methods take."""
    count: int
    demand: Mapping[str, str]
    """How much of each shared device it takes, where the author says so."""


@dataclass(frozen=True, slots=True)
class OfferedDevice:
    """A device that claims may have, or what is left of it."""

    device: Device
    left: Share | None = None
    """What is left of the capacity of a device that claims share; None: it is for one claim."""


class DriverController(ControllerDriver[DeviceRequest, NodeState, OfferedDevice, ClaimEntry]):
    """Chooses the devices of a driver.

    Args:
        calls: the author's methods.
        layout: how the objects of its nodes are read.
        parameters: what claims name as their parameters.
    """

    def __init__(
        self, calls: AuthorCalls[Any], layout: DriverStateLayout, parameters: ClaimParameters[DriverParameters]
    ) -> None:
        self.name = calls.driver.name
        self._calls = calls
        self._layout = layout
        self._parameters = parameters
        self._model = calls.driver.config
        self._is_selective = bool(self._model.model_fields)

    # --- What claims ask for

    @override
    def check_class(self, resource_class: ResourceClass) -> None:
        if (reference := resource_class.parameters_ref) is not None:
            raise ParametersError(
                f"ResourceClass {resource_class.metadata.name} names {short_name(reference.kind)} "
                f"{short_name(reference.name)} as its parameters, and those of driver {self.name} have none: leave "
                "parametersRef out, and name the parameters in the claims",
                at_fault="class",
            )

    @override
    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> DeviceRequest:
        self.check_class(resource_class)
        parameters = self._parameters.of_claim(claim)
        config = self._model() if parameters is None else config_of(parameters.spec, self._model)
        size = len(json.dumps(config_text(config)))
        if size > MAX_CONFIG_BYTES and claim.spec.parameters_ref is not None:
            reference = claim.spec.parameters_ref
            raise ParametersError(
                f"{reference.kind} {claim.metadata.namespace}/{short_name(reference.name)} says too much: what it says "
                f"about devices takes {size} bytes, at most {MAX_CONFIG_BYTES} are allowed",
                at_fault="claim",
            )
        try:
            demand = self._calls.demand(config)
        except DriverFaultError as error:
            raise ParametersError(str(error), at_fault="claim") from error
        return DeviceRequest(config, 1 if parameters is None else parameters.spec.count, demand)

    @override
    def describe_request(self, request: DeviceRequest) -> str:
        return describe_request(request.count, request.config)

    # --- What nodes have

    @override
    def devices_of(self, state: NodeState) -> NodeDevices[OfferedDevice]:
        devices, capacities = self._layout.inventory_of(state), self._layout.capacities_of(state)
        withheld: dict[Hashable, str] = {device.name: why for device in devices if (why := _withheld_reason(device))}
        return NodeDevices(
            {
                device.name: OfferedDevice(device, capacities.get(device.name))
                for device in devices
                if device.name not in withheld
            },
            closed_reason(self._layout, state) or self._full_reason(state),
            withheld,
        )

    def _full_reason(self, state: NodeState) -> str | None:
        # Kept from being too large for the API server: then no claim of the node could be ended either.
        size = self._layout.ledger_bytes(state)
        if size <= MAX_LEDGER_BYTES:
            return None
        return (
            f"its NodeAllocationState is full: what claims hold and say takes {size} bytes, and there is room for "
            f"{MAX_LEDGER_BYTES}"
        )

    @override
    def rest_of(self, device: OfferedDevice, left: Share) -> OfferedDevice:
        return replace(device, left=left)

    # --- What claims get

    @override
    def choose(
        self, node: NodeDevices[OfferedDevice], free: Sequence[OfferedDevice], requests: Sequence[DeviceRequest]
    ) -> Sequence[ClaimEntry] | Unsuitable:
        shares = [self._shares(request, free) for request in requests]
        wishes = [
            Wish(request.count, {place: None if share is None else _nanos(share) for place, share in possible.items()})
            for request, possible in zip(requests, shares, strict=True)
        ]
        chosen = assign(wishes, {place: each.left for place, each in enumerate(free) if each.left is not None})
        if chosen is None:
            return Unsuitable(describe_supply(node, [self._supply(node, free, request) for request in requests], free))
        entries = [
            classic_entry(
                config_text(request.config),
                (claimed_device(free[place].device.name, _written(possible[place])) for place in places),
            )
            for request, possible, places in zip(requests, shares, chosen, strict=True)
        ]
        if any(len(handle_of_entry(entry).encode()) > MAX_RESOURCE_HANDLE_BYTES for entry in entries):
            return Unsuitable(
                f"what it gives a claim takes more than the {MAX_RESOURCE_HANDLE_BYTES} bytes that an allocation has "
                "room for: ask for fewer devices, or say less about them"
            )
        return entries

    @override
    def advise(self, requests: Sequence[DeviceRequest], nodes: Sequence[NodeDevices[OfferedDevice]]) -> str:
        everything = [(node, list(node.devices.values())) for node in nodes]
        supplies = [[self._supply(node, free, request) for node, free in everything] for request in requests]
        return advise(supplies, nodes, parameters_kind(type(self._calls.driver)).resource.kind)

    def _supply(
        self, node: NodeDevices[OfferedDevice], free: Sequence[OfferedDevice], request: DeviceRequest
    ) -> RequestSupply:
        devices = list(node.devices.values())
        fitting, faults = self._fitting(request, devices)
        possible = self._shares(request, free)
        too_small = [free[place] for place in self._fitting(request, free)[0] if place not in possible]
        return RequestSupply(
            wanted=request.count,
            free=len(possible),
            matching=len(self._shares(request, devices)),
            fitting=len(fitting),
            is_selective=self._is_selective or bool(request.demand),
            remains=[_describe_left(offered) for offered in too_small if offered.left],
            faults=faults,
        )

    def _shares(
        self, request: DeviceRequest, devices: Sequence[OfferedDevice]
    ) -> Mapping[int, Mapping[str, Quantity] | None]:
        """By place: the devices that could serve the request, and what it takes of each; None: all."""
        found: dict[int, Mapping[str, Quantity] | None] = {}
        for place in self._fitting(request, devices)[0]:
            offered = devices[place]
            if offered.left is None:
                found[place] = None
                continue
            share = share_of(offered.device, request.demand)
            if share is not None and is_within(offered.left, [_nanos(share)]):
                found[place] = share
        return found

    def _fitting(self, request: DeviceRequest, devices: Sequence[OfferedDevice]) -> tuple[Sequence[int], Sequence[str]]:
        """The places of the devices that the author says fit; and what went wrong with others."""
        fitting, faults = list[int](), list[str]()
        for place, offered in enumerate(devices):
            try:
                if self._calls.fits(offered.device, request.config):
                    fitting.append(place)
            except DriverFaultError as error:
                faults.append(str(error))
        return fitting, faults

    # --- What is written of it

    @override
    def handle_of(self, entry: ClaimEntry) -> str:
        return handle_of_entry(entry)

    @override
    def entry_of(self, handle: str) -> ClaimEntry:
        return entry_of_handle(handle)

    @override
    def describe_entry(self, entry: ClaimEntry) -> str:
        texts = [
            f"{device.name} ({', '.join(f'{name} {amount}' for name, amount in sorted(device.capacity.items()))})"
            if device.capacity
            else device.name
            for device in entry.devices
        ]
        return ", ".join(texts) or "no devices"


def make_driver_controllers(
    calls: AuthorCalls[Any],
    client: Client,
    cache: Cache,
    events: EventSink,
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics,
) -> tuple[Controller, ...]:
    """Every controller of a driver in classic DRA, wired to its sources.

    Args:
        calls: the author's methods.
        client: for all requests.
        cache: for all that is read.
        events: what people are told.
        namespace: of the NodeAllocationState objects.
        workers: how many claims, and how many pods, are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
    """
    kind = parameters_kind(type(calls.driver))
    layout = DriverStateLayout(calls.driver.name)
    parameters = ClaimParameters(cache.informer(kind), calls.driver.name, parameters_problem)
    return make_classic_controllers(
        client,
        cache,
        events,
        DriverController(calls, layout, parameters),
        layout,
        namespace=namespace,
        workers=workers,
        now=now,
        metrics=metrics,
        claim_parameters=parameters,
    )


def parameters_problem(parameters: DriverParameters) -> str | None:
    """What is wrong with parameters that were read, as the API server would with fieldValidation=Strict."""
    spec = parameters.spec
    try:
        # As JSON, since strict Python values would have to be tuples where JSON has lists.
        type(spec).model_validate_json(
            json.dumps(spec.to_wire()), strict=True, extra="forbid", by_alias=True, by_name=False
        )
    except ValidationError as error:
        return "; ".join(str(problem.inside("spec")) for problem in problems_of(error, type(spec)))
    return None


def _withheld_reason(device: Device) -> str:
    """Why a device gets no new claims, in words for an event; empty when it does."""
    if device.health is not Health.HEALTHY:
        state = "unhealthy" if device.health is Health.UNHEALTHY else "of unknown health"
        return f"{state} ({device.message})" if device.message else state
    return f"tainted {device.taints[0].key}" if device.taints else ""


def _describe_left(offered: OfferedDevice) -> str:
    amounts = (f"{Quantity(nanos)} of {name}" for name, nanos in sorted((offered.left or {}).items()))
    return f"{offered.device.name} has {', '.join(amounts)} left"


def _nanos(share: Mapping[str, Quantity]) -> Share:
    return {name: quantity.nanos for name, quantity in share.items()}


def _written(share: Mapping[str, Quantity] | None) -> Mapping[str, str] | None:
    return None if share is None else {name: str(quantity) for name, quantity in share.items()}
