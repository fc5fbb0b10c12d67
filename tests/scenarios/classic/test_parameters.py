"""Parameters that are wrong, missing or late: what the API server refuses, what an event says, how it goes on."""

from collections.abc import Mapping

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, FakeClaimParameters
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.e2e.client import ClientError, Manifest
from tests.scenarios.classic.manifests import ParametersReference, claim, claim_parameters, class_parameters, pod
from tests.scenarios.classic.world import AT_ONCE_SECONDS, World


@pytest.mark.parametrize(
    ("spec", "explained"),
    [
        ({"count": 0}, ("spec.count", "greater than or equal to 1")),
        ({"count": -1}, ("spec.count", "greater than or equal to 1")),
        ({"count": 129}, ("spec.count", "less than or equal to 128")),
        ({"count": 1, "split": -1}, ("spec.split", "greater than or equal to 0")),
        ({"count": 1, "split": 65}, ("spec.split", "less than or equal to 64")),
        ({"count": 128, "split": 9}, ("count times split must be at most 1024",)),
        ({"count": "1"}, ("spec.count", "integer")),
        ({"count": 1, "selector": {}}, ("spec.selector", "model")),
        ({"count": 1, "selector": {"model": ""}}, ("spec.selector.model",)),
    ],
)
def test_api_server_refuses_claim_parameters(
    world: World, spec: Mapping[str, object], explained: tuple[str, ...]
) -> None:
    assert_refused(world, claim_parameters("wrong", world.namespace, **spec), explained)


def test_api_server_refuses_class_without_selectors(world: World) -> None:
    assert_refused(world, class_parameters("wrong", []), ("spec.deviceSelector", "1"))


def test_unknown_fields_are_refused(world: World) -> None:
    assert_refused(world, claim_parameters("wrong", world.namespace, cuont=2), ("unknown field", "cuont"))


def test_api_server_prunes_unknown_fields_of_other_clients(world: World) -> None:
    manifest = claim_parameters("pruned", world.namespace, count=2, cuont=3)
    world.client.create(manifest, validate=False)
    assert world.client.read(FakeClaimParameters, "pruned", world.namespace)["spec"] == {"count": 2, "split": 0}


def test_defaults_are_one_whole_device(world: World) -> None:
    world.create(claim_parameters("defaults", world.namespace))
    assert world.client.read(FakeClaimParameters, "defaults", world.namespace)["spec"] == {"count": 1, "split": 0}


def test_parameters_that_come_late(world: World) -> None:
    world.create(claim("claim", world.namespace, "late"), pod("pod0", world.namespace, claims={"device": "claim"}))
    world.wait_message("ResourceClaim", "claim", "FakeClaimParameters", f"{world.namespace}/late")
    world.check_pending("pod0")
    world.create(claim_parameters("late", world.namespace, count=2))
    world.wait_bound("pod0", seconds=AT_ONCE_SECONDS)
    assert [len(devices) for devices in world.devices_of(world.claims()["claim"]).values()] == [2]


@pytest.mark.parametrize(
    "reference",
    [
        ParametersReference("there", kind="ConfigMap"),
        ParametersReference("there", api_group="example.com"),
        ParametersReference("there", kind="DeviceClassParameters"),
    ],
    ids=["kind", "group", "kind-of-the-class"],
)
def test_reference_of_a_wrong_group_or_kind(world: World, reference: ParametersReference) -> None:
    """``spec`` of a claim cannot be changed: its user makes a new claim of the same name, and the pod goes on."""
    world.create(
        claim_parameters("there", world.namespace),
        claim("claim", world.namespace, reference),
        pod("pod0", world.namespace, claims={"device": "claim"}),
    )
    world.wait_message(
        "ResourceClaim", "claim", reference.kind, reference.api_group, "there", "FakeClaimParameters", DRIVER_NAME
    )
    world.check_pending("pod0")
    world.end_pod("pod0")
    world.delete(ResourceClaim, "claim", wait=True)
    world.create(claim("claim", world.namespace, "there"), pod("pod0", world.namespace, claims={"device": "claim"}))
    world.wait_bound("pod0")


def test_changed_parameters_do_not_change_an_allocation(world: World) -> None:
    world.create(
        claim_parameters("two", world.namespace, count=2),
        claim("claim", world.namespace, "two"),
        pod("pod0", world.namespace, claims={"device": "claim"}),
    )
    world.wait_bound("pod0")
    before = world.claims()["claim"]
    held = world.devices_of(before)
    world.correct("two", count=5)
    world.create(pod("pod1", world.namespace, claims={"device": "claim"}))
    world.wait_bound("pod1")
    after = world.claims()["claim"]
    assert after.status.allocation == before.status.allocation
    assert world.devices_of(after) == held


def assert_refused(world: World, manifest: Manifest, explained: tuple[str, ...]) -> None:
    with pytest.raises(ClientError) as refused:
        world.create(manifest)
    for part in explained:
        assert part in str(refused.value)
