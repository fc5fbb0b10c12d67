"""Templates for values: what they make, what is a mistake in them, and that no text of theirs is dear."""

import subprocess
import sys
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.valuetemplate import Template, TemplateError, check_condition, holds, is_template, render

VARIABLES: Final[dict[str, Any]] = {
    "index": 3,
    "node": "n1",
    "yes": True,
    "share": 0.5,
    "nothing": None,
    "config": {"sharing": {"strategy": "MPS"}, "items": [1, 2], "values": "own"},
    "devices": [{"uuid": "a", "type": "mig"}, {"uuid": "b", "type": "gpu"}],
}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain } { text", "plain } { text"),
        ("gpu-{{ index }}", "gpu-3"),
        ("{{index}}{{node}}", "3n1"),
        ("{{ config.sharing.strategy }}", "MPS"),
        ("{{ config.values }}", "own"),
        ("{{ config['items'][1] }}", "2"),
        ("{{ yes }} {{ not yes }} {{ true }}", "true false true"),
        ("{{ share }}", "0.5"),
        ("{{ 'GPU-%02x' % (index + 7) }}", "GPU-0a"),
        ("{{ '%s|%3d%%' % (node, index) }}", "n1|  3%"),
        ("{{ 'a' ~ index ~ yes }}", "a3true"),
        ("{{ -index + 2 * 4 // 3 - 7 % 4 }}", "-4"),
        ("{{ 7 / 2 }}", "3.5"),
        ("{{ 'odd' if index is odd else 'even' }}", "odd"),
        ("{{ '' if index > 1 > 0 and node != 'n2' or nothing.x }}", ""),
        ("{{ [1, 2, 3][1:] | join('-') }}{{ 'abc'[:2] }}", "2-3ab"),
        ("{{ 'A.B c'.lower() | dnsLabel }}", "a-b-c"),
        ("{{ '4864Mi' | number // 1048576 }}", "4864"),
        ("{{ config.missing | default('d') }}{{ missing | default('e') }}", "de"),
        ("{{ devices | map(attribute='uuid') | join(',') }}", "a,b"),
        ("{{ devices | selectattr('type', 'equalto', 'mig') | map(attribute='uuid') | first }}", "a"),
        ("{{ devices | rejectattr('type', '==', 'mig') | length }}", "1"),
        ("{{ config | json }}", '{"items": [1, 2], "sharing": {"strategy": "MPS"}, "values": "own"}'),
        ("{{ [3, 1, 3] | unique | sort | list | json }} {{ [3, 1] | max }} {{ [1, 2] | sum }}", "[1, 3] 3 3"),
        ("{{ node.ljust(4) }}|{{ 'a,b'.split(',')[1] }}|{{ 'x-y'.replace('-', '+') }}", "n1  |b|x+y"),
        ("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{% for n in range(1, 6) if n is odd %}{{ n }}{{ '.' if loop.last else ',' }}{% endfor %}", "1,3,5."),
        ("{% for n in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% set n = 1 %}{% for x in [1] %}{% set n = 2 %}{{ n }}{% endfor %}{{ n }}", "21"),
        ("{% if index == 1 %}a{% elif index == 3 %}b{% else %}c{% endif %}{# said #}", "b"),
        ("{% for d in devices %}\n{{ d.uuid }}\n{% endfor %}\nend\n", "a\nb\nend\n"),
    ],
)
def test_a_template_makes(text: str, made: str) -> None:
    assert render(text, VARIABLES) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ idx }}", "there is no idx, only config, devices, index, node, nothing, share, yes"),
        ("{{ idx + 1 }}", "there is no idx, only config"),
        ("{{ config.sharing.no.such }}", "there is no config.sharing.no"),
        ("{{ config['no'] }}", "there is no no"),
        ("{{ config.no + 1 }}", "there is no no"),
        ("{{ nothing }}", "nothing is null, which has no text"),
        ("{{ config }}", "config is an object: write one of its fields, or use the filter json"),
        ("{{ devices }}", "devices is a list: use the filter join, or json"),
        ("{{ index.real }}", "there is no index.real"),
        ("{{ ''.__class__ }}", "there is no __class__"),
        ("{{ 'x'.format(1) }}", "there is no method format, only center, endswith"),
        ("{{ index | nonsense }}", "there is no filter nonsense, only abs"),
        ("{{ index is nonsense }}", "there is no test nonsense, only ==, boolean"),
        ("{{ lipsum() }}", "there is no function lipsum, only range"),
        ("{{ node | upper(1) }}", "more arguments than there are"),
        ("{{ 'a' * 3 }}", "a number is needed"),
        ("{{ '%q' % 1 }}", "has a % that is no %s"),
        ("{{ '%s' % devices }}", "a text or a number is needed, not a list"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 2 ** 3 }}", "templates for values have no pow"),
        ("{% macro a() %}{% endmacro %}", "templates for values have no macro"),
        ("{% include 'x' %}", "templates for values have no include"),
        ("{% for x in devices recursive %}{{ loop(x) }}{% endfor %}", "templates for values have no for"),
        ("{{ index", "it is no template: unexpected end of template"),
        ("a\n{% if %}", "it is no template: line 2: Expected an expression"),
    ],
)
def test_a_mistake_is_told(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(text, VARIABLES)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("expression", "is_so"),
    [
        ("config.sharing.strategy == 'MPS'", True),
        ("config.sharing.strategy == 'TimeSlicing'", False),
        ("config.no.such == 'x'", False),
        ("config.no.such != 'x'", True),
        ("config.no > 1 or config.no in [1] or config.no", False),
        ("config.no not in [1]", True),
        ("config.no is defined or idx is defined", False),
        ("index > 1 and node", True),
        ("nothing is none", True),
    ],
)
def test_a_condition_holds(expression: str, is_so: bool) -> None:
    assert holds(expression, VARIABLES) is is_so


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("confg.sharing == 1", "there is no confg, only config"),
        ("confg.sharing", "there is no confg, only config"),
        ("not confg", "there is no confg, only config"),
        ("index 1", "there must be one expression"),
        ("{{ index }}", "it is no template"),
    ],
)
def test_a_mistake_in_a_condition_is_told(expression: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        holds(expression, VARIABLES)


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in range(1000000) %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{{ '%256s' % a }}{{ '%256s' % a }}{% endfor %}",
        "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 40,
        "{% set a = 'aaaaaaaa' %}" + "{% set a = a + a %}" * 40,
        "{% set a = 'aaaaaaaa' %}" + "{% set a = a.replace('a', a) %}" * 40,
        "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ a == a }}",
        "{% set a = [1] %}" + "{% set a = a + a %}" * 60,
        "{% set a = {'a': 1} %}" + "{% set a = {'a': a, 'b': a} %}" * 60 + "{{ a | json }}",
        "{% set a = 'a' * 1 %}",
        "{% set a = 99999999 %}" + "{% set a = a * a %}" * 40,
        "{{ '%99999999d' % 1 }}",
        "{{ '%.99999999f' % 1 }}",
        "{{ '%*d' % (99999999, 1) }}",
        "{{ 'a'.ljust(99999999) }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ " + "9" * 5000 + " }}",
        "{% if 1 %}" * 5000,
        "{{ 1 }}" * 20000,
        "{{ '1e999999' | number }}",
        "{{ '1e-999999999999' | number }}",
        "{{ '" + "9" * 60000 + "' | number }}",
        "{{ '" + "9" * 60000 + "' | int }}",
    ],
    ids=range(24),
)
def test_what_would_take_long_or_much_memory_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, {})


FRAGMENTS: Final = (
    *("{{ ", " }}", "{% ", " %}", "for x in ", "endfor", "if ", "else", "endif", "set a = ", "index", "config"),
    *("(", ")", "[", "]", "{", "}", ".", ",", ":", " | ", " + ", " * ", " % ", " ~ ", " == ", " in ", " is ", "-"),
    *("range", "join", "map", "sort", "first", "json", "odd", "'%s'", "'a'", "1", "0", "999", "x", "a", "\n", "none"),
    *("devices", "not "),
)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join))
@example("{{ {}[[]] }}")
@example("{{ config[devices] }}")
@example("{{ [[]] | map(attribute=1) | list }}")
@example("{{ [1, 'a'] | sort }}")
@example("{{ [config] | unique }}")
def test_any_text_is_rendered_or_refused(text: str) -> None:
    with suppress(TemplateError):
        assert isinstance(render(text, VARIABLES), str)


@given(st.text())
def test_text_without_marks_stays(text: str) -> None:
    assert is_template(text) or render(text, {}) == text


def test_a_template_says_which_variables_it_reads() -> None:
    assert Template.compile("a").names == frozenset()
    assert Template.compile("{{ node }}-{{ parent.uuid }}").names == {"node", "parent"}
    assert Template.compile("{{ '%d' % index if labels.x }}").names == {"index", "labels"}


@pytest.mark.parametrize(
    ("text", "names", "own"),
    [
        ("{% set a = b %}{{ a }}", {"b"}, {"a"}),
        ("{{ a }}{% set a = 1 %}", {"a"}, {"a"}),
        ("{% for a in a %}{{ a }}{{ loop.index }}{% endfor %}", {"a"}, {"a", "loop"}),
        ("{% for a, b in c %}{{ a }}{% endfor %}{{ b }}", {"b", "c"}, {"a", "b", "loop"}),
        ("{% if c %}{% set a = 1 %}{% else %}{% set a = 2 %}{{ a }}{% endif %}{{ a }}", {"a", "c"}, {"a"}),
    ],
)
def test_a_variable_that_a_template_has_set_for_sure_is_not_read(text: str, names: set[str], own: set[str]) -> None:
    template = Template.compile(text)
    assert (set(template.names), set(template.own)) == (names, own)


def test_jinja_is_loaded_where_it_is_needed() -> None:
    line = "from fake_dra_driver.valuetemplate import render; render('{{ a }}-{{ b.c }}', {'a': 1, 'b': {'c': 2}})"
    loaded = f"{line}; import sys; raise SystemExit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def test_a_condition_says_which_variables_it_reads() -> None:
    assert check_condition("config.x == index") == {"config", "index"}
    with pytest.raises(TemplateError):
        check_condition("config.")
