"""What people are told when nodes have too few devices of what a claim asks for: how many there are, what to change."""

from collections.abc import Iterable, Sequence

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest
from fake_dra_driver.dra.classic import (
    NodeDevices,
    Supply,
    advise_on_numbers,
    count_devices,
    describe_supplies,
    list_names,
    short_name,
)

__all__ = ["advise", "describe_request", "describe_rest"]


def describe_request(request: DeviceRequest) -> str:
    """What a claim asks for, after "asked for"."""
    text = count_devices(request.count)
    if request.model is not None:
        text += f" of model {request.model}"
    if request.selectors:
        text += f" that {'matches' if request.count == 1 else 'match'} {_globs(request)}"
    return text


def describe_rest(node: NodeDevices[Device], free: Sequence[Device], requests: Sequence[DeviceRequest]) -> str:
    """What a node has of what is asked for, where that is too little."""
    supplies = [
        Supply(
            wanted=request.count,
            free=sum(map(request.matches, free)),
            matching=sum(map(request.matches, node.devices.values())),
            is_selective=request.model is not None or bool(request.selectors),
        )
        for request in requests
    ]
    return describe_supplies(supplies, len(free), len(node.devices))


def advise(requests: Sequence[DeviceRequest], nodes: Sequence[NodeDevices[Device]]) -> str:
    """What to do about requests that no node can serve, whatever other claims hold."""
    devices = [device for node in nodes for device in node.devices.values()]
    if not devices:
        return "no node has devices: raise the number of devices of the kubelet plugin (--device-count)"
    for request in requests:
        if not any(map(request.matches, devices)):
            return _advise_on_absence(request, devices)
    most = [max(sum(map(request.matches, node.devices.values())) for node in nodes) for request in requests]
    return advise_on_numbers([request.count for request in requests], most)


def _advise_on_absence(request: DeviceRequest, devices: Iterable[Device]) -> str:
    """For a request that no device of any node matches."""
    models = {device.model for device in devices}
    there_are = (
        f"there {'is' if len(models) == 1 else 'are'} only {list_names([short_name(model) for model in models])}"
    )
    of_class = [device for device in devices if DeviceRequest(1, selectors=request.selectors).matches(device)]
    if not of_class:
        return (
            f"the claim's class takes only devices that match {_globs(request)}, and {there_are}: correct "
            "deviceSelector in its DeviceClassParameters, or use another class"
        )
    if request.model in models:
        return (
            f"the claim's class takes only devices that match {_globs(request)}, which {request.model} does not: "
            "ask for another model, or use another class"
        )
    return (
        f"no node has model {request.model}, {there_are}: correct selector.model in the claim's FakeClaimParameters, "
        "or add nodes that have it"
    )


def _globs(request: DeviceRequest) -> str:
    return " or ".join(short_name(f"{selector.type}/{selector.name}") for selector in request.selectors)
