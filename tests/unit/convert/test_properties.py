"""What holds for any text, and for any manifest in any form."""

import json
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.convert.conversion import Conversion
from tests.unit.convert.support import CLASSIC, OURS, converted, values

Manifest = dict[str, Any]


yaml_like = st.lists(
    st.sampled_from(
        [
            *("---", "...", "\n", "\r\n", " ", "  ", "\t", "%YAML 1.1", "\ufeff", "\x85", "\u2028", "\x00"),
            *("- ", ": ", "? ", "{", "}", "[", "]", ",", "#", " # c", "&a ", "*a", "<<: ", "|", ">", "'", '"', "\\u"),
            *("!!int ", "!x ", "!!binary a", "!!set {", "!!python/x", "0x1", "1_0", "2024-01-01", "yes", "~", "=", "é"),
            *("a", "kind", "apiVersion", CLASSIC, "spec", "source"),
        ]
    ),
    max_size=25,
).map("".join)


@given(st.one_of(st.text(), yaml_like))
@example("'a': &a {b: *a}")
@example("!!int")
@example("!!bool x")
@example("[" * 5000)
@example('{"a":' * 5000)
def test_any_text_goes_through(text: str) -> None:
    assert converted(text).text == text, "there is nothing of classic DRA in it"


names = st.sampled_from(["a", "b", "ß: #", "yes", "1"])
metadata = st.fixed_dictionaries(
    {"name": names}, optional={"namespace": names, "labels": st.dictionaries(names, names)}
)
reference = st.builds(
    lambda kind, name: {"apiGroup": OURS, "kind": kind, "name": name},
    st.sampled_from(["FakeClaimParameters", "FakeClaimParameters", "Other"]),
    names,
)
claim_spec = st.fixed_dictionaries(
    {"resourceClassName": st.sampled_from(["fake.3-shake.com", "a", "b"])},
    optional={
        "parametersRef": reference,
        "allocationMode": st.sampled_from(["Immediate", "WaitForFirstConsumer", "x"]),
    },
)
pod_spec = st.fixed_dictionaries(
    {"containers": st.just([{"name": "c", "command": ["a", "b: c"]}])},
    optional={
        "resourceClaims": st.lists(
            st.fixed_dictionaries(
                {"name": names},
                optional={
                    "source": st.dictionaries(
                        st.sampled_from(["resourceClaimName", "resourceClaimTemplateName"]), names, max_size=1
                    )
                },
            ),
            max_size=3,
        )
    },
)


def manifest(api_version: str, kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Manifest]:
    return st.fixed_dictionaries(
        {"apiVersion": st.just(api_version), "kind": st.just(kind), "metadata": metadata, **fields}
    )


objects = st.one_of(
    manifest(CLASSIC, "ResourceClaim", spec=claim_spec),
    manifest(CLASSIC, "ResourceClaim", status=st.just({"driverName": OURS}), spec=claim_spec),
    manifest(CLASSIC, "ResourceClaimTemplate", spec=st.fixed_dictionaries({"spec": claim_spec})),
    manifest(CLASSIC, "ResourceClass", driverName=st.sampled_from([OURS, "other"])),
    manifest(CLASSIC, "PodSchedulingContext", spec=st.just({"selectedNode": "n"})),
    manifest(f"{OURS}/v1alpha1", "FakeClaimParameters", spec=st.fixed_dictionaries({"count": st.integers(0, 40)})),
    manifest("v1", "Pod", spec=pod_spec),
    manifest(
        "apps/v1", "Deployment", spec=st.fixed_dictionaries({"template": st.fixed_dictionaries({"spec": pod_spec})})
    ),
    manifest("v1", "ConfigMap", data=st.dictionaries(names, st.text())),
)
manifests = st.lists(
    st.one_of(
        objects,
        st.lists(objects, min_size=1, max_size=3).map(
            lambda items: {"apiVersion": "v1", "kind": "List", "items": items}
        ),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[str, list[Manifest]]:
    """Objects as YAML in blocks, in some indentation, with comments between the lines."""
    found = draw(manifests)
    text = "".join(
        "---\n" + yaml.safe_dump(each, sort_keys=False, indent=draw(st.sampled_from([2, 4])), width=9999)
        for each in found
    )
    lines = []
    for number, line in enumerate(text.splitlines()):
        is_inside = line.startswith(" ") and line.lstrip()[:1] not in "-?'\"" and line.endswith(":")
        if draw(st.booleans()) and (is_inside or line == "---"):
            lines.append(f"{line} # {number}.")
        else:
            lines.append(line)
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, ""]), found


@given(blocks())
def test_in_blocks_with_comments(drawn: tuple[str, list[Manifest]]) -> None:
    text, found = drawn
    conversion = converted(text)
    assert converted(conversion.text).text == conversion.text
    same = converted("\n".join(map(json.dumps, found)))
    assert [each for each in values(conversion.text) if each is not None] == values(same.text)
    # What is there twice is written with an anchor, and an anchor may have to go.
    said = [message.text for message in conversion.messages if not message.text.startswith("it has anchors")]
    assert said == [message.text for message in same.messages]
    comments = [line.partition(" # ")[2] for line in text.splitlines() if " # " in line]
    assert [comment for comment in comments if f"# {comment}" not in conversion.text] == []
    assert "\n" not in conversion.text.replace("\r\n" if "\r\n" in text else "\n", "")


@given(manifests, st.sampled_from([None, 2]), st.booleans())
def test_in_braces(found: list[Manifest], indent: int | None, is_json: bool) -> None:
    if is_json:
        text = "".join(json.dumps(each, indent=indent) + "\n" for each in found)
    else:
        text = "".join("---\n" + yaml.safe_dump(each, default_flow_style=True, sort_keys=False) for each in found)
    conversion = converted(text)
    assert converted(conversion.text).text == conversion.text
    same = converted("\n".join(map(json.dumps, found)))
    assert [each for each in values(conversion.text) if each is not None] == values(same.text)


@given(st.lists(manifest("v1", "ConfigMap", data=st.dictionaries(names, st.text())), max_size=3), st.booleans())
def test_what_is_not_of_classic_dra_is_unchanged(found: list[Manifest], default_flow_style: bool) -> None:
    text = yaml.safe_dump_all(found, default_flow_style=default_flow_style, explicit_start=True, sort_keys=False)
    assert converted(text) == Conversion(text, [])
