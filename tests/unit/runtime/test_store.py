"""News of an object in every order in which it can come: lists, events, and the answers to our own writes."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.store import Change, Entry, Store


def entry(name: str, version: int, uid: str = "", label: str = "") -> Entry[Node]:
    uid = uid or f"uid-{name}"
    metadata = ObjectMeta(name=name, uid=UID(uid), resource_version=str(version), labels={"is": label})
    return Entry(NamespacedName("", name), UID(uid), version, Node(metadata=metadata))


def versions(store: Store[Node]) -> dict[str, int]:
    return {one.key.name: one.version for one in store.entries()}


def kinds(changes: Sequence[Change[Node]]) -> list[str]:
    return ["removed" if change.new is None else "changed" if change.old else "added" for change in changes]


def test_an_answer_that_lists_and_events_are_past_brings_nothing_new() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3)], 10)
    assert store.observe(entry("gone", 9)) == [], "it would be in the list if it still were there"
    assert store.observe(entry("a", 2)) == []
    store.apply_delete(entry("a", 12))
    assert store.observe(entry("a", 11)) == [], "our write came before its end"
    assert versions(store) == {}


def test_an_answer_is_here_before_its_event_and_the_event_changes_nothing() -> None:
    store: Store[Node] = Store()
    store.replace([], 10)
    assert kinds(store.observe(entry("a", 11))) == ["added"]
    assert store.version == 10, "what happened in between has still to be told"
    assert store.apply(entry("a", 11)) == []
    assert kinds(store.apply(entry("a", 12))) == ["changed"]


def test_of_two_states_the_newer_counts_in_whatever_order_they_come() -> None:
    for order in permutations((11, 12, 13)):
        store: Store[Node] = Store()
        store.replace([], 10)
        for version in order:
            store.observe(entry("a", version))
        assert versions(store) == {"a": 13}, order


def test_what_our_own_delete_removed_is_never_seen_again() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3)], 10)
    assert kinds(store.observe_delete(UID("uid-a"))) == ["removed"]
    assert store.apply(entry("a", 11)) == [], "an event of its life, on its way when it ended"
    assert store.replace([entry("a", 11)], 11) == [], "a list that was made before its end"
    assert store.was_deleted(UID("uid-a"))
    assert kinds(store.apply(entry("a", 14, uid="successor"))) == ["added"]


def test_what_left_a_selector_may_come_back() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3)], 10)
    assert kinds(store.apply_delete(entry("a", 11))) == ["removed"]
    assert store.was_deleted(UID("uid-a"))
    assert kinds(store.apply(entry("a", 12))) == ["added"]
    assert not store.was_deleted(UID("uid-a"))


def test_a_list_removes_what_it_does_not_name_unless_we_wrote_it_later() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3), entry("b", 4)], 10)
    store.observe(entry("ours", 15))
    assert kinds(store.replace([entry("a", 3)], 12)) == ["removed"]
    assert versions(store) == {"a": 3, "ours": 15}
    assert kinds(store.replace([entry("a", 3)], 15)) == ["removed"]
    assert versions(store) == {"a": 3}


def test_a_successor_of_the_same_name_is_two_changes() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3)], 10)
    assert kinds(store.apply(entry("a", 11, uid="successor"))) == ["removed", "added"]
    assert store.by_uid(UID("uid-a")) is None
    assert store.was_deleted(UID("uid-a"))
    assert store.apply_delete(entry("a", 12)) == [], "the end of the first, told late, is not that of the second"
    assert versions(store) == {"a": 11}


def test_bookmarks_move_the_version_on_and_never_back() -> None:
    store: Store[Node] = Store()
    store.replace([], 10)
    store.advance(20)
    store.advance(15)
    assert store.version == 20
    assert store.observe(entry("a", 18)) == []


def test_a_history_that_went_back_is_taken_as_it_is() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 30, label="late"), entry("b", 31)], 40)
    store.observe_delete(UID("uid-b"))
    store.reset()
    store.replace([entry("a", 3, label="early"), entry("b", 4)], 5)
    assert versions(store) == {"a": 3, "b": 4}
    assert store.version == 5


def test_indexes_follow_every_change() -> None:
    store: Store[Node] = Store()
    store.replace([entry("a", 3, label="x"), entry("b", 4, label="x")], 10)
    store.add_index("label", lambda node: [node.metadata.labels["is"]])
    assert [one.key.name for one in store.by_index("label", "x")] == ["a", "b"]
    store.apply(entry("a", 11, label="y"))
    store.apply_delete(entry("b", 12))
    assert store.by_index("label", "x") == []
    assert [one.key.name for one in store.by_index("label", "y")] == ["a"]
    with pytest.raises(ValueError, match="another function"):
        store.add_index("label", lambda _: ())
    with pytest.raises(KeyError):
        store.by_index("other", "y")


def test_an_index_function_that_raises_leaves_out_its_object_alone() -> None:
    store: Store[Node] = Store()
    store.add_index("broken", lambda node: [str(1 // len(node.metadata.labels["is"]))])
    store.replace([entry("a", 3), entry("b", 4, label="x")], 10)
    assert versions(store) == {"a": 3, "b": 4}
    assert [one.key.name for one in store.by_index("broken", "1")] == ["b"]
    assert store.index_errors == 1


def test_entries_of_one_namespace() -> None:
    store: Store[Node] = Store()
    names = [NamespacedName(*key) for key in (("a", "x"), ("a", "y"), ("a-b", "x"), ("b", "x"))]
    store.replace([Entry(key, UID(str(key)), 1, Node()) for key in names], 10)
    assert [one.key for one in store.entries("a")] == names[:2]
    assert [one.key for one in store.entries()] == names
