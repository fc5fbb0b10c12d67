import asyncio

import pytest

from fake_dra_driver.runtime.metricfamily import EVENT_RESULTS, RECONCILE_RESULTS
from fake_dra_driver.runtime.metrics import Metrics
from tests.unit.runtime.fakes import sample

QUEUE = 'controller="pod",name="pod"'


async def lines(metrics: Metrics) -> list[str]:
    return (await metrics.render()).decode().splitlines()


async def test_names_and_labels_are_those_of_client_go_and_controller_runtime() -> None:
    metrics = Metrics()
    metrics.for_queue("pod")
    metrics.for_controller("pod")
    metrics.for_events()
    metrics.observe_request("GET", "10.0.0.1:6443", "200", 0.3)
    found = await lines(metrics)
    series = {line.rsplit(" ", 1)[0] for line in found if not line.startswith("#")}
    expected = {
        *(f"workqueue_{name}{{{QUEUE}}}" for name in ("depth", "adds_total", "retries_total")),
        *(f"workqueue_{name}_duration_seconds_sum{{{QUEUE}}}" for name in ("queue", "work")),
        *(f"workqueue_{name}_seconds{{{QUEUE}}}" for name in ("unfinished_work", "longest_running_processor")),
        *(f'controller_runtime_reconcile_total{{controller="pod",result="{one}"}}' for one in RECONCILE_RESULTS),
        'controller_runtime_reconcile_errors_total{controller="pod"}',
        'controller_runtime_terminal_reconcile_errors_total{controller="pod"}',
        'controller_runtime_reconcile_panics_total{controller="pod"}',
        'controller_runtime_reconcile_time_seconds_sum{controller="pod"}',
        'controller_runtime_active_workers{controller="pod"}',
        'controller_runtime_max_concurrent_reconciles{controller="pod"}',
        'controller_mapper_errors_total{controller="pod"}',
        *(f'event_recorder_events_total{{result="{one}"}}' for one in EVENT_RESULTS),
        'rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"}',
        'rest_client_request_duration_seconds_count{host="10.0.0.1:6443",verb="GET"}',
        'rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",le="0.5",verb="GET"}',
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
    }
    assert expected - series == set()


async def test_there_are_no_created_series() -> None:
    metrics = Metrics()
    metrics.for_queue("pod")
    assert [line for line in await lines(metrics) if "_created" in line] == []


async def test_requests_are_counted_by_code_and_timed_by_verb() -> None:
    metrics = Metrics()
    for code, seconds in (("200", 0.1), ("200", 0.2), ("<error>", 10)):
        metrics.observe_request("PATCH", "api", code, seconds)
    assert sample(metrics.registry, "rest_client_requests_total", code="200", host="api", method="PATCH") == 2
    assert sample(metrics.registry, "rest_client_requests_total", code="<error>", host="api", method="PATCH") == 1
    total = sample(metrics.registry, "rest_client_request_duration_seconds_sum", host="api", verb="PATCH")
    assert total == pytest.approx(10.3)


async def test_what_changes_with_time_is_set_before_each_rendering() -> None:
    metrics = Metrics()
    gauge = metrics.for_queue("pod").unfinished_work
    ages = iter([1, 2])
    metrics.add_refresher(lambda: gauge.set(next(ages)))
    for age in (1, 2):
        assert f"workqueue_unfinished_work_seconds{{{QUEUE}}} {age}.0" in await lines(metrics)


async def test_tasks_that_have_not_ended_are_counted() -> None:
    metrics = Metrics()

    async def count() -> float:
        await metrics.render()
        return sample(metrics.registry, "python_asyncio_tasks")

    before = await count()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(asyncio.Event().wait()) for _ in range(3)]
        assert await count() == before + 3
        for task in waiting:
            task.cancel()
    assert await count() == before


async def test_two_programs_in_one_process_do_not_share_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.for_queue("pod").adds.inc()
    second.for_queue("pod")
    assert sample(second.registry, "workqueue_adds_total", name="pod", controller="pod") == 0
