"""What is wrong with a profile, as far as that can be known without its nodes."""

import pytest

from fake_dra_driver.driver.profile.checking import profile_problems
from tests.unit.driver.profile.profiles import make_profile


def problems(spec: str) -> dict[str, str]:
    return {problem.path: problem.message for problem in profile_problems(make_profile(spec))}


def test_nothing_is_wrong() -> None:
    assert not problems("""
        environment: [{name: CLAIM, value: "{{ claim.name }} {{ node }}", when: devices}]
        files: [{path: /smi, content: "{% set n = 1 %}{% for d in devices %}{{ d.uuid }} {{ n }}{% endfor %}"}]
        configs: [{apiVersion: v1, kind: C, schema: {type: object, properties: {n: {type: integer}}}, default: {n: 1}}]
        groups:
        - name: gpu
          attributes: {zone: {string: "{{ labels.zone }}"}}
          environment: [{name: "GPU_{{ index }}", value: "{{ config.x }}{{ share.id }}", when: config.y == 1}]
        """)  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ("groups: [{name: a, uuid: '{{ x }}'}]", "spec.groups[0].uuid", "there is no x, only"),
        (
            "environment: [{name: A, value: '{{ uuid }}'}]",
            "spec.environment[0].value",
            "there is no uuid, only claim, devices, driver, labels, node",
        ),
        ("environment: [{name: A-B, value: b}]", "spec.environment[0].name", "with no digit first, is A-B"),
        ("files: [{path: /a, content: '{{ d }}'}]", "spec.files[0].content", "there is no d, only claim"),
        ("files: [{path: /a, content: '{% for'}]", "spec.files[0].content", "it is no template"),
        (
            "groups: [{name: a, environment: [{name: A, value: b, when: confg.x}]}]",
            "spec.groups[0].environment[0].when",
            "there is no confg, only adminAccess",
        ),
        (
            "groups: [{name: a, partitions: [{name: p, environment: [{name: A, value: b, when: 1 1}]}]}]",
            "spec.groups[0].partitions[0].environment[0].when",
            "there must be one expression, without braces",
        ),
        ("configs: [{apiVersion: v1, kind: C, schema: {type: nonsense}}]", "spec.configs[0].schema.type", "must be"),
        (
            "configs: [{apiVersion: v1, kind: C, default: {m: 1}, schema: {type: object, properties: {n: "
            "{type: integer}}}}]",
            "spec.configs[0].default.m",
            "there is no such field",
        ),
    ],
)
def test_a_mistake_is_told(spec: str, path: str, message: str) -> None:
    found = problems(spec)
    assert list(found) == [path]
    assert message in found[path]
