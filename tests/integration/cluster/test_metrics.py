"""What the driver's programs serve to Prometheus while they work: exactly what docs/metrics.md lists."""

from collections.abc import Iterable, Mapping

import aiohttp
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.dra.metricfamilies import CONTROLLER_FAMILIES, PLUGIN_FAMILIES, SHARED_FAMILIES
from fake_dra_driver.driver.metricfamilies import FAULTED_CALLS, FAULTED_DEVICES, METRICS_PREFIX
from fake_dra_driver.runtime.metricfamily import FAMILIES, LIBRARY_FAMILIES, Family
from tests.integration.cluster.world import CLASSIC, CONTROLLER, PLUGIN, World

pytestmark = CLASSIC


def named(families: Iterable[Family]) -> tuple[Family, ...]:
    return tuple(family.named(METRICS_PREFIX) for family in families)


OF_FAULTS = named((FAULTED_DEVICES, FAULTED_CALLS))
"""They have series where there are DeviceFaults, of which there are none here."""
OWN = {CONTROLLER: named(CONTROLLER_FAMILIES), PLUGIN: (*named(PLUGIN_FAMILIES), *OF_FAULTS)}
OF_BOTH = named(SHARED_FAMILIES)
SHARED = (*OF_BOTH, *FAMILIES, *LIBRARY_FAMILIES)
PORT = 8080
"""The chart's."""

Scrape = Mapping[str, Metric]
"""By the name that the list has."""


async def scrape(world: World, container: str) -> Scrape:
    """What a Prometheus would get of a part of the driver."""
    pod = await world.part(container)
    running = [
        found
        for node in world.cluster.embedded_nodes()
        for found in node.runtime.containers(pod.uid)
        if found.config.name == container and found.state == "running"
    ]
    url = f"http://127.0.0.1:{running[0].config.ports[PORT]}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        text = await response.text()
    found = text_string_to_metric_families(text)
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in found}


def labels_of(metric: Metric) -> set[str]:
    """The labels of its series, without that of a histogram's buckets."""
    return {label for sample in metric.samples for label in sample.labels} - {"le"}


def series_of(found: Scrape, families: Iterable[Family]) -> set[tuple[str, ...]]:
    """Names and label values of every series of these families."""
    samples = [sample for family in families for sample in found[family.name].samples]
    return {(sample.name, *sample.labels.values()) for sample in samples}


async def test_both_programs_serve_what_the_list_says_and_nothing_else(world: World) -> None:
    await world.apply(1)
    await world.wait_running(1)
    found = {container: await scrape(world, container) for container in OWN}
    for container, metrics in found.items():
        listed = {family.name: family for family in (*OWN[container], *SHARED)}
        assert metrics.keys() == listed.keys()
        for name, metric in metrics.items():
            assert (metric.type, metric.documentation) == (listed[name].type, listed[name].about), name
            assert not metric.samples or labels_of(metric) == set(listed[name].label_names), name
    for family in {*OWN[CONTROLLER], *OWN[PLUGIN], *SHARED} - {*OF_FAULTS}:
        has_series = [metrics[family.name].samples for metrics in found.values() if family.name in metrics]
        assert any(has_series), f"{family.name} has no series in any program, so its labels were not compared"


async def test_series_do_not_grow_with_claims_and_pods_and_never_name_them(world: World) -> None:
    await world.apply(1)
    await world.wait_running(1)
    before = {container: await scrape(world, container) for container in OWN}
    await world.apply(2, 3, 5)
    await world.wait_running(2, 3, 5)
    claims = await world.claims()
    pods = [pod for pod in (await world.client.list(Pod)).items if pod.key.namespace.startswith("test")]
    for container, families in OWN.items():
        after = await scrape(world, container)
        ours = (*families, *OF_BOTH)
        assert series_of(after, ours) == series_of(before[container], ours)
        values = {value for metric in after.values() for sample in metric.samples for value in sample.labels.values()}
        for obj in (*claims, *pods):
            assert not values & {obj.key.name, str(obj.key), obj.uid}
            assert not [value for value in values if obj.uid in value]
