"""Watches are woken for what they are about, and learn of everything else in time."""

import asyncio
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Key, Store
from fake_dra_driver.cluster.apiserver.store.waiters import EVERYTHING, Interest

PODS = ("", "pods")


def pod(name: str, node: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"nodeName": node}}


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_only_those_are_woken_whom_an_event_is_about() -> None:
    collection = Store().collection(PODS)
    interests = {
        "a": Interest("spec.nodeName", "a"),
        "b": Interest("spec.nodeName", "b"),
        "x": Interest("metadata.name", "x"),
        "other": Interest("metadata.namespace", "other"),
        "all": EVERYTHING,
    }
    async with asyncio.TaskGroup() as group:
        waiting = {name: group.create_task(collection.wait(1, interest)) for name, interest in interests.items()}
        await turns()
        collection.put(Key("default", "x"), pod("x", "a"))
        await turns()
        assert {name for name, task in waiting.items() if task.done()} == {"a", "x", "all"}
        collection.wake()


async def test_what_is_of_no_interest_is_passed_over() -> None:
    collection = Store().collection(PODS)
    before = collection.put(Key("default", "x"), pod("x", "b"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(collection.wait(before.revision, Interest("spec.nodeName", "a")))
        await turns()
        for _ in range(10):
            collection.put(Key("default", "x"), pod("x", "b"))
        last = collection.put(Key("default", "y"), pod("y", "a"))
    assert [event.record for event in collection.events_after(waiting.result())] == [last]


async def test_nothing_is_passed_over_while_events_are_held_back() -> None:
    collection = Store().collection(PODS)
    before = collection.put(Key("default", "x"), pod("x", "b"))
    collection.is_held = True
    interest, position = Interest("spec.nodeName", "a"), before.revision
    for name in ("y", "z"):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(collection.wait(position, interest))
            await turns()
            collection.put(Key("default", name), pod(name, "a"))
        position = waiting.result()
        assert collection.events_after(position) == []
    collection.is_held = False
    assert [event.record.key.name for event in collection.events_after(position)] == ["y", "z"]


async def test_an_object_that_leaves_a_selection_is_news_for_it() -> None:
    collection = Store().collection(PODS)
    before = collection.put(Key("default", "x"), pod("x", "a"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(collection.wait(before.revision, Interest("spec.nodeName", "a")))
        await turns()
        collection.put(Key("default", "x"), pod("x", "b"))
        await turns()
        assert waiting.done()


async def test_a_watch_that_sees_nothing_never_falls_behind_the_log() -> None:
    store = Store(log_length=8)
    collection = store.collection(PODS)
    position = store.revisions.current
    for number in range(50):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(collection.wait(position, Interest("spec.nodeName", "a")))
            await turns()
            collection.put(Key("default", f"p{number}"), pod(f"p{number}", "b"))
            await turns()
            if not waiting.done():
                waiting.cancel()
                continue
        assert collection.can_watch_from(waiting.result())
        position = collection.events_after(position)[-1].revision
    assert position > 40


def test_a_field_is_read_from_what_is_stored() -> None:
    record = Store().collection(PODS).put(Key("default", "x"), pod("x", "a"))
    paths = ("metadata.name", "metadata.namespace", "spec.nodeName", "spec.hostNetwork", "status.phase")
    assert [record.field(path) for path in paths] == ["x", "default", "a", "false", ""]


def test_the_objects_of_old_events_are_kept_encoded_alone() -> None:
    collection = Store().collection(PODS)
    records = []
    for number in range(200):
        records.append(collection.put(Key("default", "x"), pod("x", str(number))))
        assert records[-1].value["spec"]["nodeName"] == str(number)
    assert 0 < sum("value" in vars(record) for record in records) < 100
    assert records[7].value["spec"] == {"nodeName": "7"}
