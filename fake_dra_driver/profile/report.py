"""What a node gets of a profile, as text: a table for people, or the objects in YAML. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.profile.mocknode import MockDevice
from fake_dra_driver.profile.node import ContainerView, RenderedNode
from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone
from fake_dra_driver.yamldumper import dump_yaml

__all__ = ["number_of", "table_of", "yaml_of"]

_INDENT: Final = "  "


# --- For people


def table_of(rendered: RenderedNode, release: str, layout: Layout) -> str:
    """The node for a terminal, or for a file: each sort of device by its first, which stands for all."""
    views = {_sort(view.device): view for view in rendered.containers}
    sorts: dict[str, list[MockDevice]] = {}
    for device in rendered.devices:
        sorts.setdefault(_sort(device), []).append(device)
    lines = [
        *_heading(rendered, release, layout),
        *(line for sort, devices in sorts.items() for line in _devices(sort, devices, views[sort], layout)),
        *_slices(rendered, layout),
        *_counters(rendered, layout),
        *_state(rendered, layout),
    ]
    return "".join(f"{line}\n" for line in lines)


def _sort(device: MockDevice) -> str:
    partition = device.variables["partition"]
    return f"{device.group}, {partition}" if partition else device.group


def _heading(rendered: RenderedNode, release: str, layout: Layout) -> Iterator[str]:
    node = rendered.node
    yield from layout.sentence(
        f"DeviceProfile {node.profile.name} on node {node.node}, Kubernetes {release}: "
        f"{number_of(len(rendered.devices), 'device')}, {number_of(len(rendered.slices), 'ResourceSlice')}",
        tone=Tone.HEADING,
    )
    if rendered.left_out:
        yield from layout.sentence(
            f"Kubernetes {release} cannot have: {', '.join(rendered.left_out)}", tone=Tone.WARNING
        )


def _devices(sort: str, devices: Sequence[MockDevice], view: ContainerView, layout: Layout) -> Iterator[str]:
    first, last = devices[0], devices[-1]
    which = first.name if first is last else f"{first.name} to {last.name}"
    device, published = first.device, first.published
    yield ""
    yield from layout.sentence(f"{sort}: {number_of(len(devices), 'device')}, {which}", tone=Tone.HEADING)
    facts = {
        "type": device.type,
        "model": device.model,
        "uuid": device.uuid,
        "attributes": ", ".join(f"{name} {_value(each)}" for name, each in published.attributes.items()),
        "capacity": ", ".join(f"{name} {each.value}" for name, each in published.capacity.items()),
        "taints": ", ".join(f"{taint.key}={taint.value}:{taint.effect}" for taint in published.taints),
        "binding conditions": ", ".join((*published.binding_conditions, *published.binding_failure_conditions)),
        "several claims": "yes" if published.allow_multiple_allocations else "",
    }
    facts |= {f"takes from {taken.counter_set}": _amounts(taken.counters) for taken in published.consumes_counters}
    for name, text in facts.items():
        if text:
            yield from layout.sentence(f"{name}: {text}", first=_INDENT, following=_INDENT * 2)
    yield from layout.sentence(f"a container with {first.name}:", first=_INDENT)
    if view.problem:
        yield from layout.sentence(view.problem, first=_INDENT * 2, following=_INDENT * 2, tone=Tone.BAD)
    for name, value in view.environment.items():
        yield from layout.sentence(f"{name}={value}", first=_INDENT * 2, following=_INDENT * 3)
    for file in view.files:
        size = len(file.content.encode())
        yield from layout.sentence(f"{file.path} ({file.mode:04o}, {number_of(size, 'byte')})", first=_INDENT * 2)


def _value(attribute: v1.DeviceAttribute) -> str:
    (value,) = attribute.to_wire().values()
    entries = value if isinstance(value, list) else [value]
    return " ".join(str(each).lower() if isinstance(each, bool) else str(each) for each in entries)


def _amounts(counters: Mapping[str, v1.Counter]) -> str:
    return ", ".join(f"{name} {counter.value}" for name, counter in counters.items())


def _slices(rendered: RenderedNode, layout: Layout) -> Iterator[str]:
    if rendered.slices:
        yield ""
        columns = [Column("RESOURCESLICE", shrinks=True), Column("DEVICES"), Column("COUNTER SETS")]
        contents = [
            (one.metadata.name, len(one.spec.devices), len(one.spec.shared_counters)) for one in rendered.slices
        ]
        rows = [Row([Cell(name), Cell(str(devices or "")), Cell(str(sets or ""))]) for name, devices, sets in contents]
        yield from layout.table(columns, rows)


def _counters(rendered: RenderedNode, layout: Layout) -> Iterator[str]:
    sets = [one for part in rendered.slices for one in part.spec.shared_counters]
    if sets:
        yield ""
        columns = [Column("COUNTER SET", shrinks=True), Column("COUNTERS", shrinks=True)]
        yield from layout.table(columns, [Row([Cell(one.name), Cell(_amounts(one.counters))]) for one in sets])


def _state(rendered: RenderedNode, layout: Layout) -> Iterator[str]:
    models = Counter(device.device.model for device in rendered.devices)
    listed = ", ".join(f"{count} {model}" for model, count in models.items()) or "no devices"
    yield ""
    yield from layout.sentence(f"NodeAllocationState {rendered.node.node}: {listed}")


def number_of(count: int, what: str) -> str:
    """``1 device``, ``2 devices``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


# --- For programs


def yaml_of(rendered: RenderedNode) -> str:
    """The objects as YAML, and behind them what containers see."""
    state = rendered.state
    objects = [
        *(_object(one.resource.api_version, one.resource.kind, one.to_wire()) for one in rendered.slices),
        _object(state.resource.api_version, state.resource.kind, state.to_wire()),
        {"containers": [_seen(view) for view in rendered.containers]},
    ]
    return "".join(f"---\n{dump_yaml(each, width=120)}" for each in objects)


def _object(api_version: str, kind: str, wire: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **wire}


def _seen(view: ContainerView) -> Mapping[str, Any]:
    files = [{"path": file.path, "mode": file.mode, "content": file.content} for file in view.files]
    return {
        "device": view.device.name,
        **({"environment": dict(view.environment)} if view.environment else {}),
        **({"files": files} if files else {}),
        **({"problem": view.problem} if view.problem else {}),
    }
