"""docs/status.md says what the program does."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from fake_dra_driver.cli import REFERENCE
from fake_dra_driver.dra.nodestate.deviceuse import DEVICE_STATES
from fake_dra_driver.packaging.generate import outputs
from fake_dra_driver.packaging.manifests import chart_manifests
from fake_dra_driver.packaging.statusexamples import MOCKED_CARDS
from fake_dra_driver.packaging.statuspage import EXAMPLE
from fake_dra_driver.status.ourdriver import CLASSIC_KINDS, STRUCTURED_KINDS
from fake_dra_driver.status.report import REASONS_TO_WAIT, ClaimReport, Report
from fake_dra_driver.status.screen import Style
from fake_dra_driver.status.table import NODE_STATES
from tests.support.half_states import put_entry
from tests.support.world import NOW, World
from tests.unit.status.conftest import report_of

pytestmark = pytest.mark.looptime

PAGE = outputs(REFERENCE)["docs/status.md"]
ROLE = "fake-dra-driver-status-reader"
NODE = EXAMPLE.nodes[0].name


def rows() -> Mapping[str, list[str]]:
    """The cells of each row of a table, by what its first cell names."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every field of a document."""
    if isinstance(value, list):
        for entry in value:
            yield from paths(entry, f"{path}[]")
    elif isinstance(value, dict):
        for name, member in value.items():
            here = f"{path}.{name}".lstrip(".")
            yield here
            yield from paths(member, here)


def test_states_and_reasons_are_explained() -> None:
    assert {*NODE_STATES, *DEVICE_STATES, *REASONS_TO_WAIT} <= rows().keys()


def test_fields_are_those_of_a_report() -> None:
    document = yaml.safe_load(Style("yaml").text(EXAMPLE, NOW))
    sharers = {f"nodes[].devices[].sharedWith[].{to_camel(name)}" for name in ClaimReport.model_fields}
    told = {"waiting[].told.reason", "waiting[].told.message", "waiting[].told.count", "waiting[].told.lastSeen"}
    cards = yaml.safe_load(Style("yaml").text(MOCKED_CARDS, NOW))
    amounts = {"nodes[].devices[].shares[].capacity.bandwidth"}  # entries of a map
    assert {*paths(document), *paths(cards)} - amounts | sharers | told == rows().keys() - {
        *NODE_STATES,
        *DEVICE_STATES,
        *REASONS_TO_WAIT,
    }
    assert rows()["nodes[].devices[].claim"][0] == "object or null"
    assert rows()["nodes[].problems"][0] == "list of strings"
    assert rows()["waiting[].since"][0] == "time (RFC 3339) or null"


def test_the_example_is_what_a_report_of_such_a_cluster_says() -> None:
    world = World()
    world.node(NODE, devices=8)
    for claim in ("one", "two"):
        world.claim(claim)
    put_entry(world, world.read_claim("one").uid, f"{NODE}-0", node=NODE)
    put_entry(world, world.read_claim("two").uid, *(f"{NODE}-{index}" for index in range(1, 5)), node=NODE)
    world.claim("too-big", count=9)
    world.pod("hungry", ["too-big"], potential=[NODE])
    report = report_of(world.api)
    assert report.waiting[0].message == EXAMPLE.waiting[0].message
    assert report.waiting[0].reason == EXAMPLE.waiting[0].reason
    assert (report.summary.counts.free, report.summary.claims) == (EXAMPLE.summary.counts.free, 2)
    assert Report.model_validate_json(Style("json").text(EXAMPLE, NOW)) == EXAMPLE


def test_the_documented_role_and_that_of_the_chart_are_what_is_read() -> None:
    documented = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])
    values = {"status": {"clusterRole": {"create": True, "labels": {"for": "people"}}}}
    (installed,) = [one for one in chart_manifests("fake-system", values=values) if one["metadata"]["name"] == ROLE]
    assert documented["metadata"]["name"] == ROLE
    assert installed["metadata"]["labels"]["for"] == "people"
    classic, structured = (
        {(kind.resource.group, kind.resource.plural) for kind in kinds} for kinds in (CLASSIC_KINDS, STRUCTURED_KINDS)
    )
    for role, reads in ((installed, classic), (documented, classic | structured)):
        assert all(rule["verbs"] == ["get", "list", "watch"] for rule in role["rules"])
        allowed = [
            (group, plural) for rule in role["rules"] for group in rule["apiGroups"] for plural in rule["resources"]
        ]
        assert sorted(allowed) == sorted(reads)
