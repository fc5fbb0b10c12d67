"""A running scheduler; tests are the users, the drivers and the other controllers."""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.scheduler import make_scheduler
from tests.support.control_plane import ControlPlane, control_plane

KINDS = (Node, Pod, PodSchedulingContext, ResourceClaim)


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {"default-scheduler": lambda plane, *parts: make_scheduler(*parts, now=plane.now)}
    async with control_plane(make, KINDS) as plane:
        yield plane
