"""The mocked cards of docs/status.md: partitions, shares, and a fault, as a report has them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from fake_dra_driver.dra.nodestate.deviceuse import DeviceState
from fake_dra_driver.status.report import (
    AmountReport,
    ClaimReport,
    CounterSetReport,
    Counts,
    DeviceReport,
    FaultOnNodeReport,
    FaultReport,
    ModelReport,
    NodeReport,
    Report,
    ShareReport,
    Summary,
    TaintReport,
)

__all__ = ["MOCKED_CARDS"]

_DRIVER: Final = "gpu.example.com"
_NODE: Final = "worker-1"
_FAULT: Final = "xid-79"
_FAILED_FOR: Final = timedelta(minutes=3)
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SLICES: Final = 4
_TRAIN: Final = ClaimReport(namespace="team-a", name="train-0-gpu-x7k2q", uid="1", pods=("train-0",))
_INFER: Final = tuple(
    ClaimReport(namespace="team-b", name=f"infer-{at}-nic-{end}", uid=f"{at + 2}", pods=(f"infer-{at}",))
    for at, end in enumerate(("9fqzd", "b2mlw"))
)


def _device(name: str, type_: str, model: str, state: DeviceState = "free", **fields: object) -> DeviceReport:
    return DeviceReport.model_validate(
        {"uuid": f"uuid-of-{name}", "name": name, "type": type_, "model": model, "state": state, **fields}
    )


def _card(name: str) -> Sequence[DeviceReport]:
    counters = (f"{name}-counters",)
    quarters = [
        _device(f"{name}-mig-1g10gb-{at}", "mig", "1g.10gb", parent=name, counters=counters) for at in range(_SLICES)
    ]
    halves = [_device(f"{name}-mig-2g20gb-{at}", "mig", "2g.20gb", parent=name, counters=counters) for at in (0, 2)]
    return [_device(name, "gpu", "A100", counters=counters), *quarters, *halves]


def _devices() -> Sequence[DeviceReport]:
    used, broken = list(_card("gpu-0")), list(_card("gpu-1"))
    lacking = ("gpu-0-counters/memory-slice-1",)
    used[0] = used[0].model_copy(update={"state": "unavailable", "lacks": ("gpu-0-counters/memory", *lacking)})
    used[2] = used[2].model_copy(update={"state": "prepared", "claim": _TRAIN})
    used[5] = used[5].model_copy(update={"state": "unavailable", "lacks": lacking})
    taint = TaintReport(key=f"{_DRIVER}/xid", value="79", effect="NoSchedule", since=_NOW - _FAILED_FOR)
    broken[0] = broken[0].model_copy(
        update={
            "state": "unavailable",
            "health": "Unhealthy (fell off the bus)",
            "taints": (taint,),
            "faults": (_FAULT,),
        }
    )
    shares = tuple(
        ShareReport(id=f"share-{at}", claim=claim, capacity={"bandwidth": f"{at + 1}G"})
        for at, claim in enumerate(_INFER)
    )
    nic = _device(
        "nic-0",
        "nic",
        "X710",
        "prepared",
        claim=_INFER[0],
        shared_with=_INFER[1:],
        shared=True,
        shares=shares,
        capacity=(AmountReport(name="bandwidth", value="10G", left="7G"),),
    )
    return (*used, *broken, nic)


def _counter_set(card: int, *, taken: int) -> CounterSetReport:
    slices = [
        AmountReport(name=f"memory-slice-{at}", value="1", left="0" if taken and at == 1 else "1")
        for at in range(_SLICES)
    ]
    memory = AmountReport(name="memory", value="40Gi", left=f"{40 - taken}Gi")
    return CounterSetReport(name=f"gpu-{card}-counters", counters=(memory, *slices))


def _counts(devices: Sequence[DeviceReport]) -> Counts:
    states = Counter[str](device.state for device in devices)
    shareable = sum(device.shared and device.claim is not None for device in devices)
    return Counts(devices=len(devices), shareable=shareable, **states)


def _report() -> Report:
    devices = tuple(_devices())
    by_model = dict.fromkeys((device.type, device.model) for device in devices)
    models = tuple(
        ModelReport(
            type=type_,
            model=model,
            counts=_counts([device for device in devices if (device.type, device.model) == (type_, model)]),
        )
        for type_, model in by_model
    )
    node = NodeReport(
        name=_NODE,
        status="Ready",
        ready=True,
        node_status="Ready",
        counts=_counts(devices),
        models=models,
        claims=3,
        devices=devices,
        counter_sets=(_counter_set(0, taken=10), _counter_set(1, taken=0)),
        faults=(_FAULT,),
        problems=(),
    )
    fault = FaultReport(
        name=_FAULT,
        effects=("Unhealthy (fell off the bus)", f"taint {_DRIVER}/xid=79:NoSchedule"),
        reason="Active",
        message="",
        since=_NOW - _FAILED_FOR,
        until=_NOW + timedelta(minutes=7),
        nodes=(FaultOnNodeReport(name=_NODE, devices=("gpu-1",), device_count=1, since=_NOW - _FAILED_FOR),),
    )
    return Report(
        driver=_DRIVER,
        namespace="mock-gpus",
        summary=Summary(
            nodes=1, ready_nodes=1, counts=node.counts, models=node.models, claims=node.claims, waiting=0, unused=0
        ),
        nodes=(node,),
        waiting=(),
        faults=(fault,),
    )


MOCKED_CARDS: Final = _report()
"""What the page shows."""
