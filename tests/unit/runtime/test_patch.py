"""JSON patch operations, as a server carries them out (the embedded cluster's)."""

from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.merge.patchformats import json_patch
from fake_dra_driver.runtime import patch

ANNOTATIONS = {"example.com/a~b": "1", "other": "kept"}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((), ""),
        (("spec", "devices", 0), "/spec/devices/0"),
        (("metadata", "annotations", "example.com/a~b"), "/metadata/annotations/example.com~1a~0b"),
        (("~1",), "/~01"),
    ],
)
def test_a_pointer_is_escaped(segments: tuple[str | int, ...], expected: str) -> None:
    assert patch.pointer(*segments) == expected


def test_operations_do_what_they_say() -> None:
    operations = [
        patch.test("/a", 1),
        patch.test("/absent", None),
        patch.replace("/a", 2),
        patch.add("/b/-", 3),
        patch.remove("/c"),
    ]

    assert json_patch({"a": 1, "b": [], "c": 0}, operations) == {"a": 2, "b": [3]}


@pytest.mark.parametrize("before", [{}, ANNOTATIONS])
def test_annotations_are_set_and_the_others_stay(before: dict[str, str]) -> None:
    wanted = {"example.com/a~b": "2", "new": "3"}
    there: dict[str, Any] = {"metadata": {"annotations": dict(before)} if before else {}}

    patched = json_patch(there, patch.annotate(before, wanted, tested=["example.com/a~b", "absent"]))

    assert patched == {"metadata": {"annotations": {**before, **wanted}}}


def test_annotations_that_were_changed_since_are_not_set() -> None:
    there = {"metadata": {"annotations": {**ANNOTATIONS, "example.com/a~b": "changed"}}}

    json_patch(there, patch.annotate(ANNOTATIONS, {"other": "2"}))
    with pytest.raises(StatusError):
        json_patch(there, patch.annotate(ANNOTATIONS, {"other": "2"}, tested=["example.com/a~b"]))


def test_annotations_that_another_writer_was_the_first_to_set_are_not_replaced() -> None:
    with pytest.raises(StatusError):
        json_patch({"metadata": {"annotations": {"other": "1"}}}, patch.annotate({}, {"mine": "2"}))
