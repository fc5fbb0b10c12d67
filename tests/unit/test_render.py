"""Strict rendering: nothing is left out silently, and no value breaks out of its place."""

from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, UndefinedError

from fake_dra_driver import render as module
from fake_dra_driver.render import RenderError, render

Render = Callable[..., str]


@pytest.fixture
def render_text() -> Render:
    """Renders the text of a template, with the real environment's rules."""

    def rendered(text: str, *, helm: bool = False, **values: object) -> str:
        environment = module._environment(helm).overlay()
        environment.loader = DictLoader({"t": text})
        return environment.get_template("t").render(values)

    return rendered


def test_unknown_template() -> None:
    with pytest.raises(RenderError, match=r"nothing\.j2"):
        render("nothing.j2")


def test_name_without_value(render_text: Render) -> None:
    with pytest.raises(UndefinedError, match="'x' is undefined"):
        render_text("{{ x }}")


@given(st.text())
def test_json_is_yaml_for_every_text(text: str) -> None:
    assert yaml.safe_load(module._json(text)) == text


def test_json_does_not_escape_for_html(render_text: Render) -> None:
    assert render_text("{{ x | json }}", x="<a & 'b'>") == "\"<a & 'b'>\""


def test_helm_actions_in_templates_are_left_alone(render_text: Render) -> None:
    assert render_text("a: {{ .Values.[[ x ]] }}", helm=True, x="b") == "a: {{ .Values.b }}"


@pytest.mark.parametrize("template", ["[[ x ]]", "[[ x | json ]]", "[[ {'a': [x]} | json ]]"])
def test_helm_action_in_a_value_is_refused(render_text: Render, template: str) -> None:
    with pytest.raises(RenderError, match="Helm would execute"):
        render_text(template, helm=True, x="{{ .Release.Name }}")
