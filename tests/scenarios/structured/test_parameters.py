"""Requests and opaque parameters that are wrong: what the API server refuses, what an Event says, how it goes on."""

import re
from collections.abc import Mapping

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.reason import INVALID_PARAMETERS
from tests.e2e.client import ClientError, Manifest
from tests.scenarios.structured.manifests import claim, device_class, parameters, pod, request
from tests.scenarios.structured.world import World

_DEVICE = re.compile(r"^export FAKE_DEVICE_\d+=", re.MULTILINE)


@pytest.mark.parametrize(
    ("devices", "explained"),
    [
        ({"requests": [{"name": "fake"}]}, ("requests[0]", "exactly one of `exactly` or `firstAvailable` is required")),
        ({"requests": [request(count=-1)]}, ("requests[0].exactly.count", "must be greater than zero")),
        ({"requests": [request(), request()]}, ("requests[1]", "Duplicate value")),
        ({"requests": [request(select=["device.driver =="])]}, ("expression", "compilation failed")),
        ({"requests": [request(select=['"text"'])]}, ("expression", "must evaluate to bool")),
        (
            {"requests": [request()], "constraints": [{"requests": ["other"], "matchAttribute": "example.com/a"}]},
            ("constraints[0].requests[0]", "must be the name of a request in the claim"),
        ),
        ({"requests": [request()], "config": [parameters(["other"])]}, ("config[0].requests[0]",)),
    ],
)
def test_api_server_refuses_claims(world: World, devices: Manifest, explained: tuple[str, ...]) -> None:
    wrong = {**claim("wrong", world.namespace), "spec": {"devices": devices}}
    with pytest.raises(ClientError) as refusal:
        world.create(wrong)
    for part in explained:
        assert part in str(refusal.value)


def test_requests_of_a_claim_cannot_be_changed(world: World) -> None:
    world.create(claim("claim", world.namespace))
    changed = {"spec": {"devices": {"requests": [request(count=2)]}}}
    with pytest.raises(ClientError, match="field is immutable"):
        world.client.patch(v1.ResourceClaim, "claim", changed, world.namespace)


def test_parameters_that_cannot_be_used_keep_the_pod_from_running(world: World) -> None:
    """On the cluster's own node. The claim's user makes another of the same name, and the pod of that runs."""
    wrong = parameters(count=3)
    world.create(
        claim("claim", world.namespace, config=[wrong]),
        pod("pod0", world.namespace, claims={"device": "claim"}, pool=None),
    )
    world.wait_message("claim", INVALID_PARAMETERS.name, "spec.devices.config[0].opaque.parameters.spec.count")
    world.wait_message("pod0", "FailedPrepareDynamicResources", "spec.count", seconds=60)
    world.end_pod("pod0")
    world.delete(v1.ResourceClaim, "claim")
    world.wait("claim gone", lambda: not world.claims())
    world.create(
        claim("claim", world.namespace, config=[parameters(split=3)]),
        pod("pod0", world.namespace, claims={"device": "claim"}, pool=None),
    )
    assert _devices_of_running_pod(world, "pod0") == 3


@pytest.mark.parametrize(
    ("config", "devices"),
    [
        pytest.param({}, 2, id="of-the-class"),
        pytest.param({"split": 5}, 5, id="of-the-claim-before-the-class"),
    ],
)
def test_parameters_of_class_and_claim(
    world: World, class_name: str, config: Mapping[str, object], devices: int
) -> None:
    world.create(
        device_class(class_name, config=[parameters(split=2)]),
        claim(
            "claim",
            world.namespace,
            request(class_name=class_name),
            config=[parameters(["fake"], **config)] if config else (),
        ),
        pod("pod0", world.namespace, claims={"device": "claim"}, pool=None),
    )
    assert _devices_of_running_pod(world, "pod0") == devices
    # What was allocated keeps the parameters that it was allocated with.
    changed = device_class(class_name, config=[parameters(split=7)])
    world.client.patch(v1.DeviceClass, class_name, {"spec": changed["spec"]})
    world.create(pod("pod1", world.namespace, claims={"device": "claim"}, pool=None))
    assert _devices_of_running_pod(world, "pod1") == devices


def _devices_of_running_pod(world: World, name: str) -> int:
    """How many devices its container has printed."""
    world.wait(f"{name} runs", lambda: world.pods()[name].is_ready)
    world.wait("printed", lambda: "FAKE_DEVICE" in world.client.logs(world.pods()[name]))
    return len(_DEVICE.findall(world.client.logs(world.pods()[name])))
