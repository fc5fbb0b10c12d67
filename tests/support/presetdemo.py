"""The manifests of ``demo/presets``, and what is to be seen once their pods run, on whatever cluster.

The checks look at what a person would: what the containers have printed of their environment, the claims, and what
``nvidia-smi -L`` says in a container.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

from fake_dra_driver.api.resource import v1

__all__ = [
    "DEVICES_LABEL",
    "PRESETS",
    "PRESETS_FOLDER",
    "Preset",
    "PresetDemo",
    "Scene",
    "Stage",
    "play_taints",
    "preset_values",
    "printed_variables",
]

_PROJECT: Final = Path(__file__).resolve().parents[2]
PRESETS_FOLDER: Final = _PROJECT / "deployments/helm/fake-dra-driver/presets"
DEMO_FOLDER: Final = _PROJECT / "demo/presets"
DEVICES_LABEL: Final = "fake.resource.3-shake.com/devices"
"""Label of a node that chooses between the profiles of a preset."""

_TAINTS: Final = DEMO_FOLDER / "dra-example-gpu/device-taints"
_PRINTED: Final = re.compile(r"""^(?:declare -x|export) (\w+)=(["'])(.*)\2$""", re.MULTILINE)
"""What bash, and what the shell of busybox print."""
_GPU: Final = re.compile(r"GPU_DEVICE_\d+(_PARTITION_\d+)?")


class Scene(Protocol):
    """A cluster on which the pods of manifests run."""

    def pods(self, namespace: str) -> Sequence[str]:
        """Their names."""
        ...

    def printed(self, namespace: str, pod: str, container: str) -> Mapping[str, str]:
        """The environment that a container has printed; also an init container."""
        ...

    def claims(self, namespace: str) -> Sequence[v1.ResourceClaim]:
        """All claims."""
        ...

    def published(self, driver: str) -> Sequence[v1.Device]:
        """What the driver's ResourceSlices have."""
        ...

    def nvidia_smi(self, namespace: str, pod: str, container: str) -> Sequence[str]:
        """The lines of ``nvidia-smi -L`` in a container."""
        ...


class Stage(Scene, Protocol):
    """A cluster on which more can be done than look."""

    def apply(self, path: Path) -> None:
        """What a manifest has."""
        ...

    def delete(self, path: Path) -> None:
        """What a manifest has, without waiting."""
        ...

    def wait_ready(self, namespace: str, count: int) -> None:
        """Waits until a namespace has so many pods, and all are ready."""
        ...

    def wait_evicted(self, namespace: str, pod: str) -> None:
        """Waits until a pod is gone, or being deleted."""
        ...

    def wait_unschedulable(self, namespace: str, pod: str) -> None:
        """Waits until the scheduler has found no node for a pod."""
        ...

    def wait_unclaimed(self, namespaces: Collection[str]) -> None:
        """Waits until no claim is left there."""
        ...


Check = Callable[[Scene, str], None]
"""Gets the namespace of the manifest; fails if something is not as it is to be."""


@dataclass(frozen=True, slots=True)
class PresetDemo:
    """A manifest."""

    path: Path
    pods: int
    """How many of them it makes, those of a Deployment included."""
    check: Check
    is_first: bool = False
    """Whether its pods have to run before those of others come, since it asks for certain devices."""

    @property
    def namespace(self) -> str:
        """Of all its objects."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset, and the manifests that are for it."""

    name: str
    driver: str
    demos: Mapping[str, Sequence[PresetDemo]]
    """By the value of the node's label that chooses the devices; empty: no label."""
    count: int | None = None
    """How many devices a node needs, that all manifests can run at once; None: as many as the preset has."""
    gates: Sequence[str] = ()
    """Feature gates that are not on by themselves."""
    variant_of: Callable[[v1.Device], str] = lambda _: ""
    """Which label of the node a device is for."""

    def is_chosen(self, variant: str, published: Iterable[v1.Device]) -> bool:
        """Whether the devices for this label are published, and no others."""
        return {self.variant_of(device) for device in published} == {variant}

    def values(self) -> Mapping[str, Any]:
        """Of the chart, with as many devices as are needed."""
        values = preset_values(self.name)
        if self.count is not None:
            for profile in values["deviceProfiles"]:
                for group in profile["spec"]["groups"]:
                    group["count"] = self.count
        return values


def preset_values(name: str) -> dict[str, Any]:
    """The values file of a preset. What it writes once and uses in several places is a value of its own in each."""
    found = json.loads(json.dumps(yaml.safe_load((PRESETS_FOLDER / f"{name}.yaml").read_text())))
    assert isinstance(found, dict)
    return found


def printed_variables(log: str) -> Mapping[str, str]:
    """What a container has printed of its environment."""
    return {name: value for name, _, value in _PRINTED.findall(log)}


# --- dra-example-gpu


def _gpus(scene: Scene, namespace: str, pod: str = "pod0", container: str = "ctr0") -> Sequence[str]:
    """The GPUs of a container."""
    found = sorted(value for name, value in scene.printed(namespace, pod, container).items() if _GPU.fullmatch(name))
    assert all(value.startswith("gpu-") for value in found), found
    return found


def _gpu(scene: Scene, namespace: str, pod: str = "pod0", container: str = "ctr0") -> str:
    (gpu,) = _gpus(scene, namespace, pod, container)
    return gpu


def _with_suffix(variables: Mapping[str, str], suffix: str) -> str:
    """The only variable that is called so."""
    (value,) = [value for name, value in variables.items() if name.endswith(suffix)]
    return value


def _results(scene: Scene, namespace: str) -> Iterator[v1.DeviceRequestAllocationResult]:
    for claim in scene.claims(namespace):
        assert claim.status.allocation is not None, f"claim {claim.key} is not allocated"
        yield from claim.status.allocation.devices.results


def _each_has_one(scene: Scene, namespace: str) -> None:
    pods = scene.pods(namespace)
    gpus = {_gpu(scene, namespace, pod) for pod in pods}
    assert len(gpus) == len(pods)


def _one_each_and_the_usual_variables(scene: Scene, namespace: str) -> None:
    _each_has_one(scene, namespace)
    uids = {claim.uid for claim in scene.claims(namespace)}
    printed = [scene.printed(namespace, pod, "ctr0") for pod in scene.pods(namespace)]
    assert {_with_suffix(variables, "_RESOURCE_CLAIM") for variables in printed} == uids
    for variables in printed:
        assert variables["DRA_ADMIN_ACCESS"] == "false"
        assert variables["DRA_RESOURCE_DRIVER_NAME"] == "gpu.example.com"
        assert variables["KUBERNETES_NODE_NAME"] == next(_results(scene, namespace)).pool
        assert _with_suffix(variables, "_SHARING_STRATEGY") == "TimeSlicing"
        assert _with_suffix(variables, "_TIMESLICE_INTERVAL") == "Default"


def _has_two(scene: Scene, namespace: str) -> None:
    assert len(set(_gpus(scene, namespace))) == 2


def _containers_share(*containers: str) -> Check:
    def check(scene: Scene, namespace: str) -> None:
        assert len({_gpu(scene, namespace, "pod0", container) for container in containers}) == 1

    return check


def _pods_share(scene: Scene, namespace: str) -> None:
    assert len({_gpu(scene, namespace, pod) for pod in scene.pods(namespace)}) == 1


def _configured(scene: Scene, namespace: str) -> None:
    expected = {
        "ts": {"_SHARING_STRATEGY": "TimeSlicing", "_TIMESLICE_INTERVAL": "Long"},
        "sp": {"_SHARING_STRATEGY": "SpacePartitioning", "_PARTITION_COUNT": "10"},
    }
    for kind, suffixes in expected.items():
        assert len({_gpu(scene, namespace, "pod0", f"{kind}-ctr{number}") for number in (0, 1)}) == 1
        for number in (0, 1):
            variables = scene.printed(namespace, "pod0", f"{kind}-ctr{number}")
            found = {name for name in variables if re.search(r"_(STRATEGY|INTERVAL|COUNT)$", name)}
            assert {re.sub(r"^GPU_DEVICE_\d+", "", name): variables[name] for name in found} == suffixes


def _looks_after_all(scene: Scene, namespace: str) -> None:
    assert len(_gpus(scene, namespace)) == len(scene.published("gpu.example.com"))
    assert scene.printed(namespace, "pod0", "ctr0")["DRA_ADMIN_ACCESS"] == "true"


def _alternatives(scene: Scene, namespace: str) -> None:
    _each_has_one(scene, namespace)
    requests = {claim.metadata.name[:4]: _only(claim).request for claim in scene.claims(namespace)}
    assert requests == {"pod0": "gpu/older-gpu", "pod1": "gpu/latest-gpu"}


def _only(claim: v1.ResourceClaim) -> v1.DeviceRequestAllocationResult:
    assert claim.status.allocation is not None, f"claim {claim.key} is not allocated"
    (result,) = claim.status.allocation.devices.results
    return result


def _two_partitions(scene: Scene, namespace: str) -> None:
    _has_two(scene, namespace)
    devices = [result.device for result in _results(scene, namespace)]
    assert all(re.fullmatch(r"gpu-\d+-partition-\d", device) for device in devices), devices


def _two_shares(memory: str, compute: str) -> Check:
    def check(scene: Scene, namespace: str) -> None:
        _pods_share(scene, namespace)
        results = list(_results(scene, namespace))
        assert len({result.device for result in results}) == 1
        assert len({result.share_id for result in results} - {None}) == 2
        for pod in scene.pods(namespace):
            variables = scene.printed(namespace, pod, "ctr0")
            assert (_with_suffix(variables, "_MEMORY"), _with_suffix(variables, "_COMPUTE")) == (memory, compute)

    return check


def _was_waited_for(scene: Scene, namespace: str) -> None:
    _each_has_one(scene, namespace)
    (claim,) = scene.claims(namespace)
    (device,) = claim.status.devices
    assert {each.type: each.status for each in device.conditions or ()}["BindingConditions"] == "True"
    assert list(_only(claim).binding_conditions) == ["BindingConditions"]


def _sort_of_gpu(device: v1.Device) -> str:
    if device.binding_conditions:
        return "binding-conditions"
    words = ("shared", device.allow_multiple_allocations), ("partitions", device.consumes_counters)
    return "-".join(word for word, is_true in words if is_true)


def play_taints(stage: Stage) -> None:
    """The manifests about taints of devices, in the order of their numbers, with what is to come of each.

    Nothing else of the driver may run: its devices are all tainted.
    """
    steps = {folder.name: sorted(folder.glob("*.yaml")) for folder in _TAINTS.iterdir()}
    keeps, evicted, later, tolerates = (
        f"device-taint-{name}"
        for name in ("pod-noschedule", "pod-noexecute", "configurable-pod-eviction-time", "pod-toleration")
    )

    pod, rule, second = steps[keeps]
    stage.apply(pod)
    stage.wait_ready(keeps, 1)
    stage.apply(rule)
    stage.apply(second)
    stage.wait_unschedulable(keeps, "pod1")
    stage.delete(rule)
    stage.wait_ready(keeps, 2)

    for name in (evicted, later):
        stage.apply(steps[name][0])
        stage.wait_ready(name, 1)
    for rule in (steps[later][1], steps[evicted][1], steps[tolerates][0]):
        stage.apply(rule)
    stage.apply(steps[tolerates][1])
    stage.wait_evicted(evicted, "pod0")
    stage.wait_ready(tolerates, 1)
    stage.wait_ready(later, 1)
    for paths in steps.values():
        for path in paths:
            stage.delete(path)
    stage.wait_unclaimed(steps)


# --- dra-example-net, dra-example-cpu


def _shares_of_a_card(scene: Scene, namespace: str) -> None:
    (device,) = {result.device for result in _results(scene, namespace)}
    prefix = f"NET_DEVICE_{device.removeprefix('nic-')}"
    rates = {}
    for pod in scene.pods(namespace):
        variables = scene.printed(namespace, pod, "ctr0")
        assert prefix in variables
        assert f"{prefix}_INGRESS_BURST" not in variables, "no limit was asked for"
        rates[pod] = (variables[f"{prefix}_INGRESS_RATE"], variables[f"{prefix}_EGRESS_RATE"])
    assert rates == {"pod0": ("10000000000", "5000000000"), "pod1": ("5000000000", "5000000000")}


def _two_cpus(scene: Scene, namespace: str) -> None:
    variables = scene.printed(namespace, "pod0", "ctr0")
    consumed = [value for name, value in variables.items() if re.fullmatch(r"CPU_DEVICE_\d_CONSUMED_CPU", name)]
    assert set(consumed) == {"1"}
    assert [result.consumed_capacity for result in _results(scene, namespace)] == [{"cpu.example.com/cpu": "1"}] * 2


# --- nvidia-a100, nvidia-h100


def _listed(scene: Scene, namespace: str, pod: str, container: str) -> tuple[Sequence[str], Sequence[str]]:
    """The UUIDs of the GPUs, and the profiles of the MIG devices, that ``nvidia-smi -L`` lists."""
    text = "\n".join(scene.nvidia_smi(namespace, pod, container))
    gpus = re.findall(r"^GPU \d+: NVIDIA [AH]100\S* ?.*\(UUID: (GPU-[0-9a-f-]{36})\)$", text, re.MULTILINE)
    migs = re.findall(r"^  MIG (\S+) +Device +\d+: \(UUID: MIG-[0-9a-f-]{36}\)$", text, re.MULTILINE)
    assert len(gpus) + len(migs) == len(text.splitlines()), text
    return gpus, migs


def _lists_gpus(*containers: str, each: int = 1, distinct: int) -> Check:
    """In each container of each pod so many GPUs, in all together so many."""

    def check(scene: Scene, namespace: str) -> None:
        seen: set[str] = set()
        for pod in scene.pods(namespace):
            for container in containers:
                gpus, migs = _listed(scene, namespace, pod, container)
                assert (len(set(gpus)), len(migs)) == (each, 0)
                seen.update(gpus)
        assert len(seen) == distinct

    return check


def _lists_migs(scene: Scene, namespace: str, pod: str, *profiles: str) -> str:
    """The containers ``ctr0`` and so on have a MIG device of these profiles; returns the GPU that they are parts of."""
    parents: set[str] = set()
    for number, profile in enumerate(profiles):
        gpus, migs = _listed(scene, namespace, pod, f"ctr{number}")
        assert migs == [profile]
        parents.update(gpus)
    (parent,) = parents
    return parent


def _four_gpus_in_four_parts(scene: Scene, namespace: str) -> None:
    pods = scene.pods(namespace)
    parents = {_lists_migs(scene, namespace, pod, "1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb") for pod in pods}
    assert len(parents) == 4


def _even_gpus(scene: Scene, namespace: str) -> None:
    _lists_gpus("ctr", distinct=4)(scene, namespace)
    assert {result.device for result in _results(scene, namespace)} == {"gpu-0", "gpu-2", "gpu-4", "gpu-6"}


def _time_slices_and_mps(scene: Scene, namespace: str) -> None:
    for kind in ("ts", "mps"):
        _lists_gpus(f"{kind}-ctr0", f"{kind}-ctr1", distinct=1)(scene, namespace)
        with_mps = "CUDA_MPS_PIPE_DIRECTORY" in scene.printed(namespace, "pod", f"{kind}-ctr0")
        assert with_mps == (kind == "mps")


def _for_a_virtual_machine(scene: Scene, namespace: str) -> None:
    (result,) = _results(scene, namespace)
    assert re.fullmatch(r"gpu-vfio-\d+", result.device)


def _h100_in_parts(scene: Scene, namespace: str) -> None:
    parent = _lists_migs(scene, namespace, "pod0", "1g.10gb", "1g.20gb", "3g.40gb")
    gpus, migs = _listed(scene, namespace, "pod1", "ctr")
    assert len(gpus) == 1
    assert migs == []
    assert gpus != [parent], "a GPU that is in parts is not given away as a whole"


# --- amd-mi300x, intel-max-1550


def _sort_of_amd(device: v1.Device) -> str:
    return "partitions" if device.attributes["type"].string == "amdgpu-partition" else ""


def _devices_named(pattern: str, count: int) -> Check:
    def check(scene: Scene, namespace: str) -> None:
        devices = [result.device for result in _results(scene, namespace)]
        assert len(set(devices)) == count
        assert all(re.fullmatch(pattern, device) for device in devices), devices
        printed = scene.printed(namespace, "pod0", "ctr0")
        assert set(devices) <= set(printed.values()), "the containers know their devices"

    return check


def _partitions(distinct_parents: int) -> Check:
    """Two of them; those of one GPU are numbered in a row."""

    def check(scene: Scene, namespace: str) -> None:
        _devices_named(r"gpu-\d+-\d+", 2)(scene, namespace)
        parents = {int(result.device.split("-")[1]) // 8 for result in _results(scene, namespace)}
        assert len(parents) == distinct_parents

    return check


def _all_of_intel(scene: Scene, namespace: str) -> None:
    _devices_named(r"0000-\w\w-00-0-0x0bd5", len(scene.published("gpu.intel.com")))(scene, namespace)


# --- The table


def _demos(preset: str, entries: Mapping[str, tuple[int, Check]]) -> Sequence[PresetDemo]:
    return [PresetDemo(DEMO_FOLDER / preset / f"{name}.yaml", pods, check) for name, (pods, check) in entries.items()]


PRESETS: Final[Sequence[Preset]] = (
    Preset(
        "dra-example-gpu",
        "gpu.example.com",
        {
            "": _demos(
                "dra-example-gpu",
                {
                    "basic-resourceclaimtemplate": (2, _one_each_and_the_usual_variables),
                    "basic-multiple-requests": (1, _has_two),
                    "basic-shared-claim-across-containers": (1, _containers_share("ctr0", "ctr1")),
                    "basic-shared-claim-across-pods": (2, _pods_share),
                    "initcontainer-shared-gpu": (1, _containers_share("init0", "ctr0")),
                    "basic-resourceclaim-opaque-config": (1, _configured),
                    "admin-access": (1, _looks_after_all),
                    "cel-selector": (1, _each_has_one),
                    "prioritized-alternatives": (2, _alternatives),
                    "extended-resource-request": (2, _each_has_one),
                },
            ),
            "partitions": _demos("dra-example-gpu", {"partitionable-devices": (1, _two_partitions)}),
            "shared": _demos("dra-example-gpu", {"gpu-allow-multiple-allocations": (2, _two_shares("16Gi", "20"))}),
            "shared-partitions": _demos(
                "dra-example-gpu", {"gpu-allow-multiple-allocations-partitionable": (2, _two_shares("8Gi", "10"))}
            ),
            "binding-conditions": _demos("dra-example-gpu", {"binding-conditions": (1, _was_waited_for)}),
        },
        count=16,
        variant_of=_sort_of_gpu,
    ),
    Preset(
        "dra-example-net",
        "net.example.com",
        {"": _demos("dra-example-net", {"net-consumable-capacity": (2, _shares_of_a_card)})},
    ),
    Preset(
        "dra-example-cpu",
        "cpu.example.com",
        {"": _demos("dra-example-cpu", {"native-resource-request": (1, _two_cpus)})},
        gates=("DRANodeAllocatableResources",),
    ),
    Preset(
        "nvidia-a100",
        "gpu.nvidia.com",
        {
            "": [
                PresetDemo(DEMO_FOLDER / "nvidia-a100/gpu-test6.yaml", 4, _even_gpus, is_first=True),
                *_demos(
                    "nvidia-a100",
                    {
                        "gpu-test1": (2, _lists_gpus("ctr", distinct=2)),
                        "gpu-test2": (1, _lists_gpus("ctr0", "ctr1", distinct=1)),
                        "gpu-test3": (2, _lists_gpus("ctr", distinct=1)),
                        "gpu-test4": (4, _four_gpus_in_four_parts),
                        "gpu-test5": (1, _time_slices_and_mps),
                        "gpu-test7": (1, _lists_gpus("ctr", each=2, distinct=2)),
                        "gpu-test8": (1, _lists_gpus("ctr", each=2, distinct=2)),
                        "gpu-test-mps": (1, _lists_gpus("ctr0", "ctr1", distinct=1)),
                        "extended-resources": (1, _lists_gpus("ctr", distinct=1)),
                        "vfiopci": (1, _for_a_virtual_machine),
                    },
                ),
            ]
        },
        count=24,
    ),
    Preset(
        "nvidia-h100",
        "gpu.nvidia.com",
        {"": _demos("nvidia-h100", {"mig-devices": (2, _h100_in_parts)})},
    ),
    Preset(
        "amd-mi300x",
        "gpu.amd.com",
        {
            "": _demos(
                "amd-mi300x",
                {
                    "full-gpu": (1, _devices_named(r"gpu-\d-1\d\d", 1)),
                    "numa-aligned-gpus": (1, _devices_named(r"gpu-\d-1\d\d", 2)),
                },
            ),
            "partitions": _demos(
                "amd-mi300x",
                {
                    "partitions-same-parent": (1, _partitions(distinct_parents=1)),
                    "partitions-distinct-parents": (1, _partitions(distinct_parents=2)),
                },
            ),
        },
        variant_of=_sort_of_amd,
    ),
    Preset(
        "intel-max-1550",
        "gpu.intel.com",
        {
            "": _demos(
                "intel-max-1550",
                {
                    "gpu-by-family": (1, _devices_named(r"0000-\w\w-00-0-0x0bd5", 1)),
                    "monitor": (1, _all_of_intel),
                },
            )
        },
    ),
)
"""All presets."""
