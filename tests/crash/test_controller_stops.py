"""The controller is stopped right before and right after each of its writes, one run for each, and loses nothing."""

from functools import partial

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from tests.crash.kubernetes import Kubernetes
from tests.crash.process import Moment, Steps, controller, supervised
from tests.crash.soundness import complaints
from tests.crash.stage import Stage
from tests.crash.stories import STORIES
from tests.crash.story import SIMULATED, Story, Teller

pytestmark = SIMULATED

FEWEST_WRITES = 6
"""Finalizer, ledger and status at least, there and back again."""


async def tell(story: Story, stage: Stage, steps: Steps) -> None:
    """Tells the story to its end."""
    async with supervised(stage, controller, steps):
        await story(Teller(stage, Kubernetes(stage), lambda: complaints(stage)))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_a_stop_at_each_write_loses_nothing_and_gives_nothing_twice(story: Story, moment: Moment) -> None:
    stage, undisturbed = Stage(), Steps()
    await stage.furnish()
    restore = stage.keep()
    await tell(story, stage, undisturbed)
    assert len(undisturbed.taken) >= FEWEST_WRITES
    for position, what in enumerate(undisturbed.taken):
        restore()
        steps = Steps(position, moment)
        try:
            await tell(story, stage, steps)
        except AssertionError as error:
            raise AssertionError(f"stopped {moment} write {position}, {what}") from error
        assert steps.has_stopped, f"write {position}, {what}, was not reached"


async def test_what_was_written_is_known_at_once_however_late_the_watches_are() -> None:
    """A choice that is made without the last ones would be refused by the ledger, or give a device twice."""
    stage, steps = Stage(), Steps()
    await stage.furnish()
    await stage.node("n", devices=3)
    async with supervised(stage, controller, steps):
        teller = Teller(stage, Kubernetes(stage), lambda: complaints(stage))
        await teller.at_rest()
        with stage.server.late_events(NodeAllocationState.resource.group, NodeAllocationState.resource.plural):
            for claim in ("c", "d", "e"):
                await stage.claim(claim, mode="Immediate")
                await teller.until("it is allocated", partial(stage.allocated, claim))
        await teller.at_rest()
    assert steps.refused == []
