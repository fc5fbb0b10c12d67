"""Generated clusters, of which a file says what kube-scheduler did with them."""

from pathlib import Path
from typing import Final

from tests.bench.api import Api
from tests.crash.bounds import IS_SOAK
from tests.kubescheduler import record
from tests.kubescheduler.agreement import cluster_differences
from tests.kubescheduler.cluster import ClusterUnderTest
from tests.kubescheduler.judge import differences

_IN_CLUSTER: Final = None if IS_SOAK else 60
"""How many also run in the embedded cluster, which takes a hundred times as long as the allocator alone."""


def test_the_allocator_does_what_kube_scheduler_did() -> None:
    found = {
        seed: texts
        for seed, (example, run) in enumerate(record.read())
        if (texts := differences(example, run.outcomes))
    }
    assert not found


async def test_the_embedded_cluster_does_what_kube_scheduler_did(embedded: Path) -> None:
    recorded = list(record.read())[:_IN_CLUSTER]
    async with Api.connect(embedded) as api, ClusterUnderTest.open(api) as cluster:
        runs = await cluster.run([example for example, _ in recorded])
    found = {}
    for number, ((example, real), ours) in enumerate(zip(recorded, runs, strict=True)):
        assert not ours.invalid, ours.invalid
        # Where a pod has got another node, the allocator says whether it was as good.
        texts = [*cluster_differences(real, ours), *differences(example, ours.outcomes)]
        if texts:
            found[number] = texts
    assert not found
