"""What containers get for devices of a profile: its templates, what they see, and what cannot be rendered."""

from collections.abc import Sequence
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import PreparedClaim, RequestResult
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable, MountedFile
from tests.support.mocknode import profiled_node

CLAIM = NodeClaim("default", "c", UID("uid-c"))
A, B = Device("GPU-a", "A100", "gpu"), Device("GPU-b", "A100", "gpu")
FIRST = RequestResult("first", "worker", "fake-0")
SECOND = RequestResult("second", "worker", "fake-1", share_id="share-1", admin_access=True)
TIME_SLICING = ConfigKind(
    "gpu.example.com/v1", "GpuConfig", default={"sharing": {"strategy": "TimeSlicing"}}, types=("gpu",)
)


def variable(name: str, value: str, when: str = "") -> EnvironmentVariable:
    return EnvironmentVariable(name, value, when, source="spec.groups[0].environment[0]")


def planner(*environment: EnvironmentVariable, **of_node: Any) -> FakePlanner:
    node = profiled_node([A, B], each={"environment": environment}, **of_node)
    return FakePlanner(lambda: node, dict)


def environments(
    wanted: Sequence[WantedDevice], *environment: EnvironmentVariable, **of_node: Any
) -> list[dict[str, str]]:
    """What each device brings."""
    devices = planner(*environment, **of_node).devices(CLAIM, wanted)
    return [dict(device.environment or ()) for device in devices]


def shown(template: str, **wanted: Any) -> str:
    """What a template says of a device that is wanted."""
    wanted = {"result": FIRST, **wanted}
    (found,) = environments([WantedDevice(A.uuid, **wanted)], variable("V", template), configs=(TIME_SLICING,))
    return found["V"]


def test_each_device_has_variables_of_its_own() -> None:
    wanted = [WantedDevice(B.uuid, result=SECOND), WantedDevice(A.uuid, result=FIRST)]
    assert environments(wanted, variable("GPU_DEVICE_{{ index }}", "{{ uuid }}")) == [
        {"GPU_DEVICE_1": "GPU-b"},
        {"GPU_DEVICE_0": "GPU-a"},
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ position }} {{ index }} {{ name }} {{ node }} {{ driver }}", "0 0 fake-0 worker gpu.example.com"),
        ("{{ model }} {{ type }} {{ attributes.model }} {{ attributes.index }}", "A100 gpu A100 0"),
        ("{{ claim.namespace }}/{{ claim.name }} {{ claim.uid }}", "default/c uid-c"),
        ("{{ request }}", "first"),
        ("{{ adminAccess }}", "false"),
        ("[{{ share.id }}]", "[]"),
        ("{{ config.kind }} {{ config.sharing.strategy }}", "GpuConfig TimeSlicing"),
    ],
)
def test_a_template_sees_what_the_profile_and_the_claim_say(template: str, expected: str) -> None:
    assert shown(template) == expected


def test_a_template_sees_what_a_claim_has_of_a_shared_device() -> None:
    template = "{{ share.id }} {{ share.capacity.memory }} {{ adminAccess }}"
    assert shown(template, result=SECOND, capacity={"memory": "16Gi"}) == "share-1 16Gi true"


def test_configuration_has_precedence_over_the_default() -> None:
    config = {"kind": "GpuConfig", "sharing": {"strategy": "MPS"}}
    assert shown("{{ config.sharing.strategy }}", config=config) == "MPS"


def test_in_classic_dra_there_is_no_request() -> None:
    assert shown("[{{ request }}] {{ config.sharing.strategy }}", result=None) == "[] TimeSlicing"


def test_a_default_is_for_devices_of_its_types_alone() -> None:
    for_mig = ConfigKind("gpu.example.com/v1", "MigConfig", default={"of": "mig"}, types=("mig",))
    for_gpus = ConfigKind("gpu.example.com/v1", "GpuConfig", default={"of": "gpu"}, types=("gpu",))
    (found,) = environments([WantedDevice(A.uuid)], variable("V", "{{ config.of }}"), configs=(for_mig, for_gpus))
    assert found == {"V": "gpu"}


def test_a_variable_is_left_out_unless_its_condition_holds() -> None:
    slicing = variable("SLICING", "yes", when="config.sharing.strategy == 'TimeSlicing'")
    mps = variable("MPS", "yes", when="config.sharing.strategy == 'MPS'")
    assert environments([WantedDevice(A.uuid)], slicing, mps, configs=(TIME_SLICING,)) == [{"SLICING": "yes"}]


def test_each_child_has_variables_of_its_own() -> None:
    first, second = children(A.uuid, 2)
    found = environments([WantedDevice(A.uuid, 2)], variable("GPU_{{ position }}", "{{ uuid }}"))
    assert found == [{"GPU_0": first}, {"GPU_1": second}]


def test_what_each_container_gets_comes_with_each_device() -> None:
    everywhere = EnvironmentVariable("ALL", "{% for device in devices %}{{ device.name }} {% endfor %}")
    wanted = [WantedDevice(B.uuid), WantedDevice(A.uuid)]
    found = environments(wanted, variable("GPU", "{{ uuid }}"), environment=(everywhere,))
    assert found == [{"ALL": "fake-1 fake-0 ", "GPU": "GPU-b"}, {"ALL": "fake-1 fake-0 ", "GPU": "GPU-a"}]


def test_without_an_environment_a_device_has_the_variables_of_the_quickstart() -> None:
    node = profiled_node([A, B])
    assert FakePlanner(lambda: node, dict).devices(CLAIM, [WantedDevice(A.uuid)]) == [
        FakePreparedDevice("GPU-a", "A100")
    ]


def test_what_each_container_gets_is_added_to_the_variables_of_the_quickstart() -> None:
    node = profiled_node([A, B], environment=(EnvironmentVariable("DRIVER", "{{ driver }}"),))
    (device,) = FakePlanner(lambda: node, dict).devices(CLAIM, [WantedDevice(A.uuid)])
    assert dict(device.environment or ()) == {
        "DRIVER": "gpu.example.com",
        "FAKE_DEVICE_0": "GPU-a",
        "FAKE_CLAIM_UID_C_DEVICE_0": "GPU-a",
        "FAKE_CLAIM_UID_C_MODEL_0": "A100",
    }


def test_an_empty_environment_is_none() -> None:
    assert [device.environment for device in planner().devices(CLAIM, [WantedDevice(A.uuid)])] == [()]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (variable("1{{ index }}", ""), "name: '10' is not the name of an environment variable"),
        (variable("A", "a\nb"), r"value: 'a\nb' has a control character, such as a line break"),
        (variable("A{{ wrong }}", ""), "name: there is no wrong, only"),
        (variable("A", "{{ config.sharing.wrong }}"), "value: there is no config.sharing.wrong"),
    ],
)
def test_what_cannot_be_rendered_keeps_the_claim_from_being_prepared(entry: EnvironmentVariable, expected: str) -> None:
    with pytest.raises(PrepareError) as caught:
        environments([WantedDevice(A.uuid)], entry, configs=(TIME_SLICING,))
    place = "claim default/c: DeviceProfile gpus: spec.groups[0].environment[0]."
    assert str(caught.value).startswith(f"{place}{expected}")


def test_a_file_is_bounded() -> None:
    large = MountedFile("/etc/large", "x" * 65537, source="spec.files[0]")
    with pytest.raises(PrepareError, match=r"spec.files\[0\].content: makes a file of 65537 bytes; at most 65536 are"):
        planner(files=(large,)).devices(CLAIM, [WantedDevice(A.uuid)])


def test_what_is_prepared_stays_as_it_was() -> None:
    before = planner(variable("OLD", "{{ uuid }}"), files=(MountedFile("/etc/old", "old"),))
    devices = before.devices(CLAIM, [WantedDevice(A.uuid, result=FIRST)])
    record: dict[str, FakePreparedClaim] = {CLAIM.uid: PreparedClaim(CLAIM.uid, "default", "c", tuple(devices))}
    for inventory in ([B], [Device(A.uuid, "H100", "gpu"), B]):
        node = profiled_node(inventory, each={"environment": (variable("NEW", ""),)})
        after = FakePlanner(lambda node=node: node, lambda: record)  # type: ignore[misc] # the default binds the value
        assert after.devices(CLAIM, [WantedDevice(A.uuid, result=FIRST)]) == devices


def test_the_texts_of_a_claim_have_one_budget() -> None:
    slow = "{% for x in range(900) %}{{ x }}{% endfor %}"
    entries = [variable(f"V{number}", slow) for number in range(80)]
    with pytest.raises(PrepareError, match="templates take more than 100000 steps together"):
        environments([WantedDevice(A.uuid, result=FIRST)], *entries)
