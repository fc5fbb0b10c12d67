"""The names of devices and children are those of the Go driver: vectors from reference runs of it."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.device.gorand import hash31, int63s
from fake_dra_driver.device.inventory import Device, make_inventory, make_uuids
from fake_dra_driver.device.split import children

WORKER = (
    "FAKE-4d6cc6e5-e22d-3807-f026-783d55841ea5",
    "FAKE-0fc445e2-800c-177d-95e6-7fdad6b2427a",
    "FAKE-a1e41d9f-5b3a-d8f8-1b08-177352484a68",
    "FAKE-5d25fe96-37be-6082-ae92-d398d7d7038d",
    "FAKE-9fe9fc83-a0ec-2e8a-8749-e1a9423947d4",
    "FAKE-68cb1988-7257-2eff-4c68-f58c5ba83bd8",
    "FAKE-b944f3e9-c628-b1dc-edb1-262aaee87362",
    "FAKE-5bb9fd80-12c1-17f8-de47-7a3e76d565dc",
)
WORKER2 = (
    "FAKE-97668fc6-3582-18e1-4c8f-150c8096e44b",
    "FAKE-4a5a3d41-3408-7f66-e566-ca971ffade15",
    "FAKE-110b8d75-8589-00c2-daf3-d023741545a9",
    "FAKE-07a4928b-3850-ab21-8f99-f399a821e945",
    "FAKE-548ddd6a-c278-a5cd-bb5d-7a0f4fb4edbf",
    "FAKE-7c05394f-4204-eb72-8744-cc1711419b9a",
    "FAKE-7e1248e4-b0a2-070c-c99c-a41ad0141ccc",
    "FAKE-503aaa3c-24bf-4776-0860-6359e6da0776",
)
HALVES = {
    WORKER[0]: ("d54e4b82-88d3-5d4b-a30b-b692b3805590", "8e0f322e-bab9-0b81-64f1-eaf4736e2b9d"),
    WORKER[1]: ("bcca8f6c-bacb-4aa3-dcfd-4398db24f464", "83fde35b-4eca-d530-17b0-390d716f4fdd"),
    WORKER[2]: ("ada51adc-03ff-7b1d-3544-19d383c65050", "56987ca9-c08b-aa42-6aa6-fd8a86c8a133"),
    WORKER[3]: ("2a8de7eb-9452-21e3-6d05-f450a477b5d0", "72c1b335-926a-17e5-9315-1e2e5a7f6624"),
    WORKER[4]: ("f1b6fb52-bb42-7cc5-742c-ae90f97e7f70", "cc350b90-eca1-5076-83d0-4b6dd7cb9a9c"),
    WORKER[5]: ("f53ce980-a727-5c42-8e81-88a4da5d44a2", "66e9f270-80d3-d369-54f4-c823390711d2"),
    WORKER[6]: ("c3d6644d-29b2-c7b6-5393-95af636f14f8", "b60e3cc1-54b4-1093-36b6-b8b0d59938c0"),
    WORKER[7]: ("612391cf-f75b-bd17-fb90-92b63e26f37e", "5151740b-00c1-88f9-0d1b-018f6d8b3986"),
}


@pytest.mark.parametrize(
    ("seed", "numbers"),
    [
        (1, [5577006791947779410, 8674665223082153551, 6129484611666145821]),
        (0, [8717895732742165505]),
        (-5, [1811683815564572222]),
    ],
)
def test_numbers_are_those_of_math_rand(seed: int, numbers: list[int]) -> None:
    assert list(islice(int63s(seed), len(numbers))) == numbers


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("fake-dra-driver-cluster-worker", -2812771049193015868),
        ("fake-dra-driver-cluster-worker2", 5037817843564266222),
        (WORKER[6], 3483096199248466809),
        ("node-1", 3254795046),
        ("", 0),
        ("ノード", 12407963),
    ],
)
def test_seed_of_a_text(text: str, seed: int) -> None:
    assert hash31(text) == seed


@pytest.mark.parametrize(
    ("node", "uuids"),
    [
        ("fake-dra-driver-cluster-worker", WORKER),
        ("fake-dra-driver-cluster-worker2", WORKER2),
        ("node-1", ("FAKE-7bad7559-1636-cf0a-d725-6b33c29a8680", "FAKE-b16f4dbe-e5b6-3be1-7a31-20865aa74d76")),
        ("", ("FAKE-0194fdc2-fa2f-fcc0-41d3-ff12045b73c8",)),
        ("ノード", ("FAKE-083fe7c6-eb41-5f50-24ea-f7d8b3661a01",)),
    ],
)
def test_devices_of_a_node(node: str, uuids: tuple[str, ...]) -> None:
    inventory = make_inventory(node, len(uuids), ["LATEST-FAKE-MODEL"])
    assert inventory == tuple(Device(uuid, "LATEST-FAKE-MODEL") for uuid in uuids)


@pytest.mark.parametrize("parent", WORKER)
def test_halves_of_a_device(parent: str) -> None:
    assert children(parent, 2) == tuple(f"FAKE-{uuid}" for uuid in HALVES[parent])


def test_fifths_of_a_device() -> None:
    assert children(WORKER[0], 5) == (
        "FAKE-d54e4b82-88d3-5d4b-a30b-b692b3805590",
        "FAKE-8e0f322e-bab9-0b81-64f1-eaf4736e2b9d",
        "FAKE-e9cac997-9d0a-ed70-440f-2336510b9ca4",
        "FAKE-c9c00578-943e-e9dc-4299-afec99c6317f",
        "FAKE-a94f729b-65d0-d854-2905-8dc95b51e4a0",
    )


def test_a_single_child_is_not_its_parent() -> None:
    assert children(WORKER[2], 1) == ("FAKE-ada51adc-03ff-7b1d-3544-19d383c65050",)


def test_models_are_assigned_in_turn() -> None:
    assert [device.model for device in make_inventory("n", 5, ["A", "B"])] == ["A", "B", "A", "B", "A"]


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_a_smaller_inventory_is_a_prefix_of_a_larger_one(seed: str, some: int, more: int) -> None:
    assert make_uuids(seed, some + more)[:some] == make_uuids(seed, some)
