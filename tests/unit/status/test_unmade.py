"""Pods that wait for claims that do not exist, in either mode of DRA."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.status.report import WaitingClaim
from tests.support.structuredworld import CLASS, StructuredWorld
from tests.support.world import World
from tests.unit.status.conftest import report_of

AnyWorld = World | StructuredWorld
METADATA = ObjectMeta(name="t", namespace="default")


@pytest.fixture(params=["classic", "structured"])
def world(request: pytest.FixtureRequest) -> AnyWorld:
    """A world with a class of this driver, and no claims."""
    world: AnyWorld = World() if request.param == "classic" else StructuredWorld()
    world.node("n")
    return world


def pod(entry: dict[str, Any], *statuses: dict[str, Any], **metadata: str) -> Pod:
    """Pod p with one entry in ``resourceClaims``."""
    return Pod.from_wire(
        {
            "metadata": {"name": "p", "namespace": "default", **metadata},
            "spec": {"resourceClaims": [{"name": "x", **entry}]},
            "status": {"resourceClaimStatuses": list(statuses)} if statuses else {},
        }
    )


def by_template(world: AnyWorld) -> dict[str, Any]:
    reference = {"resourceClaimTemplateName": "t"}
    return {"source": reference} if isinstance(world, World) else reference


def by_name(world: AnyWorld) -> dict[str, Any]:
    reference = {"resourceClaimName": "c"}
    return {"source": reference} if isinstance(world, World) else reference


def template(world: AnyWorld, class_name: str) -> None:
    """Template t, of claims of a class."""
    if isinstance(world, World):
        spec = v1alpha2.ResourceClaimTemplateSpec(spec=v1alpha2.ResourceClaimSpec(resource_class_name=class_name))
        world.api.apply(v1alpha2.ResourceClaimTemplate(metadata=METADATA, spec=spec))
        return
    request = {"name": "x", "exactly": {"deviceClassName": class_name}}
    wire = {"metadata": METADATA.to_wire(), "spec": {"spec": {"devices": {"requests": [request]}}}}
    world.api.apply(v1.ResourceClaimTemplate.from_wire(wire))


def waiting(world: AnyWorld) -> tuple[WaitingClaim, ...]:
    return report_of(world.api, version="v1alpha2" if isinstance(world, World) else "v1").waiting


def test_a_claim_that_does_not_exist(world: AnyWorld) -> None:
    world.api.apply(pod(by_name(world)))
    (claim,) = waiting(world)
    assert (claim.name, claim.uid, claim.class_name, claim.pods) == ("c", "", "", ("p",))
    assert (claim.reason, claim.message) == ("ClaimNotFound", "pod p names claim c, which does not exist: create it")
    assert claim.since is not None
    world.claim("c")
    assert [claim.reason for claim in waiting(world)] != ["ClaimNotFound"]


def test_a_template_that_does_not_exist(world: AnyWorld) -> None:
    world.api.apply(pod(by_template(world)))
    (claim,) = waiting(world)
    assert (claim.name, claim.reason) == ("p-x", "TemplateNotFound")
    assert claim.message == (
        "pod p needs a claim of template t, which does not exist: create the ResourceClaimTemplate"
    )


def test_a_claim_that_is_yet_to_be_made(world: AnyWorld) -> None:
    template(world, "fake" if isinstance(world, World) else CLASS)
    world.api.apply(pod(by_template(world)))
    (claim,) = waiting(world)
    assert (claim.name, claim.reason) == ("p-x", "ClaimNotMade")


def test_templates_of_other_drivers_are_not_shown(world: AnyWorld) -> None:
    if isinstance(world, World):
        world.api.apply(v1alpha2.ResourceClass(metadata=ObjectMeta(name="other"), driver_name="example.com"))
    else:
        world.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="other")))
    template(world, "other")
    world.api.apply(pod(by_template(world)))
    assert waiting(world) == ()


def test_pods_that_need_no_claim_do_not_wait_for_one(world: AnyWorld) -> None:
    world.api.apply(pod(by_template(world), {"name": "x"}))
    assert waiting(world) == (), "Kubernetes says so by a status without a name"
    world.api.apply(pod(by_template(world), deletionTimestamp="2026-01-01T00:00:00Z"))
    assert waiting(world) == (), "the pod is being deleted"
