"""The checkpoint against a dict, in random orders of calls, failures and restarts."""

import asyncio
import errno
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.support.disk import Crash, MemoryFiles

T = TypeVar("T")

PATH = Path("/plugin/checkpoint.json")
MODEL = FakePreparedModel("worker")
UIDS = st.sampled_from("abcd")
DEVICES = st.lists(
    st.builds(
        FakePreparedDevice, st.sampled_from(["FAKE-0", "FAKE-1"]), st.just("M"), st.sampled_from([None, "FAKE-2"])
    ),
    max_size=3,
).map(tuple)
CLAIMS = st.builds(PreparedClaim, UIDS, st.just("default"), st.sampled_from(["x", "ノード", 'quo"te']), DEVICES)
CHANGES = st.lists(st.one_of(CLAIMS, UIDS), max_size=6)
"""A claim is put, a UID is removed."""


class _Inline(ThreadPoolExecutor):
    """Does the work at once, in the caller's thread: nothing is left to chance."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - as ThreadPoolExecutor does; the caller gets it
            future.set_exception(error)
        return future


class CheckpointMachine(RuleBasedStateMachine):
    """Each rule does the same to the checkpoint and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(_Inline())
        self.files = MemoryFiles()
        self.checkpoint = Checkpoint(self.files, PATH, MODEL)
        self.call(self.checkpoint.load())
        self.claims: dict[str, FakePreparedClaim] = {}
        self.is_complete = False

    def teardown(self) -> None:
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def together(self, changes: Sequence[FakePreparedClaim | str]) -> list[BaseException | None]:
        async def one(change: FakePreparedClaim | str) -> None:
            await (self.checkpoint.remove(change) if isinstance(change, str) else self.checkpoint.put(change))

        return await asyncio.gather(*map(one, changes), return_exceptions=True)

    def model(self, changes: Sequence[FakePreparedClaim | str]) -> None:
        for change in changes:
            if isinstance(change, str):
                self.claims.pop(change, None)
            else:
                self.claims[change.uid] = change

    @rule(changes=CHANGES)
    def change(self, changes: Sequence[FakePreparedClaim | str]) -> None:
        assert set(self.call(self.together(changes))) <= {None}
        self.model(changes)

    @rule(changes=CHANGES)
    def change_on_a_full_disk(self, changes: Sequence[FakePreparedClaim | str]) -> None:
        before = dict(self.claims)
        self.files.errors["write"] = [OSError(errno.ENOSPC, "full")]
        outcomes = self.call(self.together(changes))
        self.files.errors.clear()
        self.model(changes)
        if any(outcomes):
            # Removals of what is not there have nothing to wait for.
            assert all(isinstance(o, OSError) or isinstance(c, str) for c, o in zip(changes, outcomes, strict=True))
            self.claims = before

    @rule()
    def complete(self) -> None:
        self.call(self.checkpoint.complete())
        self.is_complete = True

    @rule()
    def restart(self) -> None:
        self.files = self.files.after_stop()
        self.checkpoint = Checkpoint(self.files, PATH, MODEL)
        self.call(self.checkpoint.load())

    @precondition(lambda self: self.claims or self.is_complete)
    @rule(changes=CHANGES, step=st.integers(0, 1))
    def stop_during_a_write(self, changes: Sequence[FakePreparedClaim | str], step: int) -> None:
        """Before its change everything is as it was, after it as it was asked for."""
        before, was = dict(self.claims), self.files.contents[PATH]
        self.files.steps.stop_at = self.files.steps.taken + step
        assert {type(outcome) for outcome in self.call(self.together(changes))} <= {type(None), Crash}
        self.model(changes)
        if self.files.contents[PATH] == was:
            self.claims = before
        self.restart()

    @invariant()
    def memory_is_as_the_model(self) -> None:
        assert self.checkpoint.claims == self.claims
        assert self.checkpoint.is_complete == self.is_complete

    @invariant()
    def the_disk_is_as_memory(self) -> None:
        found = Checkpoint(self.files.after_stop(), PATH, MODEL)
        self.call(found.load())
        assert (found.claims, found.is_complete) == (self.claims, self.is_complete)


TestCheckpointMachine = CheckpointMachine.TestCase
TestCheckpointMachine.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
