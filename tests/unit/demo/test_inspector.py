"""How often the demo asks, in simulated time."""

import asyncio

import pytest

from fake_dra_driver.demo.expectations import DemoError
from fake_dra_driver.demo.inspector import Inspector

pytestmark = pytest.mark.looptime


class Answers:
    """Answers after so many seconds; yes at the question of that number."""

    def __init__(self, seconds: float, yes_at: int) -> None:
        self.asked: list[float] = []
        self._seconds = seconds
        self._yes_at = yes_at

    async def __call__(self) -> str:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._seconds)
        return "" if len(self.asked) == self._yes_at else f"answer {len(self.asked)}"

    @property
    def pauses(self) -> list[float]:
        return [round(then - before, 3) for before, then in zip(self.asked, self.asked[1:], strict=False)]


@pytest.fixture
def inspector() -> Inspector:
    return Inspector(None, "fake-system", deadline_seconds=60)  # type: ignore[arg-type] # nothing is asked of it


async def test_asks_until_it_is_so(inspector: Inspector) -> None:
    answers = Answers(0, 3)
    await inspector.wait("it is so", answers)
    assert answers.pauses == [0.1, 0.1]


async def test_leaves_a_cluster_alone_that_answers_slowly(inspector: Inspector) -> None:
    answers = Answers(0.5, 3)
    await inspector.wait("it is so", answers)
    assert answers.pauses == [5, 5], "a tenth of the time is spent on questions"


async def test_tells_the_last_answer_at_the_deadline(inspector: Inspector) -> None:
    with pytest.raises(DemoError, match="Timed out after 60 s, waiting until pigs fly: answer 600"):
        await inspector.wait("pigs fly", Answers(0, 0))
