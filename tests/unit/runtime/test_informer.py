"""Which of our own writes an informer with a selector takes over before the watch tells of them."""

from typing import Any

import pytest

from fake_dra_driver.api.resource.v1 import ResourceSlice
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.listwatch import Selection

SPEC = {
    "driver": "d.example.com",
    "nodeName": "node-0",
    "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
}


def created(**spec: Any) -> dict[str, Any]:
    """The answer to a create."""
    metadata = {"name": "ours", "uid": "uid-1", "resourceVersion": "12", "labels": {"app": "fake"}}
    return {"metadata": metadata, "spec": {**SPEC, **spec}}


def knows_after(field_selector: str, raw: dict[str, Any], label_selector: str = "") -> bool:
    """Whether the object is there as soon as the write has returned."""
    selection = Selection(ResourceSlice.resource, None, label_selector, field_selector)
    informer = Informer(ResourceSlice, selection)
    informer.replace([], 10)
    informer.observe(raw)
    return len(informer.list()) == 1


@pytest.mark.parametrize(
    "selector",
    ["", "metadata.name=ours", "spec.driver=d.example.com,spec.nodeName=node-0", "spec.nodeName==node-0"],
)
def test_what_surely_matches_is_known_at_once(selector: str) -> None:
    assert knows_after(selector, created())
    assert knows_after(selector, created(), "app=fake")


@pytest.mark.parametrize("selector", ["spec.nodeName=node-1", "spec.nodeName=", "spec.nodeName!=node-1", "spec=node-0"])
def test_for_everything_else_the_watch_is_asked(selector: str) -> None:
    assert not knows_after(selector, created())


def test_a_field_that_is_not_there_is_empty() -> None:
    everywhere = created(allNodes=True)
    del everywhere["spec"]["nodeName"]
    assert knows_after("spec.driver=d.example.com,spec.nodeName=", everywhere)
    assert not knows_after("spec.driver=d.example.com,spec.nodeName=node-0", everywhere)
