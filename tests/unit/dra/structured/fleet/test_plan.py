"""Which writes bring a node's slices in line, by their metadata; and the marks that say so."""

from dataclasses import replace

import pytest

from fake_dra_driver.api.kube.meta import UID, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.fleet.encoding import EncodedSlice
from fake_dra_driver.dra.structured.fleet.mark import Mark
from fake_dra_driver.dra.structured.fleet.plan import FleetPlan, SeenSlice, plan_node
from fake_dra_driver.dra.structured.pool import WantedSlice

OWNER = UID("node-uid")


def spec(pool: str = "node-0", generation: int = 0) -> v1.ResourceSliceSpec:
    in_pool = v1.ResourcePool(name=pool, generation=generation, resource_slice_count=3)
    return v1.ResourceSliceSpec(driver="gpu.example.com", node_name="node-0", pool=in_pool)


def wanted(digest: str = "same") -> list[EncodedSlice]:
    return [EncodedSlice(WantedSlice(name, spec()), digest, frozenset(), b"", b"") for name in "abc"]


def seen(name: str, mark: Mark | None, *, owner: UID = OWNER, metadata_generation: int = 4) -> SeenSlice:
    owners = (OwnerReference(api_version="v1", kind="Node", name="node-0", uid=owner, controller=True),)
    return SeenSlice(ObjectMeta(name=name, generation=metadata_generation, owner_references=owners), mark)


RIGHT = Mark(2, 4, "same")


def plan(slices: list[SeenSlice], digest: str = "same", *, is_accepted: bool = True) -> FleetPlan:
    return plan_node(wanted(digest), slices, OWNER, lambda _: is_accepted)


def writes(found: FleetPlan) -> tuple[int, list[str]]:
    return found.generation, [
        *(f"-{one.name}" for one in found.deletes),
        *(f"{one.slice.name}{'!' if one.is_wrong else ''}" for one in found.updates),
        *(f"+{one.name}" for one in found.creates),
    ]


def test_nothing_is_written_where_all_marks_fit() -> None:
    found = plan([seen(name, RIGHT) for name in "abc"])
    assert not found
    assert found.generation == 2


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], (1, ["+a", "+b", "+c"])),
        ([seen(name, RIGHT) for name in "ac"], (2, ["+b"])),
        ([seen("a", RIGHT), seen("b", replace(RIGHT, digest="other")), seen("c", RIGHT)], (2, ["b!"])),
        ([seen(name, replace(RIGHT, digest="other")) for name in "abc"], (3, ["a!", "b!", "c!"])),
        (
            [seen("a", RIGHT), *(seen(name, Mark(1, 4, "other")) for name in "bc")],
            (2, ["b!", "c!"]),
        ),
        (
            [seen("a", RIGHT), seen("b", Mark(3, 4, "other")), seen("c", RIGHT)],
            (3, ["b!", "a", "c"]),
        ),
        ([*(seen(name, RIGHT) for name in "abc"), seen("d", RIGHT)], (2, ["-d"])),
        ([seen("a", RIGHT, owner=UID("before")), *(seen(name, RIGHT) for name in "bc")], (2, ["a!"])),
    ],
    ids=[
        *("a new node", "one deleted", "one that says something else", "all", "a change half made"),
        *("another change half made", "one too many", "another owner"),
    ],
)
def test_what_differs_is_written_in_the_order_of_the_protocol(
    there: list[SeenSlice], expected: tuple[int, list[str]]
) -> None:
    assert writes(plan(there)) == expected


def test_a_slice_that_others_have_changed_is_judged_by_what_was_read() -> None:
    edited = replace(seen("a", RIGHT, metadata_generation=5), spec=spec(generation=7))
    found = plan([edited, seen("b", RIGHT), seen("c", RIGHT)])
    assert writes(found) == (7, ["a!", "b", "c"])
    assert [one.changes_spec for one in found.updates] == [True, True, True]
    unread = seen("a", RIGHT, metadata_generation=5)
    with pytest.raises(ValueError, match="ResourceSlice a has to be read"):
        plan([unread])


def test_an_owner_alone_is_no_change_of_the_spec() -> None:
    found = plan([seen("a", RIGHT, owner=UID("before")), seen("b", RIGHT), seen("c", RIGHT)])
    assert [one.changes_spec for one in found.updates] == [False]


def test_slices_without_a_mark_are_outranked_and_not_deleted() -> None:
    foreign = replace(seen("x", None), spec=spec(generation=9))
    of_another_pool = replace(seen("y", None), spec=spec("other", generation=90))
    found = plan([*(seen(name, RIGHT) for name in "abc"), foreign, of_another_pool])
    assert writes(found) == (10, ["a", "b", "c"])
    without_room = replace(seen("x", None), spec=spec(generation=2**62))
    assert not plan([*(seen(name, RIGHT) for name in "abc"), without_room])


def test_what_cannot_be_updated_is_deleted_and_made_again() -> None:
    other = replace(seen("a", None), spec=spec("other", generation=1))
    assert writes(plan([other, seen("b", RIGHT), seen("c", RIGHT)])) == (2, ["-a", "+a"])


def test_a_part_of_a_slice_is_enough_while_the_api_server_keeps_no_more() -> None:
    partial = [seen(name, replace(RIGHT, is_partial=True)) for name in "abc"]
    assert not plan(partial, is_accepted=True)
    assert writes(plan(partial, is_accepted=False)) == (3, ["a!", "b!", "c!"])


@pytest.mark.parametrize("mark", [RIGHT, replace(RIGHT, is_partial=True), Mark(2**62, 1, "Az-_09")])
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert Mark.read(str(mark)) == mark


@pytest.mark.parametrize(
    "text", ["", "true", "0.1.a", f"{2**62 + 1}.1.a", "1.1", "1.1.a.b", "1.1.a.partial ", "-1.1.a"]
)
def test_anything_else_is_no_mark(text: str) -> None:
    assert Mark.read(text) is None
