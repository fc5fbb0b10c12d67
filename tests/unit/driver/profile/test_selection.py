"""Which profile describes a node: by driver, labels, priority and then name, with the reason."""

from typing import Any

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.driver.profile.selection import choose_profile

DRIVER = "gpu.example.com"


def profile(name: str, **spec: Any) -> DeviceProfile:
    return DeviceProfile.from_wire({"metadata": {"name": name}, "spec": {"driverName": DRIVER, **spec}})


def chosen(*profiles: DeviceProfile, **labels: str) -> tuple[str | None, str]:
    found = choose_profile(profiles, DRIVER, labels)
    return (None if found.profile is None else found.profile.metadata.name), found.reason


def test_without_a_profile_for_the_node_there_is_none() -> None:
    other = DeviceProfile.from_wire({"metadata": {"name": "a"}, "spec": {"driverName": "other.example.com"}})
    elsewhere = profile("b", nodeSelector={"matchLabels": {"rack": "2"}})
    assert chosen(other, elsewhere, rack="1") == (None, "no DeviceProfile is for this node")


def test_the_labels_of_the_node_decide() -> None:
    here, there = (profile(name, nodeSelector={"matchLabels": {"rack": name}}) for name in ("a", "b"))
    assert chosen(here, there, rack="b") == ("b", "no other DeviceProfile is for this node")
    assert chosen(profile("all", nodeSelector={}))[0] == "all"


def test_the_highest_priority_counts() -> None:
    assert chosen(profile("a"), profile("b", priority=10), profile("c", priority=-1)) == (
        "b",
        "its priority 10 is the highest of the DeviceProfiles for this node; the others are a (0), c (-1)",
    )


def test_of_one_priority_the_first_by_name_counts() -> None:
    others = [profile(f"p-{n}") for n in range(8)]
    assert chosen(*reversed(others)) == (
        "p-0",
        "of the DeviceProfiles with priority 0 for this node it is the first by name; the others are p-1 (0), p-2 (0), "
        "p-3 (0), p-4 (0), p-5 (0) and 2 more",
    )


def test_the_rivals_of_the_one_that_counts_are_known() -> None:
    profiles = [profile("a", priority=5), profile("c", priority=5), profile("b", priority=5), profile("d")]
    assert choose_profile(profiles, DRIVER, {}).rivals == ("b", "c")
    assert choose_profile([], DRIVER, {}).rivals == ()
