"""Installations that have to work: the chart may not refuse them."""

from collections.abc import Mapping

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
