"""The store: revisions, history, compaction."""

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Store

KEY = ("", "configmaps")
OPERATIONS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans()), max_size=30)


def obj(name: str) -> Object:
    return {"kind": "X", "metadata": {"name": name}}


@given(OPERATIONS)
def test_a_list_at_an_older_revision_is_what_was_there_then(operations: list[tuple[str, str, bool]]) -> None:
    store = Store()
    collection = store.collection(KEY)
    history: dict[int, list[tuple[Key, int]]] = {}
    for namespace, name, delete in operations:
        key = Key(namespace, name)
        if delete and collection.get(key) is not None:
            collection.remove(key)
        else:
            collection.put(key, obj(name))
        history[store.revisions.current] = [(each.key, each.revision) for each in collection.records()]
    for revision, expected in history.items():
        found = collection.records_at(revision)
        assert found is not None
        assert [(each.key, each.revision) for each in found] == expected


def test_every_write_of_any_resource_raises_the_one_revision() -> None:
    store = Store()
    first = store.collection(KEY).put(Key("a", "x"), obj("x"))
    second = store.collection(("apps", "deployments")).put(Key("a", "x"), obj("x"))
    assert second.revision == first.revision + 1
    assert second.value["metadata"]["resourceVersion"] == str(second.revision)


def test_compaction_forgets_what_was_before() -> None:
    store = Store()
    collection = store.collection(KEY)
    old = collection.put(Key("a", "x"), obj("x")).revision
    collection.put(Key("a", "x"), obj("x"))
    store.compact()
    assert not collection.can_watch_from(old)
    assert collection.records_at(old) is None
    current = collection.records_at(store.revisions.current)
    assert current is not None
    assert len(current) == 1


def test_a_full_log_drops_its_oldest_events() -> None:
    collection = Store(log_length=2).collection(KEY)
    revisions = [collection.put(Key("a", name), obj(name)).revision for name in "xyz"]
    assert not collection.can_watch_from(revisions[0] - 1)
    assert [event.revision for event in collection.events_after(revisions[0])] == revisions[1:]


def test_pages_go_on_behind_a_key_and_keep_to_a_namespace() -> None:
    collection = Store().collection(KEY)
    for namespace in ("a", "b"):
        for name in ("x", "y"):
            collection.put(Key(namespace, name), obj(name))
    assert [each.key for each in collection.records("", Key("a", "y"))] == [Key("b", "x"), Key("b", "y")]
    assert [each.key for each in collection.records("a")] == [Key("a", "x"), Key("a", "y")]
