"""Installations that have to work: the chart may not refuse them."""

from collections.abc import Mapping

import pytest

from tests.integration.chart.cases import CASES, KNOWN_TO_FAIL
from tests.integration.chart.installation import Installation
from tests.integration.chart.judge import Judge
from tests.integration.chart.judgement import assert_accepted, by_likeness
from tests.integration.chart.rendering import Refused, Renderer

_FAILING = pytest.mark.xfail(strict=True, reason="not yet")


@pytest.mark.parametrize("name", [pytest.param(n, marks=_FAILING if n in KNOWN_TO_FAIL else ()) for n in CASES])
def test_it_renders_and_every_object_is_accepted(
    helm: Renderer, embedded_judges: Mapping[str, Judge], name: str
) -> None:
    rendered = helm.render(CASES[name])
    assert not isinstance(rendered, Refused), rendered.words
    assert_accepted(CASES[name], rendered, by_likeness(embedded_judges, CASES[name]))


def test_a_subchart_that_is_switched_off_installs_nothing(helm: Renderer) -> None:
    off = Installation(alias="", values={"enabled": False})
    assert helm.render(off) == []
