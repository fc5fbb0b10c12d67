"""Random lives of a node with a Driver: calls, stops, failures, claims that come and go in any order."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.dra.node.driver import PrepareError
from tests.crash.bounds import examples
from tests.support.disk import Crash
from tests.support.drivernode import CDI_ROOT, CardClaim, CardMachine, CardPlugin

pytestmark = pytest.mark.looptime

NAMES = st.sampled_from("abc")
CARDS = st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True)
METHODS = st.sampled_from(["prepare", "unprepare"])


class Life:
    """One node, and what may happen to it."""

    def __init__(self) -> None:
        self.machine = CardMachine()
        self.plugin: CardPlugin | None = None

    async def running(self) -> CardPlugin:
        """The plugin, which is started again where it was stopped."""
        if self.plugin is None:
            self.plugin = await self.machine.start()
            await self.plugin.reconcile()
        return self.plugin

    # --- What happens

    async def allocate(self, name: str, cards: Sequence[int]) -> None:
        """The scheduler gives a claim cards that no other claim holds."""
        claims = self.machine.lookup.claims
        taken = {device.name for uid, each in claims.items() if uid != f"uid-{name}" for device in each.devices}
        if free := [card for card in cards if f"card-{card}" not in taken]:
            self.machine.claim(name, *free)

    async def delete(self, name: str) -> None:
        """A claim goes, and its pod may still run."""
        self.machine.lookup.claims.pop(f"uid-{name}", None)
        self.machine.lookup.abandoned.discard(f"uid-{name}")

    async def abandon(self, name: str) -> None:
        """The controller finds that no pod can use what was prepared for a claim."""
        self.machine.lookup.abandoned.add(f"uid-{name}")

    async def prepare(self, name: str) -> None:
        if (found := self.machine.lookup.claims.get(f"uid-{name}")) is not None:
            with suppress(PrepareError):
                await (await self.running()).prepare(CardClaim(found.claim, found.devices))

    async def unprepare(self, name: str) -> None:
        if (found := self.machine.lookup.claims.get(f"uid-{name}")) is not None:
            with suppress(PrepareError):
                await (await self.running()).unprepare(CardClaim(found.claim, found.devices))

    async def reconcile(self) -> None:
        await (await self.running()).reconcile()

    async def break_down(self, method: str, card: int) -> None:
        self.machine.broken ^= {(method, f"card-{card}")}

    async def together(self, names: Sequence[str]) -> None:
        """Claims are prepared at the same time."""
        await asyncio.gather(*map(self.prepare, names))

    async def stop(self, event: "Event", step: int, *, reboots: bool) -> None:
        """The process dies at a step of something else that happens."""
        steps = self.machine.files.steps
        steps.stop_at = steps.taken + step
        with suppress(Crash):
            await event(self)
        self.machine.stop(*([CDI_ROOT] if reboots else []))
        self.plugin = None

    # --- What must always be so

    def check(self) -> None:
        """Nothing is done to a card that is not on record, and no card is loaded for two claims."""
        for uid, card in self.machine.loaded:
            assert card in [entry["name"] for entry in self.machine.recorded(uid)], f"{card} of {uid} is forgotten"
        users = Counter(card for _, card in self.machine.loaded)
        assert not users or max(users.values()) == 1, f"a card is loaded for two claims: {self.machine.loaded}"

    async def end(self) -> None:
        """Everything works again, and every claim goes."""
        self.machine.broken.clear()
        self.plugin = None
        for name in "abc":
            await self.delete(name)
            await self.abandon(name)
        await self.reconcile()
        self.machine.assert_sound()


Event = Callable[[Life], Awaitable[None]]

CALLS: st.SearchStrategy[Event] = st.one_of(
    NAMES.map(lambda name: lambda life: life.prepare(name)),
    NAMES.map(lambda name: lambda life: life.unprepare(name)),
    st.just(Life.reconcile),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    CALLS,
    st.builds(lambda name, cards: lambda life: life.allocate(name, cards), NAMES, CARDS),
    st.builds(
        lambda event, step, reboots: lambda life: life.stop(event, step, reboots=reboots),
        CALLS,
        st.integers(0, 40),
        st.booleans(),
    ),
    st.just(lambda life: life.together("abc")),
    NAMES.map(lambda name: lambda life: life.delete(name)),
    NAMES.map(lambda name: lambda life: life.abandon(name)),
    st.builds(lambda method, card: lambda life: life.break_down(method, card), METHODS, st.integers(0, 2)),
)


@examples(60, 1_500)
@given(events=st.lists(EVENTS, max_size=25))
async def test_whatever_happens_nothing_that_was_done_to_a_card_is_forgotten(events: Sequence[Event]) -> None:
    life = Life()
    for event in events:
        await event(life)
        life.check()
    await life.end()
