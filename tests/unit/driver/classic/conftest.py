"""What most tests of the controller's half-states begin with."""

import pytest

from tests.support.half_states import world_with_claim
from tests.support.world import World


@pytest.fixture
def world() -> World:
    """Two nodes with two devices each, and a claim c."""
    return world_with_claim()
