"""The metrics of the controller in structured DRA: some of those of classic DRA, under the same names."""

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.metricfamilies import SHARED_CONTROLLER_FAMILIES
from fake_dra_driver.driver.metricfamilies import METRICS_PREFIX
from tests.support.structuredworld import CLASS, StructuredBrain, StructuredWorld, opaque, parameters, result
from tests.unit.runtime.fakes import sample

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> StructuredWorld:
    world = StructuredWorld()
    world.node("n", devices=2)
    return world


async def waiting(world: StructuredWorld) -> tuple[float, float]:
    """How many claims wait, and for how many seconds the oldest one has."""
    brain = StructuredBrain(world)
    brain.deliver()
    await brain.metrics.render()
    registry = brain.metrics.registry
    return sample(registry, "fake_dra_waiting_claims"), sample(registry, "fake_dra_oldest_waiting_claim_seconds")


async def test_the_controller_shows_what_both_modes_have(world: StructuredWorld) -> None:
    brain = await world.run()
    await brain.metrics.render()
    found = {family.name for family in brain.metrics.registry.collect() if family.name.startswith("fake_dra_")}
    assert found == {each.named(METRICS_PREFIX).name.removesuffix("_total") for each in SHARED_CONTROLLER_FAMILIES}


async def test_devices_and_writes(world: StructuredWorld) -> None:
    world.claim("c", result("n", 0))
    registry = (brain := await world.run()).metrics.registry
    await brain.metrics.render()
    assert sample(registry, "fake_dra_devices", node="n", model="MODEL", state="allocated") == 1
    assert sample(registry, "fake_dra_devices", node="n", model="MODEL", state="free") == 1
    assert sample(registry, "fake_dra_allocated_claims", node="n") == 1
    assert sample(registry, "fake_dra_ledger_writes_total", result="written") == 1
    assert sample(registry, "fake_dra_ledger_changes_total") == 1


async def test_a_claim_waits_while_a_pod_without_a_node_uses_it(world: StructuredWorld) -> None:
    world.claim("used")
    world.claim("unused")
    world.claim("allocated", result("n", 0))
    world.pod("p", "used", "allocated")
    world.pod("q", "used", "missing")
    assert await waiting(world) == (1, 600), "the pods were created ten minutes ago"


async def test_a_claim_of_a_template_waits_for_its_pod(world: StructuredWorld) -> None:
    world.claim("made")
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"resourceClaims": [{"name": "fakes", "resourceClaimTemplateName": "t"}]},
        "status": {"resourceClaimStatuses": [{"name": "fakes", "resourceClaimName": "made"}]},
    }
    world.api.apply(Pod.from_wire(pod))
    assert (await waiting(world))[0] == 1


async def test_claims_of_other_drivers_do_not_count(world: StructuredWorld) -> None:
    other = v1.CelSelector(expression='device.driver == "other.example.com"')
    spec = v1.DeviceClassSpec(selectors=(v1.DeviceSelector(cel=other),))
    world.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="other"), spec=spec))
    selector = {"cel": {"expression": f"device.attributes['{DRIVER_NAME}'].index == 1"}}

    def asks(class_name: str, **more: object) -> list[dict[str, object]]:
        return [{"name": "fakes", "exactly": {"deviceClassName": class_name, **more}}]

    world.claim("other", requests=asks("other"))
    world.claim("unknown", requests=asks("typo"))
    world.claim("by-selector", requests=asks("typo", selectors=[selector]))
    world.claim("by-config", requests=asks("typo"), config=[opaque(parameters())])
    alternative = [{"name": "fakes", "firstAvailable": [{"name": "a", "deviceClassName": CLASS}]}]
    world.claim("by-alternative", requests=alternative)
    world.pod("p", "other", "unknown", "by-selector", "by-config", "by-alternative")
    assert (await waiting(world))[0] == 3
    world.api.delete(v1.DeviceClass, CLASS)
    assert (await waiting(world))[0] == 3, "the chart's class is known by its name"
