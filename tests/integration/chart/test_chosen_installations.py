"""Installations that have to work: the chart may not refuse them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.integration.chart.cases import CASES
from tests.integration.chart.installation import Installation
from tests.integration.chart.judge import Judge
from tests.integration.chart.judgement import assert_accepted, by_likeness
from tests.integration.chart.rendering import Refused, Renderer


@pytest.mark.parametrize("name", CASES)
def test_it_renders_and_every_object_is_accepted(
    helm: Renderer, embedded_judges: Mapping[str, Judge], name: str
) -> None:
    rendered = helm.render(CASES[name])
    assert not isinstance(rendered, Refused), rendered.words
    assert_accepted(CASES[name], rendered, by_likeness(embedded_judges, CASES[name]))


def test_a_subchart_that_is_switched_off_installs_nothing(helm: Renderer) -> None:
    off = Installation(alias="", values={"enabled": False})
    assert helm.render(off) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("x" * 52 + "a", "x" * 52 + "b"), ("r", "r-fake-dra-driver-2")],
)
def test_two_releases_have_nothing_in_common_but_the_class(helm: Renderer, one: str, other: str) -> None:
    found = [identities(helm, release) for release in (one, other)]
    assert {name for _, name in found[0] & found[1]} == {"fake.3-shake.com"}


def identities(helm: Renderer, release: str) -> set[tuple[str, str]]:
    """Kind and name of the objects of a release with everything, in structured DRA."""
    rendered = helm.render(replace(CASES["a number, everything"], release=release))
    assert not isinstance(rendered, Refused)
    return {(each.kind, each.name) for each in rendered}
