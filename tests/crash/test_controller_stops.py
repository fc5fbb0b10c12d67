"""The controller is stopped right before and right after each of its writes, one run for each, and loses nothing."""

import pytest

from tests.crash.kubernetes import Kubernetes
from tests.crash.process import Moment, Steps, controller, supervised
from tests.crash.stage import Stage
from tests.crash.stories import STORIES
from tests.crash.story import Story, Teller

pytestmark = pytest.mark.looptime

FEWEST_WRITES = 6
"""Finalizer, ledger and status at least, there and back again."""


async def tell(story: Story, steps: Steps) -> None:
    """Tells the story on a stage of its own, to its end."""
    stage = Stage()
    await stage.furnish()
    async with supervised(stage, controller, steps):
        await story(Teller(stage, Kubernetes(stage)))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_a_stop_at_each_write_loses_nothing_and_gives_nothing_twice(story: Story, moment: Moment) -> None:
    undisturbed = Steps()
    await tell(story, undisturbed)
    assert len(undisturbed.taken) >= FEWEST_WRITES
    for position, what in enumerate(undisturbed.taken):
        steps = Steps(position, moment)
        try:
            await tell(story, steps)
        except AssertionError as error:
            raise AssertionError(f"stopped {moment} write {position}, {what}") from error
        assert steps.has_stopped, f"write {position}, {what}, was not reached"
