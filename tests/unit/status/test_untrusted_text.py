"""Reports of a cluster whose objects hold texts that mean harm: no row is forged, none is too wide, none is endless."""

import json
from typing import Final

import pytest
import yaml
from hypothesis import example, given

from fake_dra_driver.api.fake import EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, EventSource, Node, ObjectReference
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.status.report import Report
from fake_dra_driver.status.screen import Style
from fake_dra_driver.status.table import Detail, table
from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, printable, width_of
from tests.crash.bounds import examples
from tests.support.half_states import put_entry
from tests.support.untrusted import FORGED, HOSTILE_NAMES, assert_harmless, hostile_text, id_of
from tests.support.world import NAMESPACE, NOW, World
from tests.unit.status.conftest import report_of

LINES: Final = 200
"""More than any of these reports has; a name of 900 KB alone would be 11,000 lines of 80 columns."""


def hostile_world(text: str) -> World:
    """A cluster in which every text that anyone may choose is this one."""
    world = World()
    world.node("good", devices=3)
    world.node("bad")
    devices = [{"fake": {"uuid": uuid, "name": text}} for uuid in (text, "bad-1")]
    world.api.update(
        NodeAllocationState, "bad", NAMESPACE, {"spec": {"allocatableDevice": devices}, "status": text or "NotReady"}
    )
    ready = {"type": "Ready", "status": "False", "reason": text}
    world.api.update(Node, "bad", "", {"status": {"conditions": [ready]}})
    for name in ("of-nothing", "of-no-class", "of-other-parameters", "of-bad-class", "held"):
        world.claim(name, mode="Immediate")
    parameters = {"apiGroup": "fake.resource.3-shake.com", "kind": "FakeClaimParameters", "name": text}
    world.api.update(ResourceClaim, "of-nothing", "default", {"spec": {"parametersRef": parameters}})
    foreign = {"apiGroup": text, "kind": text, "name": text}
    world.api.update(ResourceClaim, "of-other-parameters", "default", {"spec": {"parametersRef": foreign}})
    world.api.update(ResourceClaim, "of-no-class", "default", {"spec": {"resourceClassName": text}})
    of_class = {"apiGroup": "fake.resource.3-shake.com", "kind": "DeviceClassParameters", "name": text}
    world.api.update(ResourceClass, "fake", "", {"parametersRef": of_class})
    put_entry(world, text, "good-0", node="good")
    put_entry(world, world.read_claim("held").uid, text, node="good")
    consumers = [{"resource": "pods", "name": text, "uid": "u"}]
    world.api.update(ResourceClaim, "held", "default", {"status": {"reservedFor": consumers}})
    world.pod("pod", [])
    world.api.objects["Pod"][next(iter(world.api.objects["Pod"]))]["spec"] = {
        "resourceClaims": [
            {"name": text, "source": {"resourceClaimName": text}},
            {"name": f"{text}2", "source": {"resourceClaimTemplateName": text}},
        ]
    }
    world.api.apply(
        Event(
            metadata=ObjectMeta(name="told", namespace="default"),
            involved_object=ObjectReference(kind="ResourceClaim", uid=world.read_claim("of-nothing").uid),
            reason=text,
            message=text,
            type="Warning",
            source=EventSource(component=EVENT_COMPONENT),
        )
    )
    return world


def without_surrogates(text: str) -> str:
    """As an API server stores it: Go's decoder of JSON has no halves of characters."""
    return text.encode(errors="replace").decode()


def assert_table_is_harmless(report: Report, columns: int | None, detail: Detail) -> None:
    text = table(report, NOW, detail, None, Layout(columns))
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) <= LINES
    for line in lines:
        assert_harmless(line, longest=20_000)
        assert columns is None or width_of(line) <= columns
        assert not line.startswith(FORGED), text
    # Rows that are nothing but ours.
    assert sum(line.startswith("default/of-nothing") for line in lines) == 1
    assert sum(line.startswith(("NODE good", "NODE bad")) for line in lines) == 2


@pytest.mark.parametrize("columns", [80, 100, None])
@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
def test_names_that_are_meant_to_harm(name: str, columns: int | None) -> None:
    report = report_of(hostile_world(without_surrogates(name)).api)
    for detail in Detail:
        assert_table_is_harmless(report, columns, detail)


@given(hostile_text())
@example("节" * 40)
@examples(25, 2_000)
def test_any_text(text: str) -> None:
    report = report_of(hostile_world(without_surrogates(text)).api)
    for columns in (80, 100):
        assert_table_is_harmless(report, columns, Detail.SHORT)
    assert_table_is_harmless(report, None, Detail.ALL)


@given(hostile_text())
@examples(25, 2_000)
def test_programs_get_the_very_text_without_what_a_terminal_obeys(text: str) -> None:
    text = without_surrogates(text)
    report = report_of(hostile_world(text).api)
    for is_stream in (True, False):
        as_json = Style("json").text(report, NOW, is_stream=is_stream)
        as_yaml = Style("yaml").text(report, NOW, is_stream=is_stream)
        for written in (as_json, as_yaml):
            assert_harmless(written, longest=len(written), keeps_newlines=True)
        read = json.loads(as_json)
        assert yaml.safe_load(as_yaml) == read
        (bad,) = (node for node in read["nodes"] if node["name"] == "bad")
        assert bad["devices"][0]["model"] == text
    assert Style("json").text(report, NOW, is_stream=True).count("\n") == 1


def test_what_a_person_reads_of_a_hostile_cluster() -> None:
    text = f"x\x1b[31m\n{FORGED}  pod-1  5s\u202e"
    report = report_of(hostile_world(text).api)
    assert table(report, NOW, Detail.SHORT, None, Layout(80)) == EXPECTED


EXPECTED: Final = r"""fake.resource.3-shake.com in fake-system
NODES    2: 1 ready, 1 not ready
DEVICES  5: 2 free, 1 allocated, 0 prepared, 2 unavailable (2 on nodes that take
         no claims), 1 missing
FREE     2 of 3 MODEL, 0 of 2 x\x1b[31m\ndefault/forged \x20pod-1 \x205s\u202e
CLAIMS   2 with devices, 7 waiting

WAITING CLAIM                                                  POD  FOR
default/held                                                        10m
default/of-bad-class                                                10m
  ParametersNotFound: ResourceClass fake names DeviceClassParameters
  x\x1b[31m\ndefault/forged pod-1 5s\u202e, which do not exist: create them, or
  correct the name in parametersRef
default/of-no-class                                                 10m
  ClassNotFound: ResourceClass x\x1b[31m\ndefault/forged pod-1 5s\u202e does not
  exist, or cannot be read: create it, or make the claim again with class fake
default/of-nothing                                                  10m
  ParametersNotFound: FakeClaimParameters default/x\x1b[31m\ndefault/forged
  pod-1 5s\u202e do not exist: create them, and the claim goes on by itself
default/of-other-parameters                                         10m
  InvalidParameters: ResourceClaim default/of-other-parameters names
  x\x1b[31m\ndefault/forged pod-1 5s\u202e.x\x1b[31m\ndefault/forged pod-1
  5s\u202e x\x1b[31m\ndefault/forged pod-1 5s\u202e as its parameters; driver
  fake.resource.3-shake.com takes only kind FakeClaimParameters with apiGroup
  fake.resource.3-shake.com: correct parametersRef
default/pod-x\x1b[31m\ndefault/forged \x20pod-1 \x205s\u202e2  pod  10m
  TemplateNotFound: pod pod needs a claim of template x\x1b[31m\ndefault/forged
  pod-1 5s\u202e, which does not exist: create the ResourceClaimTemplate
default/x\x1b[31m\ndefault/forged \x20pod-1 \x205s\u202e       pod  10m
  ClaimNotFound: pod pod names claim x\x1b[31m\ndefault/forged pod-1 5s\u202e,
  which does not exist: create it

NODE bad  x\x1b[…u202e
  0 of 2 x\x1b[31m\ndefault/forged \x20pod-1 \x205s\u202e free
  ! its kubelet plugin is not ready (NodeAllocationState status is
    x\x1b[31m\ndefault/forged pod-1 5s\u202e)
  ! its node is NotReady (x\x1b[31m\ndefault/forged pod-1 5s\u202e)
  DEVICE                                            STATE
  x\x1b[31m\ndefault/forged \x20pod-1 \x205s\u202e  unavailable
  bad-1                                             unavailable

NODE good  Ready, 2 of 3 MODEL free
  ! claims hold devices that the node does not have: x\x1b[31m\ndefault/forged
    pod-1 5s\u202e
  ! devices are on record for claims that do not exist:
    x\x1b[31m\ndefault/forged pod-1 5s\u202e
  DEVICE                 STATE      CLAIM                  POD
  good-0                 allocated  (gone) x\x…205s\u202e
  good-1                 free
  good-2                 free
  x\x1b[31m\…205s\u202e  missing    default/held           x\x1b[31m\…205s\u202e
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", r"two\nlines"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\u202eb", r"a\u202eb"),
        ("节点 é", "节点 é"),
        ("a   b", r"a \x20\x20b"),
        (" a ", r"\x20a\x20"),
        (" ", r"\x20"),
    ],
)
def test_cells_forge_no_columns(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert Layout().table([Column("NAME")], [Row([Cell(text)])])[1] == shown
