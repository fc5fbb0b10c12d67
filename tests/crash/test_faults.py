"""Every fault at every request: nothing is lost, nothing is given twice, and all is as it should be in the end.

In ``make test`` each request of each story meets one fault, another one than its neighbours; in ``make soak`` all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.bounds import IS_SOAK
from tests.crash.host import PLUGIN
from tests.crash.kubernetes import Kubernetes
from tests.crash.mishaps import MISHAPS, Requests
from tests.crash.process import CONTROLLER, Steps, controller, supervised
from tests.crash.soundness import complaints
from tests.crash.stage import Stage
from tests.crash.stories import STORIES
from tests.crash.story import SIMULATED, Story, Teller
from tests.crash.theatre import SCENES, Theatre

pytestmark = SIMULATED

START = 16
"""Requests at the start of the controller, a list and a watch for each kind: the same ones in every story."""


def cases(requests: int, number: int, start: int = 0) -> Iterator[tuple[int, str]]:
    """Which mishap happens at which request: all at each; or one at each, those of the start shared by the stories.

    Args:
        requests: how many there are.
        number: of the story.
        start: how many of the requests every story has.
    """
    names = list(MISHAPS)
    for position in range(requests):
        if IS_SOAK:
            yield from ((position, name) for name in names)
        elif position >= start or position % len(STORIES) == number:
            # 7 has no divisor in common with their number, so that each story meets all of them in turn.
            yield position, names[(number + 7 * position) % len(names)]


async def tell(story: Story, stage: Stage, requests: Requests) -> None:
    """Tells the story to its end."""
    with requests.watched(stage):
        async with supervised(stage, controller, Steps()):
            await story(Teller(stage, Kubernetes(stage), lambda: complaints(stage)))


@pytest.mark.parametrize("number", range(len(STORIES)), ids=STORIES.keys())
async def test_a_fault_at_each_request_of_the_controller_changes_nothing(number: int) -> None:
    story = list(STORIES.values())[number]
    stage, undisturbed = Stage(), Requests(CONTROLLER)
    await stage.furnish()
    restore = stage.keep()
    await tell(story, stage, undisturbed)
    assert all(what.split()[0] in ("list", "watch") for what in undisturbed.taken[:START])
    for position, mishap in cases(len(undisturbed.taken), number, START):
        restore()
        requests = Requests(CONTROLLER, position, MISHAPS[mishap])
        what = f"{mishap} at request {position}, {undisturbed.taken[position]}"
        try:
            await tell(story, stage, requests)
        except AssertionError as error:
            raise AssertionError(what) from error
        assert requests.has_struck, f"not reached: {what}"


@pytest.mark.parametrize(
    ("mishap", "request_"),
    [
        ("503 though it was carried out", "patch resourceclaims c"),
        ("timeout though it was carried out", "patch resourceclaims c"),
        ("timeout", "patch nodeallocationstates n"),
    ],
)
async def test_a_device_that_was_held_in_vain_is_for_the_next(mishap: str, request_: str) -> None:
    """The next one was told that there is no room, and no change of the record tells it otherwise."""
    stage, undisturbed = Stage(), Requests(CONTROLLER)
    await stage.furnish()
    restore = stage.keep()
    await tell(STORIES["change_of_mind"], stage, undisturbed)
    restore()
    requests = Requests(CONTROLLER, undisturbed.taken.index(request_), MISHAPS[mishap])
    await tell(STORIES["change_of_mind"], stage, requests)
    assert requests.has_struck


@pytest.mark.parametrize("number", range(len(SCENES)), ids=SCENES.keys())
async def test_a_fault_at_each_request_of_the_plugin_changes_nothing(number: int, tmp_path: Path) -> None:
    theatre, undisturbed = await Theatre.open(list(SCENES.values())[number], tmp_path), Requests(PLUGIN)
    with undisturbed.watched(theatre.stage):
        await theatre.play(Steps())
    for position, mishap in cases(len(undisturbed.taken), number):
        requests = Requests(PLUGIN, position, MISHAPS[mishap])
        what = f"{mishap} at request {position}, {undisturbed.taken[position]}"
        try:
            with requests.watched(theatre.stage):
                await theatre.play(Steps())
        except AssertionError as error:
            raise AssertionError(what) from error
        assert requests.has_struck, f"not reached: {what}"
