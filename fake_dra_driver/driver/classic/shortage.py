"""What people are told when nodes have too few devices of what a claim asks for: how many there are, what to change."""

from collections.abc import Iterable, Sequence

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest
from fake_dra_driver.dra.classic.driver import NodeDevices
from fake_dra_driver.dra.classic.shortage import list_names
from fake_dra_driver.untrustedtext import short_name

__all__ = ["advise", "describe_request", "describe_rest"]


def describe_request(request: DeviceRequest) -> str:
    """What a claim asks for, after "asked for"."""
    text = _devices(request.count)
    if request.model is not None:
        text += f" of model {request.model}"
    if request.selectors:
        text += f" that {'matches' if request.count == 1 else 'match'} {_globs(request)}"
    return text


def describe_rest(node: NodeDevices[Device], free: Sequence[Device], requests: Sequence[DeviceRequest]) -> str:
    """What a node has of what is asked for, where that is too little."""
    if not node.devices:
        return "no devices"
    parts = [
        _free_of(sum(map(request.matches, free)), sum(map(request.matches, node.devices.values())), request)
        for request in requests
        if sum(map(request.matches, free)) < request.count
    ]
    if parts:
        return ", ".join(dict.fromkeys(parts))
    return f"{len(free)} of {_devices(len(node.devices))} free, too few for all claims of the pod together"


def advise(requests: Sequence[DeviceRequest], nodes: Sequence[NodeDevices[Device]]) -> str:
    """What to do about requests that no node can serve, whatever other claims hold."""
    devices = [device for node in nodes for device in node.devices.values()]
    if not devices:
        return "no node has devices: raise the number of devices of the kubelet plugin (--device-count)"
    for request in requests:
        if not any(map(request.matches, devices)):
            return _advise_on_absence(request, devices)
    for request in requests:
        most = max(sum(map(request.matches, node.devices.values())) for node in nodes)
        if most < request.count:
            return f"no node has more than {most}: ask for {most} at most, or add nodes that have more"
    return "nodes have enough for each claim of the pod, but none for all of them: ask for fewer, or add nodes"


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


def _free_of(free: int, matching: int, request: DeviceRequest) -> str:
    if request.model is None and not request.selectors:
        return f"{free} of {_devices(matching)} free"
    return f"{free} of {_devices(matching, 'matching device')} free" if matching else "no matching device"


def _devices(count: int, name: str = "device") -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _globs(request: DeviceRequest) -> str:
    return " or ".join(short_name(f"{selector.type}/{selector.name}") for selector in request.selectors)
