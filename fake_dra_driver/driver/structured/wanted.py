"""What a claim gets on its node: the devices of its allocation, as its parameters want them.

In structured DRA the scheduler has chosen the devices, by the requests of the claim. Of parameters whose kind a profile
describes, its templates make something. FakeClaimParameters can only say into how many children each device is split.
Their ``count`` and ``selector``, which ask for devices in classic DRA, are compared with what was allocated, so that
parameters from there do not silently mean something else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import MAX_CHILDREN, FakeClaimConfigSpec
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import DeviceMissingError, FieldProblem
from fake_dra_driver.dra.structured import AllocatedClaim, Config, ConfigError, request_result
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.structured.parameters import COUNT_CHECK, MockConfigs, spec_of

__all__ = ["wanted_devices"]


@dataclass(frozen=True, slots=True)
class _Choice:
    """A device that was allocated, and the parameters that apply to it."""

    result: v1.DeviceRequestAllocationResult
    device: Device
    config: Config | None

    @property
    def split(self) -> int:
        spec = spec_of(self.config)
        return 0 if spec is None else spec.split


def wanted_devices(
    allocated: AllocatedClaim, devices: Mapping[str, Device], configs: MockConfigs
) -> Sequence[WantedDevice]:
    """What the claim gets, in the order of its allocation: that is the order in which containers see the devices.

    Args:
        allocated: what it holds on the node.
        devices: what it may hold there, by the names of the pool.
        configs: reads its parameters.

    Raises:
        ConfigError: its parameters cannot be used.
        DeviceMissingError: the node does not have a device of the allocation.
        PrepareError: the allocation makes no sense.
    """
    decoded = configs.check.decode(allocated.config)
    allocated.check_for_repeats()
    pairs = [(result, _device_of(allocated, result, devices)) for result in allocated.results]
    choices = [
        _Choice(result, device, configs.config_for(result.request, device.type, decoded)) for result, device in pairs
    ]
    used = [config for config in decoded if any(choice.config is config for choice in choices)]
    problems = [problem for config in used for problem in _problems(config, choices)]
    problems += configs.type_problems(decoded, ((result, device.type) for result, device in pairs))
    if problems:
        raise ConfigError(problems)
    return [
        WantedDevice(
            choice.device.uuid,
            choice.split,
            request_result(choice.result),
            None if choice.config is None else configs.fields_of(choice.config),
            choice.result.consumed_capacity,
        )
        for choice in choices
    ]


def _device_of(
    allocated: AllocatedClaim, result: v1.DeviceRequestAllocationResult, devices: Mapping[str, Device]
) -> Device:
    device = devices.get(result.device)
    if device is None:
        raise DeviceMissingError(
            f"claim {allocated.claim.key}: this node has no device {result.device}, which was allocated for request "
            f"{result.request}; was the node's number of devices changed?"
        )
    return device


def _problems(config: Config, choices: Sequence[_Choice]) -> Iterator[FieldProblem]:
    """What the parameters say that was not allocated, or that cannot be made of it."""
    if (spec := spec_of(config)) is None:
        return
    yield from COUNT_CHECK.allocated(config, (choice.result for choice in choices))
    others = [choice for choice in choices if choice.config is config and not _has_model(choice.device, spec)]
    if spec.selector is not None and others:
        yield config.problem(
            "spec.selector.model",
            f"must be the model of each allocated device, or left out; is {spec.selector.model}, and "
            f"{others[0].result.device} is of model {others[0].device.model}",
        )
    children = sum(choice.split for choice in choices)
    if spec.split > 1 and children > MAX_CHILDREN:
        yield config.problem(
            "spec.split",
            f"must be less, is {spec.split}: the devices of the claim would get {children} children together, at most "
            f"{MAX_CHILDREN} are allowed",
        )


def _has_model(device: Device, spec: FakeClaimConfigSpec) -> bool:
    return spec.selector is None or device.model == spec.selector.model
