"""The kubelet plugin is stopped right before and right after each write to API server and disk, and loses nothing.

A stop before a step is one of the process alone, whose successor finds what the system has in memory. After a step the
power is cut: what was not synced is gone, as is everything in /var/run, and every container is started again.
"""

from pathlib import Path

import pytest

from tests.crash.disk import PowerCut
from tests.crash.process import Moment, Steps
from tests.crash.story import SIMULATED
from tests.crash.theatre import SCENES, Scene, Theatre

pytestmark = SIMULATED

FEWEST_STEPS = 20
CUTS: tuple[PowerCut, PowerCut] = ("nothing unsynced is there", "names are there without their data")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
async def test_a_stop_at_each_step_loses_nothing(scene: Scene, moment: Moment, tmp_path: Path) -> None:
    theatre, undisturbed = await Theatre.open(scene, tmp_path), Steps()
    await theatre.play(undisturbed)
    assert len(undisturbed.taken) >= FEWEST_STEPS
    for position, what in enumerate(undisturbed.taken):
        steps = Steps(position, moment)
        cut = None if moment == "before" else CUTS[position % 2]
        try:
            await theatre.play(steps, cut)
        except AssertionError as error:
            raise AssertionError(f"stopped {moment} step {position}, {what}; {cut or 'power stays on'}") from error
        assert steps.has_stopped, f"step {position}, {what}, was not reached"
