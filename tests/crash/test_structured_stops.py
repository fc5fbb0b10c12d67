"""The plugin of structured DRA is stopped at each write to API server and disk, and loses nothing.

Every other stop comes right before its step, and leaves what the system has in memory; the others come right after it,
and cut the power, as in ``test_plugin_stops``.
"""

import asyncio
from pathlib import Path

from tests.crash.disk import Disk, PatientExecutor, PowerCut
from tests.crash.process import Moment, Steps, supervised
from tests.crash.story import SIMULATED
from tests.crash.structuredcluster import StructuredCluster

pytestmark = SIMULATED

FEWEST_STEPS = 20
CUTS: tuple[PowerCut, PowerCut] = ("nothing unsynced is there", "names are there without their data")


async def story(cluster: StructuredCluster) -> None:
    """Two devices of a claim are split, another claim looks at them; then the next claims get them."""
    await cluster.at_rest()
    await cluster.run_pod("split", 2, split=2)
    await cluster.run_pod("look", 2, admin=True)
    await cluster.at_rest()
    await cluster.end_pod("split", deleted=False, by_force=True)
    await cluster.run_pod("next", 2)
    await cluster.lose_slices()
    await cluster.at_rest()
    for name in list(cluster.pods):
        await cluster.end_pod(name, deleted=True)
    await cluster.at_rest()


async def play(root: Path, steps: Steps, cut: PowerCut | None = None) -> None:
    """The story from its beginning to its end; a stop is one of the power when ``cut`` says how."""
    disk = Disk(root)
    cluster = StructuredCluster(disk)
    await cluster.furnish()
    on_stop = (lambda: None) if cut is None else (lambda: cluster.host.reboot(cut))
    with disk.watched():
        async with supervised(cluster.stage, cluster.host.plugin, steps, on_stop):
            await story(cluster)


async def test_a_stop_at_each_step_loses_nothing(tmp_path: Path) -> None:
    asyncio.get_running_loop().set_default_executor(PatientExecutor(1))
    undisturbed = Steps()
    await play(tmp_path / "undisturbed", undisturbed)
    assert len(undisturbed.taken) >= FEWEST_STEPS
    for position, what in enumerate(undisturbed.taken):
        moment: Moment = "before" if position % 2 else "after"
        cut = None if moment == "before" else CUTS[position // 2 % 2]
        steps = Steps(position, moment)
        try:
            await play(tmp_path / str(position), steps, cut)
        except AssertionError as error:
            raise AssertionError(f"stopped {moment} step {position}, {what}; {cut or 'power stays on'}") from error
        assert steps.has_stopped, f"step {position}, {what}, was not reached"
