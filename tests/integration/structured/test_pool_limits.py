"""What is refused before it is sent, a real API server refuses too; and it takes what is not refused."""

import contextlib

import pytest

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.pool import Pool, slices_of
from fake_dra_driver.dra.structured.slicespec import at_generation, says
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import BadRequestError, InvalidError
from tests.support.apiserver import ApiServer
from tests.support.pool_faults import FAULTS, GOOD, PoolFault
from tests.support.slice_world import DRIVER

pytestmark = pytest.mark.apiserver(structured=True)


async def is_kept(client: Client, pool: Pool) -> bool:
    """Sends the slices of a pool, whatever is wrong with them: whether what is stored then is what was sent.

    Raises:
        InvalidError, BadRequestError: the API server refuses a slice.
    """
    served = await client.discovery.group("resource.k8s.io")
    api = RESOURCE_APIS[served.first_of(*RESOURCE_APIS) or "none"]
    kept = []
    for wanted in slices_of(DRIVER, pool):
        metadata = ObjectMeta(name="fault-" + wanted.name)
        there = await client.create(api.slices(metadata=metadata, spec=at_generation(wanted.spec, 1)))
        kept.append(says(there.spec, wanted.spec))
        await client.delete(api.slices, there.key)
    return all(kept)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.is_seen_by_server], ids=str)
async def test_the_api_server_refuses_it_or_drops_it(fault: PoolFault, client: Client) -> None:
    """Where the field's feature gate is off, it is dropped before it is looked at."""
    with contextlib.suppress(InvalidError, BadRequestError):
        assert not await is_kept(client, fault.pool)


@pytest.mark.parametrize("pool", GOOD)
async def test_the_api_server_takes_what_is_not_refused(pool: Pool, client: Client, apiserver: ApiServer) -> None:
    assert await is_kept(client, pool) or apiserver.minor < 36
