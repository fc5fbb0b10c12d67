"""Generated clusters, side by side: in a control plane with a real kube-scheduler, and in the embedded cluster."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.bench.api import Api
from tests.crash.bounds import IS_SOAK
from tests.kubescheduler.agreement import Disagreement, disagreements, shrunk
from tests.kubescheduler.cluster import ClusterUnderTest
from tests.kubescheduler.example import Example
from tests.kubescheduler.generated import examples

_COUNT = 2000 if IS_SOAK else 150
_BATCH = 50
_MOST_SHRUNK = 3
"""Of the examples that are different; each takes a minute."""


@pytest.mark.apiserver(newest=True)
async def test_all_agree_with_kube_scheduler(kube_scheduler: Path, embedded: Path) -> None:
    # Seeds that are not those of the record; in a soak, always others.
    first = random.SystemRandom().randrange(10**6, 10**9) if IS_SOAK else 10**6
    found: list[Disagreement] = []
    async with (
        Api.connect(kube_scheduler) as real_api,
        Api.connect(embedded) as our_api,
        ClusterUnderTest.open(real_api) as real,
        ClusterUnderTest.open(our_api) as ours,
    ):
        for batch in _batches(range(first, first + _COUNT)):
            found += await disagreements(real, ours, batch)
            if len(found) >= _MOST_SHRUNK:
                break
        small = [await shrunk(real, ours, each) for each in found[:_MOST_SHRUNK]]
    assert not found, f"of the examples from seed {first} on:\n" + "\n\n".join(map(str, small))


def _batches(seeds: range) -> Iterator[Sequence[Example]]:
    for begin in range(0, len(seeds), _BATCH):
        yield list(examples(seeds[begin : begin + _BATCH]))
