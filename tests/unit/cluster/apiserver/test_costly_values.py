"""Values of custom kinds whose validation takes long, or would never end: steps are counted, not the time."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.custom.customobject import apply_defaults, check_rules
from fake_dra_driver.cluster.apiserver.custom.valuecheck import NO_HISTORY, check_value
from fake_dra_driver.cluster.apiserver.errors import Problem, StatusError
from fake_dra_driver.cluster.apiserver.heavywork import HEAVY, HeavyWork
from fake_dra_driver.cluster.apiserver.types.decode import decode_builtin, prune_custom
from fake_dra_driver.cluster.apiserver.types.objecttype import Type, TypeRegistry

_STRING = {"type": "string"}


def _type(schema: dict[str, Any]) -> Type:
    return TypeRegistry({}).type_of(schema)


def _decode(value: Any, type_: Type, kind: str) -> object:
    return decode_builtin(value, type_, kind, "v1")


async def _ends_with_timeout(work: Callable[[], object]) -> bool:
    try:
        await HeavyWork().run(HEAVY, work)
    except StatusError as error:
        return error.code == 504
    return False


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({**_STRING, "enum": [f"v{number}" for number in range(5000)]}, "x"),
        ({**_STRING, "pattern": "^b"}, "a" * 30_000),
        ({**_STRING, "anyOf": [{"minLength": 10**6}]}, "a" * 30_000),
    ],
    ids=["enum", "pattern", "junctor"],
)
async def test_what_is_wrong_is_not_said_without_end(schema: dict[str, Any], value: str) -> None:
    """Each of these problems repeats all that is allowed, or the whole value; a list may have as many as items."""
    type_ = _type({"type": "array", "items": schema})
    assert await _ends_with_timeout(lambda: check_value([value] * 10_000, type_, "spec"))


async def test_defaults_do_not_take_all_memory() -> None:
    item = {"type": "object", "properties": {"a": {"type": "array", "items": _STRING, "default": ["y" * 1000] * 100}}}
    value: list[Any] = [{} for _ in range(50_000)]
    assert await _ends_with_timeout(lambda: apply_defaults(value, _type({"type": "array", "items": item})))
    assert sum("a" in each for each in value) < 1000


async def test_long_lists_that_are_right_are_no_work() -> None:
    names = [f"v{number}" for number in range(5000)]
    enum = _type({"type": "array", "items": {**_STRING, "enum": names}})
    assert check_value(names * 4, enum, "spec") == []
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "properties": {"k": _STRING, "v": {**_STRING, "pattern": "^a$"}}},
    }
    old = [{"k": name, "v": "b"} for name in names]
    new = [{"k": name, "v": "b"} for name in reversed(names)]
    assert check_value([*new, {"k": "x", "v": "a"}], _type(keyed), "spec", old) == [], "what was wrong before may stay"


@pytest.mark.parametrize(("value", "step"), [(1e308, 5e-324), (10**400, 0.1), (-1e308, 1e-308)])
def test_number_of_any_size_has_multiples(value: float, step: float) -> None:
    assert len(check_value(value, _type({"type": "number", "multipleOf": step}), "spec")) == 1


def test_enum_of_any_values() -> None:
    type_ = _type({"enum": [1, "a", {"x": [1]}, [], None], "x-kubernetes-preserve-unknown-fields": True})
    allowed: list[Any] = [1, "a", {"x": [1]}, []]
    others: list[Any] = [2, "b", {}, [1]]
    assert [check_value(value, type_, "spec") for value in allowed] == [[], [], [], []]
    assert all(check_value(value, type_, "spec") for value in others)


async def test_many_cheap_rules_leave_the_loop() -> None:
    """Each of them alone is nothing."""
    rule = {"rule": f"[{', '.join(['1'] * 60)}].all(x, x > 0 && x < 5)"}
    item = {"type": "integer", "x-kubernetes-validations": [rule]}
    type_, threads = _type({"type": "array", "items": item}), list[str]()

    def work() -> list[Problem]:
        threads.append(threading.current_thread().name)
        return check_rules(list(range(200)), type_, NO_HISTORY, "spec")

    assert await HeavyWork().run(0, work) == []
    assert len(set(threads)) == 2


async def test_long_rule_is_compiled_away_from_the_loop() -> None:
    type_, threads = _type({"type": "integer"}), list[str]()

    def work() -> bool:
        threads.append(threading.current_thread().name)
        return type_.compile("true && " * 5000 + "true").holds(1)

    assert await HeavyWork().run(0, work)
    assert len(set(threads)) == 2


@pytest.mark.parametrize("inner", [{"name": 1}, [{"name": 1}]], ids=["object", "list"])
@pytest.mark.parametrize("work", [check_value, prune_custom, _decode], ids=["check", "prune", "decode"])
async def test_long_key_is_not_repeated_without_end(work: Callable[[Any, Type, str], object], inner: Any) -> None:
    """The path of each value below it has it again."""
    leaf = {"type": "object", "properties": {"known": _STRING}, "required": ["known"]}
    items = {"type": "array", "items": leaf} if isinstance(inner, list) else leaf
    schema = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": items}}
    value = {"k" * 100_000: {f"m{number}": inner for number in range(1000)}}
    assert await _ends_with_timeout(lambda: work(value, _type(schema), "spec"))
