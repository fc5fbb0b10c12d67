"""Heavy work is done in threads while the event loop goes on, and its writes are in one piece all the same."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import pytest
from typing_extensions import override

from fake_dra_driver.cluster.apiserver import ApiServer, heavywork
from fake_dra_driver.cluster.apiserver.errors import Problem, StatusError
from fake_dra_driver.cluster.apiserver.heavywork import (
    HEAVY,
    LIGHT_STEPS,
    MAX_STEPS,
    HeavyWork,
    call_out,
    on_loop,
    spend,
)
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Record
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.options import WriteOptions
from fake_dra_driver.cluster.apiserver.verbs.writing import Writing
from tests.unit.cluster.apiserver.asking import Ask


def _name_of_thread() -> str:
    return threading.current_thread().name


async def test_light_work_is_done_where_it_is_asked_for() -> None:
    assert await HeavyWork().run(HEAVY - 1, _name_of_thread) == _name_of_thread()


async def test_no_work_leaves_the_loop_where_time_is_simulated() -> None:
    heavy = HeavyWork(in_threads=False)
    assert await heavy.run(HEAVY, _name_of_thread) == _name_of_thread()
    await heavy.run(0, spend, LIGHT_STEPS + 1)


async def test_heavy_work_lets_the_loop_go_on() -> None:
    """The work only ends once the loop has gone on."""
    goes_on = threading.Event()
    asyncio.get_running_loop().call_soon(goes_on.set)
    assert await HeavyWork().run(HEAVY, goes_on.wait)


async def test_what_heavy_work_does_on_the_loop() -> None:
    def work() -> tuple[str, str]:
        return _name_of_thread(), on_loop(_name_of_thread)

    away, home = await HeavyWork().run(HEAVY, work)
    assert home == _name_of_thread() != away


async def test_error_on_the_loop_is_that_of_the_work() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await HeavyWork().run(HEAVY, on_loop, fail)
    with pytest.raises(ValueError, match="no"):
        on_loop(fail)


async def test_heavy_work_is_done_a_few_at_a_time() -> None:
    heavy, may_end = HeavyWork(), threading.Event()
    running: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        running.append(number)
        most.append(len(running))
        may_end.wait()
        running.remove(number)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(heavy.run(HEAVY, work, number), name=f"work {number}")
        asyncio.get_running_loop().call_soon(may_end.set)
    assert max(most) <= heavywork._AT_ONCE
    assert len(most) == 6


async def test_too_much_waiting_work_is_refused() -> None:
    heavy, may_end = HeavyWork(), threading.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(heavywork._MOST_WAITING):
            group.create_task(heavy.run(HEAVY, may_end.wait), name=f"work {number}")
        await asyncio.sleep(0)
        with pytest.raises(StatusError) as refused:
            await heavy.run(HEAVY, may_end.wait)
        may_end.set()
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert await heavy.run(HEAVY, may_end.wait)


async def test_work_that_turns_out_to_be_heavy_is_begun_again_in_a_thread() -> None:
    threads: list[str] = []

    def work() -> str:
        threads.append(_name_of_thread())
        for _ in range(10):
            spend(LIGHT_STEPS // 5)
        return "done"

    assert await HeavyWork().run(0, work) == "done"
    assert threads[0] == _name_of_thread() != threads[1]
    assert len(threads) == 2


async def test_work_that_has_written_is_not_begun_again() -> None:
    written: list[str] = []

    def work() -> None:
        on_loop(lambda: written.append(_name_of_thread()))
        spend(LIGHT_STEPS + 1)

    await HeavyWork().run(0, work)
    assert written == [_name_of_thread()]


async def test_work_that_never_seems_to_end_is_ended() -> None:
    def work() -> None:
        while True:
            spend(LIGHT_STEPS)

    with pytest.raises(StatusError, match="request did not complete within requested timeout") as ended:
        await HeavyWork().run(0, work)
    assert (ended.value.code, ended.value.reason) == (504, "Timeout")


async def test_each_work_has_its_own_steps() -> None:
    heavy = HeavyWork()
    for _ in range(3):
        await heavy.run(HEAVY, spend, MAX_STEPS - 1)
    spend(MAX_STEPS + 1)  # outside of any request, as while the server starts


async def test_a_call_to_another_server_leaves_the_loop_free() -> None:
    """Work that makes one is begun again in a thread, and as much other work goes on there as ever."""
    heavy, answered = HeavyWork(), asyncio.Event()
    loop, begun = asyncio.get_running_loop(), []

    def work() -> int:
        begun.append(threading.current_thread())
        return call_out(lambda: asyncio.run_coroutine_threadsafe(answer(), loop).result())

    async def answer() -> int:
        await answered.wait()
        return 7

    calls = [asyncio.create_task(heavy.run(0, work)) for _ in range(3)]
    await heavy.run(HEAVY, spend, 1)
    answered.set()
    assert await asyncio.gather(*calls) == [7, 7, 7]
    assert begun.count(threading.main_thread()) == len(begun) / 2 == 3


class _Slow(Writing):
    """Writes between whose reading and writing something else happens, once for each of ``meanwhile``."""

    def __init__(self) -> None:
        parts = ApiServer()._parts
        layers = parts.handler._endpoints._layers
        super().__init__(parts.store, layers.types, layers.stamps, layers.admission)
        found = layers.registry.by_kind("v1", "ConfigMap")
        assert found is not None
        self.resource = found
        self.meanwhile: list[Callable[[], object]] = []

    @override
    def _problems(self, resource: Resource, obj: Object, old: Object | None, subresource: str) -> list[Problem]:
        if self.meanwhile:
            on_loop(self.meanwhile.pop())
        return super()._problems(resource, obj, old, subresource)

    def make(self, data: dict[str, str]) -> Record:
        """Makes the object of these tests."""
        return self.create(self.resource, "default", _body(data), WriteOptions())

    def add(self, data: dict[str, str]) -> Record:
        """Adds to its data."""

        def transform(obj: Object) -> Object:
            return {**obj, "data": {**obj["data"], **data}}

        return self.change(self.resource, _KEY, "", transform, WriteOptions())

    def replace(self, data: dict[str, str]) -> Record:
        """Replaces it, whatever its version is."""
        return self.update(self.resource, _KEY, "", _body(data), WriteOptions())[0]


_KEY = Key("default", "a")


def _body(data: dict[str, str]) -> Object:
    return {"metadata": {"name": _KEY.name}, "data": data}


async def test_overtaken_write_is_made_again() -> None:
    """No write is lost."""
    slow = _Slow()
    slow.make({"n": "0"})
    slow.meanwhile = [lambda: slow.add({"other": "1"})]
    record = await HeavyWork().run(HEAVY, slow.add, {"n": "1"})
    assert record.value["data"] == {"n": "1", "other": "1"}


async def test_overtaken_replacement_replaces() -> None:
    slow = _Slow()
    slow.make({"n": "0"})
    slow.meanwhile = [lambda: slow.add({"other": "1"})]
    record = await HeavyWork().run(HEAVY, slow.replace, {"n": "1"})
    assert record.value["data"] == {"n": "1"}


async def test_write_that_is_overtaken_each_time_is_a_conflict() -> None:
    slow = _Slow()
    slow.make({"n": "0"})

    def overtake(turn: int) -> None:
        slow.add({"other": str(turn)})
        slow.meanwhile = [partial(overtake, turn + 1)]

    slow.meanwhile = [partial(overtake, 0)]
    with pytest.raises(StatusError) as refused:
        await HeavyWork().run(HEAVY, slow.add, {"n": "1"})
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")


async def test_overtaken_creation_finds_the_other_object() -> None:
    slow = _Slow()
    slow.meanwhile = [lambda: slow.make({"by": "another"})]
    with pytest.raises(StatusError) as refused:
        await HeavyWork().run(HEAVY, slow.make, {"by": "me"})
    assert refused.value.reason == "AlreadyExists"
    assert slow.add({"n": "1"}).value["data"] == {"by": "another", "n": "1"}


async def test_many_objects_are_selected_and_deleted_in_a_thread(server: ApiServer, ask: Ask) -> None:
    store, path = server._parts.store.collection(("", "configmaps")), "/api/v1/namespaces/default/configmaps"
    for number in range(500):
        name, labels = f"c{number:03}", {"n": str(number)}
        metadata = {"name": name, "namespace": "default", "uid": str(number), "labels": labels}
        store.put(Key("default", name), {"metadata": metadata})
    selector = f"n in ({','.join(map(str, range(0, 1000, 2)))})"
    query = f"{path}?labelSelector={quote(selector)}"
    assert len(store) * len(selector) / 50 > HEAVY
    even = [f"c{number:03}" for number in range(0, 500, 2)]
    assert [each["metadata"]["name"] for each in (await ask("GET", query, code=200))["items"]] == even
    assert [each["metadata"]["name"] for each in (await ask("DELETE", query, code=200))["items"]] == even
    assert [record.key.name for record in store.records()] == [f"c{number:03}" for number in range(1, 500, 2)]
