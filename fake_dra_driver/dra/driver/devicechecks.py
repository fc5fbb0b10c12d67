"""What is wrong with the devices that a driver says a node has, in the words of its author.

The same limits hold in classic DRA, where no API server would check them: a driver works in both, or in neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from fake_dra_driver.dra.driver.device import Capacity, Device, Taint, Version
from fake_dra_driver.dra.fieldlimits import (
    MAX_ATTRIBUTES_AND_CAPACITIES,
    MAX_TAINTS,
    int_problems,
    label_name_problems,
    label_problems,
    label_value_problems,
    qualified_name_problems,
    quantity_problems,
    repeated,
    text_problems,
    version_problems,
)
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.quantity import QuantityError, number_of

__all__ = ["device_problems"]

MAX_MESSAGE: Final = 1024
"""Characters of a device's message; kubelets show no more."""
MAX_SIZE_BYTES: Final = 768 * 1024
"""Of all devices of a node, as Python writes them, which is about what JSON needs. The API server takes an object of
1.5 MiB, which also has what claims hold of them."""


def device_problems(devices: Sequence[Device]) -> Iterator[str]:
    """A sentence for each thing that is wrong: device, field, what is allowed, what it is."""
    yield from (f"device {name}: is there twice" for name in repeated(str(device.name) for device in devices))
    size_bytes = sum(len(repr(device).encode()) for device in devices)
    if size_bytes > MAX_SIZE_BYTES:
        yield (
            f"{len(devices)} devices, {size_bytes} bytes together: the object of the node has room for "
            f"{MAX_SIZE_BYTES}, so have fewer of them, or shorter attributes"
        )
    for device in devices:
        yield from (f"device {device.name}: {problem}" for problem in _problems(device))


def _problems(device: Device) -> Iterator[str]:
    # Whatever the types say: an author's code may never have seen a type checker.
    wrong = [
        f"{field}: must be {words}, is {getattr(device, field)!r}"
        for field, kind, words in (
            ("name", str, "a text"),
            ("attributes", Mapping, "a mapping"),
            ("capacity", Mapping, "a mapping"),
            ("shared", bool, "True or False"),
            ("health", Health, "one of Health"),
            ("message", str, "a text"),
            ("taints", Sequence, "a list of Taint"),
        )
        if not isinstance(getattr(device, field), kind)
    ]
    if wrong:
        yield from wrong
        return
    yield from label_problems("name", device.name)
    if len(device.message) > MAX_MESSAGE:
        yield f"message: at most {MAX_MESSAGE} characters, has {len(device.message)}"
    total = len(device.attributes) + len(device.capacity)
    if total > MAX_ATTRIBUTES_AND_CAPACITIES:
        yield f"attributes and capacity: at most {MAX_ATTRIBUTES_AND_CAPACITIES} together, are {total}"
    for name, value in device.attributes.items():
        yield from _attribute_problems(f"attributes[{name!r}]", str(name), value)
    for name, capacity in device.capacity.items():
        yield from _capacity_problems(f"capacity[{name!r}]", str(name), capacity, is_shared=device.shared)
    yield from _taint_problems(device.taints)


def _attribute_problems(path: str, name: str, value: object) -> Iterator[str]:
    yield from qualified_name_problems(path, name)
    match value:
        case bool():
            pass
        case int():
            yield from int_problems(path, value)
        case Version():
            yield from text_problems(path, value)
            yield from version_problems(path, value)
        case str():
            yield from text_problems(path, value)
        case _:
            yield f"{path}: must be a bool, an int, a str or a Version, is {type(value).__name__}"


def _capacity_problems(path: str, name: str, capacity: object, *, is_shared: bool) -> Iterator[str]:
    yield from qualified_name_problems(path, name)
    if not isinstance(capacity, Capacity):
        yield from _amount_problems(path, capacity)
        return
    yield from _amount_problems(path, capacity.value)
    bounds = {"default": capacity.default, "least": capacity.least, "most": capacity.most, "step": capacity.step}
    given = {bound: value for bound, value in bounds.items() if value is not None}
    if given and not is_shared:
        yield f"{path}: {', '.join(given)} mean something only for a device that claims share: Device(shared=True)"
    for bound, value in given.items():
        yield from _amount_problems(f"{path}.{bound}", value)
    yield from _bound_problems(path, capacity)


def _bound_problems(path: str, capacity: Capacity) -> Iterator[str]:
    """That the bounds agree with each other, once each is a quantity: what the API server asks of a request policy."""
    try:
        value = _number(capacity.value)
        most = value if capacity.most is None else _number(capacity.most)
        default = value if capacity.default is None else _number(capacity.default)
        least = Decimal(0) if capacity.least is None else _number(capacity.least)
        step = None if capacity.step is None else _number(capacity.step)
    except QuantityError:
        return
    if most > value:
        yield f"{path}.most: at most the value {capacity.value}, is {capacity.most}"
    if least > most:
        yield f"{path}.least: at most {capacity.value if capacity.most is None else capacity.most}, is {capacity.least}"
    if capacity.default is None and default > most:
        yield f"{path}.default: must be set, since all of it, {capacity.value}, is more than most, {capacity.most}"
    elif not least <= default <= most:
        yield f"{path}.default: must be from least to most, is {capacity.default}"
    if step is None:
        return
    if step <= 0:
        yield f"{path}.step: must be more than 0, is {capacity.step}"
    elif least + step > value:
        yield f"{path}.step: least and one step are more than the value {capacity.value}"
    else:
        if (default - least) % step:
            shown = f"all of it, {capacity.value}" if capacity.default is None else capacity.default
            yield f"{path}.default: must be least plus a multiple of step ({capacity.step}); it is {shown}"
        if capacity.most is not None and (most - least) % step:
            yield f"{path}.most: must be least plus a multiple of step ({capacity.step}); it is {capacity.most}"


def _number(amount: str | int) -> Decimal:
    return number_of(str(amount))


def _amount_problems(path: str, amount: object) -> Iterator[str]:
    if isinstance(amount, bool) or not isinstance(amount, (str, int)):
        yield f"{path}: must be a quantity such as '80Gi' or 4000, is {type(amount).__name__} {amount!r}"
        return
    yield from quantity_problems(path, str(amount))
    if str(amount).startswith("-"):
        yield f"{path}: must not be negative, is {amount}"


def _taint_problems(taints: Sequence[object]) -> Iterator[str]:
    if len(taints) > MAX_TAINTS:
        yield f"taints: at most {MAX_TAINTS}, are {len(taints)}"
    for number, taint in enumerate(taints):
        path = f"taints[{number}]"
        if not isinstance(taint, Taint):
            yield f"{path}: must be a Taint, is {type(taint).__name__}"
            continue
        yield from label_name_problems(f"{path}.key", taint.key)
        if taint.value:
            yield from label_value_problems(f"{path}.value", taint.value)
        if taint.effect not in ("NoSchedule", "NoExecute"):
            yield f"{path}.effect: must be NoSchedule or NoExecute, is {taint.effect}"
