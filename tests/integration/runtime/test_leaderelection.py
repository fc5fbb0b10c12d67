"""The Lease as a real API server takes it."""

import asyncio

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseTiming

pytestmark = pytest.mark.apiserver

TIMING = LeaseTiming(lease_duration_seconds=60, renew_deadline_seconds=30, retry_period_seconds=0.1)


async def test_a_lease_is_acquired_renewed_released_and_taken_over(client: Client, namespace: str) -> None:
    key = NamespacedName(namespace, "example")
    first, second = (LeaderElector(client, key, name, timing=TIMING) for name in ("first", "second"))
    await first.acquire()
    acquired = await client.get(Lease, key)
    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(first.renew(), name="renew")
        waiting = group.create_task(second.acquire(), name="acquire")
        async with asyncio.timeout(30):
            renewed = acquired
            while renewed.spec == acquired.spec:
                renewed = await client.get(Lease, key)
        assert not waiting.done()
        renewing.cancel()
        await asyncio.wait([renewing])
        await first.release()
        async with asyncio.timeout(30):
            await waiting
    taken = await client.get(Lease, key)
    assert renewed.spec.acquire_time == acquired.spec.acquire_time
    assert (acquired.spec.holder_identity, taken.spec.holder_identity) == ("first", "second")
    assert (acquired.spec.lease_transitions, taken.spec.lease_transitions) == (0, 1)
