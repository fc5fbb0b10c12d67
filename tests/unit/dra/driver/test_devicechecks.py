"""What is wrong with devices, in the words of their author."""

from typing import Any, cast

import pytest

from fake_dra_driver.dra.driver.device import Capacity, Device, Taint, Version
from fake_dra_driver.dra.driver.devicechecks import device_problems
from fake_dra_driver.dra.node.health import Health


def problems(*devices: Device) -> list[str]:
    return list(device_problems(devices))


def test_nothing_is_wrong_with_what_is_allowed() -> None:
    device = Device(
        "nic-0",
        attributes={
            "family": "agilex",
            "luts": 2**63 - 1,
            "example.com/fast": True,
            "firmware": Version("1.2.3-rc.1+b"),
        },
        capacity={"bandwidth": Capacity("100G", default="1G", least="1G", most="50G", step="1G"), "ports": 4},
        shared=True,
        health=Health.UNHEALTHY,
        message="too hot",
        taints=[Taint("example.com/hot", "yes", "NoExecute"), Taint("hot")],
    )
    assert problems(device, Device("nic-1")) == []


def test_names() -> None:
    assert problems(Device("Lamp_0")) == ["device Lamp_0: name: must be a DNS label in lower case, is Lamp_0"]
    assert problems(Device("")) == ["device : name: must be a DNS label in lower case, is empty"]
    assert problems(Device("a" * 64)) == [f"device {'a' * 64}: name: at most 63 characters, has 64"]
    assert problems(Device("a"), Device("b"), Device("a")) == ["device a: is there twice"]


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"clock speed": 1}, "attributes['clock speed']: must be a C identifier, or domain/identifier, is clock speed"),
        ({"a_b/c": 1}, "attributes['a_b/c']: must be domain/identifier with a DNS subdomain, is a_b"),
        ({"luts": 2**63}, f"attributes['luts']: must fit into 64 bits, is {2**63}"),
        ({"family": "é" * 33}, "attributes['family']: at most 64 bytes, has 66"),
        ({"firmware": Version("1.2")}, "attributes['firmware']: must be a semantic version such as 1.2.3, is 1.2"),
        ({"speed": 1.5}, "attributes['speed']: must be a bool, an int, a str or a Version, is float"),
        ({"speed": None}, "attributes['speed']: must be a bool, an int, a str or a Version, is NoneType"),
        ({f"a{n}": n for n in range(33)}, "attributes and capacity: at most 32 together, are 33"),
        ([("a", 1)], "attributes: must be a mapping, is [('a', 1)]"),
    ],
)
def test_attributes(attributes: Any, wrong: str) -> None:
    assert problems(Device("lamp-0", attributes=attributes)) == [f"device lamp-0: {wrong}"]


@pytest.mark.parametrize(
    ("capacity", "wrong"),
    [
        ("1 GB", "must be a quantity such as 80Gi, is 1 GB"),
        (1.5, "must be a quantity such as '80Gi' or 4000, is float 1.5"),
        (True, "must be a quantity such as '80Gi' or 4000, is bool True"),
        ("-1", "must not be negative, is -1"),
    ],
)
def test_quantities(capacity: Any, wrong: str) -> None:
    assert problems(Device("lamp-0", capacity={"memory": capacity})) == [f"device lamp-0: capacity['memory']: {wrong}"]


def test_bounds_need_claims_that_share() -> None:
    wrong = problems(Device("nic-0", capacity={"bandwidth": Capacity("10G", least="1G")}))
    assert wrong == [
        "device nic-0: capacity['bandwidth']: least mean something only for a device that claims share: "
        "Device(shared=True)"
    ]


@pytest.mark.parametrize(
    ("capacity", "wrong"),
    [
        (Capacity("10G", most="11G", default="1G"), ".most: at most the value 10G, is 11G"),
        (Capacity("10G", least="11G"), ".least: at most 10G, is 11G"),
        (Capacity("10G", most="5G"), ".default: must be set, since all of it, 10G, is more than most, 5G"),
        (Capacity("10G", least="2G", default="1G"), ".default: must be from least to most, is 1G"),
        (Capacity("10G", step=0), ".step: must be more than 0, is 0"),
        (Capacity("10G", step="11G"), ".step: least and one step are more than the value 10G"),
        (Capacity("10G", step="3G", default="3G", most="9G"), ""),
        (
            Capacity("10G", step="3G", default="3G", most="8G"),
            ".most: must be least plus a multiple of step (3G); it is 8G",
        ),
        (Capacity("10G", step="3G"), ".default: must be least plus a multiple of step (3G); it is all of it, 10G"),
        (Capacity("10G", default="x"), ".default: must be a quantity such as 80Gi, is x"),
    ],
)
def test_bounds_agree_with_each_other(capacity: Capacity, wrong: str) -> None:
    found = problems(Device("nic-0", capacity={"bandwidth": capacity}, shared=True))
    if wrong:
        assert f"device nic-0: capacity['bandwidth']{wrong}" in found
    else:
        assert found == []


def test_taints_and_health() -> None:
    wrong = problems(
        Device("a", taints=[Taint("a b"), Taint("a", "b c"), cast("Taint", "hot")]),
        Device("b", health=cast("Health", 2)),
        Device("c", taints=[Taint(f"t{number}") for number in range(17)]),
        Device("d", shared=cast("bool", "yes")),
    )
    assert wrong == [
        "device a: taints[0].key: must be the name of a label, or domain/name, is a b",
        "device a: taints[1].value: must be the value of a label, is b c",
        "device a: taints[2]: must be a Taint, is str",
        "device b: health: must be one of Health, is 2",
        "device c: taints: at most 16, are 17",
        "device d: shared: must be True or False, is 'yes'",
    ]


def test_there_is_room_for_them_in_the_object_of_the_node() -> None:
    long = "x" * 1025
    assert problems(Device("lamp-0", message=long)) == ["device lamp-0: message: at most 1024 characters, has 1025"]
    attributes = {f"attribute_{number}": "x" * 60 for number in range(20)}
    (problem,) = problems(*(Device(f"lamp-{number}", attributes=attributes) for number in range(1000)))
    assert problem.startswith("1000 devices, ")
    assert "the object of the node has room for 786432" in problem
