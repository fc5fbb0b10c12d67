"""The metrics of both programs: exactly those of the list, right numbers, and series that do not pile up."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from fake_dra_driver.api.fake import LEDGER_REVISION_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.metricfamilies import CONTROLLER_FAMILIES, PLUGIN_FAMILIES, SHARED_FAMILIES
from fake_dra_driver.dra.node.metrics import PrepareMetrics
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.dra.programmetrics import EventCounts
from fake_dra_driver.driver.metricfamilies import METRICS_PREFIX, SECTIONS
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.metricfamily import FAMILIES, LIBRARY_FAMILIES, Family
from fake_dra_driver.runtime.metrics import Metrics
from tests.support.half_states import put_entry
from tests.support.node import NODE, UUIDS, NodeWorld, Plugin
from tests.support.world import NAMESPACE, Brain, World
from tests.unit.runtime.fakes import FakeReconciler

pytestmark = pytest.mark.looptime

ALL = [family for section in SECTIONS for family in section.families]
BASE_UNITS = {"seconds", "bytes"}


async def exposed(metrics: Metrics) -> Mapping[str, Metric]:
    """What a scrape gets, by the name that the list has."""
    found = text_string_to_metric_families((await metrics.render()).decode())
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in found}


async def series(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The value of each series, by the values of its labels in the list's order; for a histogram the count."""
    found = (await exposed(metrics))[name]
    labels = next(family.label_names for family in ALL if family.name == name)
    samples = [sample for sample in found.samples if found.type != "histogram" or sample.name.endswith("_count")]
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}


def count_up(metrics: Metrics) -> None:
    """One sample of each family of the framework."""
    Controller("pod", FakeReconciler()).use_metrics(metrics)
    metrics.for_events()
    metrics.for_leader_election("lease")
    metrics.observe_request("GET", "api", "200", 0.1)


def assert_listed(found: Mapping[str, Metric], wanted: Iterable[Family]) -> None:
    listed = {family.name: family for family in (each.named(METRICS_PREFIX) for each in wanted)}
    assert set(found) == set(listed)
    for name, metric in found.items():
        family = listed[name]
        assert (metric.type, metric.documentation) == (family.type, family.about), name
        labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
        assert metric.samples, f"{name} has no series, so its labels were not compared"
        assert labels == set(family.label_names), name


async def test_the_controller_shows_exactly_the_listed_metrics() -> None:
    world = World()
    world.node("n")
    brain = Brain(world)
    EventCounts(brain.metrics, "controller", REASONS)
    count_up(brain.metrics)
    brain.deliver()
    found = await exposed(brain.metrics)
    assert_listed(found, (*CONTROLLER_FAMILIES, *SHARED_FAMILIES, *FAMILIES, *LIBRARY_FAMILIES))


async def test_the_plugin_shows_exactly_the_listed_metrics() -> None:
    world = NodeWorld()
    plugin = await world.start()
    metrics = plugin_metrics(plugin)
    EventCounts(metrics, "kubelet-plugin", REASONS)
    count_up(metrics)
    await plugin.settle()
    await plugin.driver.prepare(world.claim("c", 0))
    found = await exposed(metrics)
    assert_listed(found, (*PLUGIN_FAMILIES, *SHARED_FAMILIES, *FAMILIES, *LIBRARY_FAMILIES))


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_names_follow_the_conventions_of_prometheus(family: Family) -> None:
    stem = family.name.removesuffix("_total")
    assert (family.name != stem) == (family.type == "counter")
    assert {unit for unit in BASE_UNITS if stem.endswith(f"_{unit}")} == {family.unit} & BASE_UNITS
    assert family.type != "histogram" or family.unit in BASE_UNITS
    assert family.about[0].isupper()
    assert family.unit
    assert all(meaning for _, meaning in family.labels)
    if family in [each.named(METRICS_PREFIX) for each in (*CONTROLLER_FAMILIES, *PLUGIN_FAMILIES, *SHARED_FAMILIES)]:
        assert family.name.startswith("fake_dra_")
        assert family.about.endswith(".")


def test_no_name_and_no_reason_is_listed_twice() -> None:
    names = [family.name for family in ALL]
    assert len(names) == len(set(names))
    reasons = [reason.name for reason in REASONS]
    assert len(reasons) == len(set(reasons))


# --- Devices


async def test_devices_by_state() -> None:
    world = World()
    world.node("n", devices=4)
    put_entry(world, "a", "n-0", "n-1")
    put_entry(world, "b", "n-2", "elsewhere")
    prepared = {"a": {"fake": {"devices": [{"uuid": "child", "parentUUID": "n-0"}, {"uuid": "n-1"}]}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"preparedDevices": prepared}})
    world.node("down", devices=2, status="NotReady")
    brain = Brain(world)
    brain.deliver()
    devices = {labels: value for labels, value in (await series(brain.metrics, "fake_dra_devices")).items() if value}
    assert devices == {
        ("n", "MODEL", "prepared"): 2,
        ("n", "MODEL", "allocated"): 1,
        ("n", "MODEL", "free"): 1,
        ("n", "", "missing"): 1,
        ("down", "MODEL", "unavailable"): 2,
    }
    assert await series(brain.metrics, "fake_dra_node_ready") == {("n",): 1, ("down",): 0}
    assert await series(brain.metrics, "fake_dra_allocated_claims") == {("n",): 2, ("down",): 0}


async def test_what_a_record_calls_models_makes_few_and_short_series() -> None:
    world = World()
    world.node("n")
    models = [f"one\n{number} " + "x" * 5000 for number in range(100)]
    devices = [{"fake": {"uuid": f"n-{number}", "name": model}} for number, model in enumerate(models)]
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": devices}})
    brain = Brain(world)
    brain.deliver()
    found = await series(brain.metrics, "fake_dra_devices")
    assert len({model for _, model, _ in found}) <= 33
    assert max(len(model) for _, model, _ in found) <= 63
    assert sum(found.values()) == 100


async def test_series_of_vanished_nodes_and_models_are_removed() -> None:
    world = World()
    world.node("n")
    world.node("other")
    brain = Brain(world)
    brain.deliver()
    assert {labels[0] for labels in await series(brain.metrics, "fake_dra_devices")} == {"n", "other"}
    world.api.delete(NodeAllocationState, "other", NAMESPACE)
    renamed = [{"fake": {"uuid": "n-0", "name": "NEW"}}]
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": renamed}})
    brain.deliver()
    assert {labels[:2] for labels in await series(brain.metrics, "fake_dra_devices")} == {("n", "NEW")}
    for name in ("fake_dra_node_ready", "fake_dra_allocated_claims"):
        assert set(await series(brain.metrics, name)) == {("n",)}


async def test_a_node_that_comes_back_has_its_series_again() -> None:
    world = World()
    world.node("n")
    brain = Brain(world)
    brain.deliver()
    await brain.metrics.render()
    world.api.delete(NodeAllocationState, "n", NAMESPACE)
    world.node("n", devices=3)
    brain.deliver()
    assert (await series(brain.metrics, "fake_dra_devices"))["n", "MODEL", "free"] == 3


async def test_the_number_of_series_does_not_grow_with_claims_pods_and_time() -> None:
    world = World()
    world.node("n", devices=2)
    brain = Brain(world)
    EventCounts(brain.metrics, "controller", REASONS)
    sizes = []
    async with brain.running():
        for number in range(4):
            world.claim(f"c{number}")
            world.pod(f"p{number}", [f"c{number}"], selected="n")
            world.claim(f"i{number}", mode="Immediate", count=9)
            await brain.settle()
            world.api.update(ResourceClaim, f"c{number}", "default", {"status": {"reservedFor": None}})
            world.api.delete(ResourceClaim, f"c{number}", "default")
            await brain.settle()
            found = await exposed(brain.metrics)
            sizes.append(sum(len(metric.samples) for metric in found.values()))
    assert len(set(sizes)) == 1


# --- Claims


async def test_allocations_are_timed_from_the_request() -> None:
    world = World()
    world.node("n", devices=4)
    brain = Brain(world)

    async def slow(verb: str, kind: str) -> None:
        await asyncio.sleep(2)

    brain.client.before_write = slow
    async with brain.running():
        world.claim("c")
        world.pod("p", ["c"], selected="n")
        await brain.settle()
        await asyncio.sleep(10)
        world.claim("i", mode="Immediate")
        await brain.settle()
        await asyncio.sleep(10)
        await brain.settle()
        world.api.delete(ResourceClaim, "i", "default")
        await brain.settle()
        await asyncio.sleep(10)
    counts = await series(brain.metrics, "fake_dra_allocation_duration_seconds")
    assert counts == {("WaitForFirstConsumer",): 1, ("Immediate",): 1}
    registry = brain.metrics.registry
    for mode in ("WaitForFirstConsumer", "Immediate"):
        seconds = registry.get_sample_value("fake_dra_allocation_duration_seconds_sum", {"mode": mode})
        assert seconds == pytest.approx(6, abs=0.1), "finalizer, ledger and status, 2 s each"
    assert await series(brain.metrics, "fake_dra_deallocation_duration_seconds") == {(): 1}


async def test_waiting_claims_and_how_long_they_wait() -> None:
    world = World()
    world.node("n", devices=1)
    world.api.apply(ResourceClass.from_wire({"metadata": {"name": "other"}, "driverName": "example.com"}))
    world.claim("big", count=2, mode="Immediate")
    world.claim("wanted")
    world.pod("p", ["wanted"], selected="", potential=["n"])
    world.claim("unwanted")
    world.claim("foreign", mode="Immediate")
    world.api.update(ResourceClaim, "foreign", "default", {"spec": {"resourceClassName": "other"}})
    brain = Brain(world)
    brain.deliver()
    assert await series(brain.metrics, "fake_dra_waiting_claims") == {(): 2}
    assert await series(brain.metrics, "fake_dra_oldest_waiting_claim_seconds") == {(): 600}
    for name in ("big", "wanted"):
        world.api.delete(ResourceClaim, name, "default")
    brain.deliver()
    assert await series(brain.metrics, "fake_dra_waiting_claims") == {(): 0}
    assert await series(brain.metrics, "fake_dra_oldest_waiting_claim_seconds") == {(): 0}


async def test_ledger_writes_by_outcome() -> None:
    world = World()
    world.node("n", devices=4)
    brain = Brain(world)
    revisions = ["x", "y"]

    async def interfere(verb: str, kind: str) -> None:
        if verb == "json_patch" and revisions:
            change = {"metadata": {"annotations": {LEDGER_REVISION_ANNOTATION: revisions.pop()}}}
            world.api.update(NodeAllocationState, "n", NAMESPACE, change)

    brain.client.before_write = interfere
    for name in ("a", "b"):
        world.claim(name)
        world.pod(f"p{name}", [name], selected="n")
    async with brain.running():
        await brain.settle()
    found = await series(brain.metrics, "fake_dra_ledger_writes_total")
    assert found[("conflict",)] == 2
    assert found[("failed",)] == 0
    assert 1 <= found[("written",)] <= 2
    assert await series(brain.metrics, "fake_dra_ledger_changes_total") == {(): 2}


async def test_claims_in_dispute_until_the_dispute_is_over() -> None:
    world = World()
    world.node("n")
    for name in ("a", "b"):
        world.claim(name)
        world.pod(f"p{name}", [name], selected="n")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        allocated, other = (world.read_claim(name) for name in ("a", "b"))
        if allocated.status.allocation is None:
            allocated, other = other, allocated
        assert allocated.status.allocation is not None
        status = {
            "driverName": allocated.status.driver_name,
            "allocation": allocated.status.allocation.to_wire(),
            "reservedFor": [{"resource": "pods", "name": "x", "uid": "x"}],
        }
        world.api.update(ResourceClaim, other.metadata.name, "default", {"status": status})
        await brain.settle()
        assert await series(brain.metrics, "fake_dra_disputed_claims") == {(): 1}
        world.api.delete(ResourceClaim, other.metadata.name, "default")
        await brain.settle()
        assert await series(brain.metrics, "fake_dra_disputed_claims") == {(): 0}


# --- Kubelet plugin


def plugin_metrics(plugin: Plugin) -> Metrics:
    metrics = Metrics(METRICS_PREFIX)
    counts = PrepareMetrics(
        metrics, NODE, FakePreparedModel(NODE), lambda: plugin.checkpoint.claims, lambda: plugin.is_serving
    )
    counts.worked("prepare", "success", 0.003)
    counts.worked("unprepare", "refused", 0.5)
    counts.answered("prepare", "too_slow")
    return metrics


async def test_what_is_prepared_on_the_node() -> None:
    world = NodeWorld()
    plugin = await world.start()
    metrics = plugin_metrics(plugin)
    await plugin.settle()
    claim = world.claim("c", WantedDevice(UUIDS[0], 3), 1)
    await plugin.driver.prepare(claim)
    assert await series(metrics, "fake_dra_prepared_claims") == {(NODE,): 1}
    assert await series(metrics, "fake_dra_prepared_devices") == {(NODE, "LATEST-FAKE-MODEL"): 2}
    await plugin.driver.unprepare(claim)
    plugin.is_serving = False
    assert await series(metrics, "fake_dra_prepared_claims") == {(NODE,): 0}
    assert await series(metrics, "fake_dra_prepared_devices") == {(NODE, "LATEST-FAKE-MODEL"): 0}
    assert await series(metrics, "fake_dra_plugin_ready") == {(NODE,): 0}


async def test_calls_of_the_kubelet_by_result() -> None:
    plugin = await NodeWorld().start()
    metrics = plugin_metrics(plugin)
    prepared = await series(metrics, "fake_dra_prepare_duration_seconds")
    assert prepared == {("success",): 1, ("refused",): 0, ("internal",): 0}
    unprepared = await series(metrics, "fake_dra_unprepare_duration_seconds")
    assert unprepared == {("success",): 0, ("refused",): 1, ("internal",): 0}
    answers = await series(metrics, "fake_dra_kubelet_answers_total")
    assert {labels for labels, value in answers.items() if value} == {("prepare", "too_slow")}
    assert len(answers) == 12


async def test_refusals_and_repairs_are_counted_by_their_events() -> None:
    metrics = Metrics(METRICS_PREFIX)
    counts = EventCounts(metrics, "controller", REASONS)
    for reason in REASONS:
        counts.count(reason.name)
    counts.count("SomethingElse")
    for name, kind in (("fake_dra_refusals_total", "refusal"), ("fake_dra_repairs_total", "repair")):
        assert await series(metrics, name) == {(reason.name,): 1 for reason in REASONS if reason.kind == kind}
