"""A driver's devices as ResourceSlices have them. Pure."""

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.driver.device import AttributeValue, Capacity, Device, Version
from fake_dra_driver.dra.node.health import Health

__all__ = ["attribute_values", "slice_device", "unhealthy_taint"]


def slice_device(driver: str, device: Device) -> v1.Device:
    """A device as the scheduler is to see it.

    One that is not healthy gets a taint, unless it has one already: claims that tolerate that know what it is about.
    """
    taints = [v1.DeviceTaint(key=taint.key, value=taint.value, effect=taint.effect) for taint in device.taints]
    if device.health is not Health.HEALTHY and not taints:
        taints.append(v1.DeviceTaint(key=unhealthy_taint(driver), effect="NoSchedule"))
    fields = {"allow_multiple_allocations": True} if device.shared else {}
    return v1.Device(
        name=device.name,
        attributes=attribute_values(device),
        capacity={
            name: _capacity(value if isinstance(value, Capacity) else Capacity(value), is_shared=device.shared)
            for name, value in device.capacity.items()
        },
        **({"taints": tuple(taints)} if taints else {}),
        **fields,
    )


def attribute_values(device: Device) -> dict[str, v1.DeviceAttribute]:
    """What selectors and containers can look at."""
    return {name: _attribute(value) for name, value in device.attributes.items()}


def unhealthy_taint(driver: str) -> str:
    """Key of the taint that keeps claims from a device that is not healthy."""
    return f"{driver}/unhealthy"


def _attribute(value: AttributeValue) -> v1.DeviceAttribute:
    match value:
        case bool():  # before int, which it is too
            return v1.DeviceAttribute(bool_value=value)
        case int():
            return v1.DeviceAttribute(int_value=value)
        case Version():
            return v1.DeviceAttribute(version=str(value))
        case str():
            return v1.DeviceAttribute(string=value)


def _capacity(capacity: Capacity, *, is_shared: bool) -> v1.DeviceCapacity:
    value = str(capacity.value)
    policy = _policy(capacity) if is_shared else None
    return v1.DeviceCapacity(value=value) if policy is None else v1.DeviceCapacity(value=value, request_policy=policy)


def _policy(capacity: Capacity) -> v1.CapacityRequestPolicy | None:
    """How much a claim may take; None: whatever it asks for, and all of it where it does not say."""
    if capacity.least is None and capacity.most is None and capacity.step is None:
        return None if capacity.default is None else v1.CapacityRequestPolicy(default=str(capacity.default))
    # The API wants a default and a minimum with each range. That they suit each other, ``devicechecks`` has found out.
    bounds = {"min": 0 if capacity.least is None else capacity.least, "max": capacity.most, "step": capacity.step}
    return v1.CapacityRequestPolicy(
        default=str(capacity.value if capacity.default is None else capacity.default),
        valid_range=v1.CapacityRequestPolicyRange(
            **{name: str(bound) for name, bound in bounds.items() if bound is not None}
        ),
    )
