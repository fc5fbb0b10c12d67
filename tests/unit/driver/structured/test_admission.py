"""The admission webhook's verdicts: what is refused, how that is said, and that nothing else is in the way."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.admission import ClaimReviewer, Outcome, ReviewError, Verdict
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.structured.parameters import MockConfigs
from tests.crash.bounds import examples
from tests.support.structuredworld import opaque, parameters
from tests.support.untrusted import assert_harmless, hostile_text

REVIEWER = ClaimReviewer(MockConfigs(NAMES.driver).check)
GOOD = opaque(parameters(split=2))
BAD = opaque(parameters(split=65))
MESSAGE = "must be at most 64, is 65"
KINDS = {"resourceclaims": "ResourceClaim", "resourceclaimtemplates": "ResourceClaimTemplate"}


def spec(version: str = "v1", *config: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
    asked = {"deviceClassName": "fake.3-shake.com", "allocationMode": "ExactCount", "count": count}
    request = {"name": "fakes", **asked} if version == "v1beta1" else {"name": "fakes", "exactly": asked}
    return {"devices": {"requests": [request], "config": list(config)}}


def asked(
    obj: object,
    *,
    version: str = "v1",
    resource: str = "resourceclaims",
    group: str = "resource.k8s.io",
    **request: object,
) -> dict[str, Any]:
    """An AdmissionReview as the API server posts it."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0d9a",
            "resource": {"group": group, "version": version, "resource": resource},
            "operation": "CREATE",
            "namespace": "default",
            "name": "c",
            "object": obj,
            "oldObject": None,
            **request,
        },
    }


def claim(version: str = "v1", *config: Mapping[str, Any], count: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": "default"},
        "spec": spec(version, *config, count=count),
    }


def decided(posted: object) -> Verdict:
    verdict = REVIEWER.review(json.dumps(posted).encode())
    assert verdict.answer["apiVersion"] == "admission.k8s.io/v1"
    assert verdict.answer["kind"] == "AdmissionReview"
    response = verdict.answer["response"]
    assert response["uid"] == "0d9a"
    assert response["allowed"] == (verdict.outcome != "refused")
    return verdict


@pytest.mark.parametrize("version", RESOURCE_APIS)
def test_a_claim_is_refused_with_path_and_allowed_values(version: str) -> None:
    assert decided(asked(claim(version, GOOD), version=version)).outcome == "allowed"
    verdict = decided(asked(claim(version, GOOD, BAD), version=version))
    assert (verdict.outcome, verdict.about) == ("refused", "ResourceClaim default/c")
    path = "spec.devices.config[1].opaque.parameters.spec.split"
    assert verdict.answer["response"]["status"] == {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": f"{path}: {MESSAGE}",
        "details": {
            "group": "resource.k8s.io",
            "kind": "ResourceClaim",
            "name": "c",
            "causes": [{"reason": "FieldValueInvalid", "message": MESSAGE, "field": path}],
        },
    }


@pytest.mark.parametrize("version", RESOURCE_APIS)
def test_a_template_is_refused_with_the_path_in_the_template(version: str) -> None:
    template = {"metadata": {"name": "t"}, "spec": {"spec": spec(version, BAD)}}
    verdict = decided(asked(template, version=version, resource="resourceclaimtemplates"))
    assert verdict.outcome == "refused"
    assert [problem.path for problem in verdict.problems] == [
        "spec.spec.devices.config[0].opaque.parameters.spec.split"
    ]


@pytest.mark.parametrize("version", RESOURCE_APIS)
def test_a_count_that_contradicts_the_request_is_refused(version: str) -> None:
    config = opaque(parameters(count=3))
    assert decided(asked(claim(version, config, count=3), version=version)).outcome == "allowed"
    assert decided(asked(claim(version, config, count=2), version=version)).outcome == "refused"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"operation": "UPDATE", "oldObject": claim("v1", BAD)}, "allowed"),
        ({"operation": "UPDATE", "oldObject": claim("v1", GOOD)}, "refused"),
        ({"operation": "DELETE", "object": None, "oldObject": claim("v1", BAD)}, "ignored"),
        ({"operation": "UPDATE", "subResource": "status"}, "ignored"),
        ({"resource": {"group": "resource.k8s.io", "version": "v1", "resource": "deviceclasses"}}, "ignored"),
        ({"resource": {"group": "resource.k8s.io", "version": "v2", "resource": "resourceclaims"}}, "ignored"),
        ({"resource": {"group": "example.com", "version": "v1", "resource": "resourceclaims"}}, "ignored"),
        ({"resource": {}}, "ignored"),
        # An API server that knows more of the kind than this release.
        ({"object": {"metadata": {}, "spec": {"devices": {"requests": "of another shape"}}}}, "ignored"),
    ],
    ids=lambda value: None if isinstance(value, str) else json.dumps(value)[:60],
)
def test_what_is_let_through(change: Mapping[str, Any], outcome: Outcome) -> None:
    posted = asked(claim("v1", BAD))
    posted["request"].update(change)
    assert decided(posted).outcome == outcome


def test_what_could_not_be_checked_is_let_through_with_a_warning() -> None:
    posted = asked({"metadata": {"name": "c"}, "spec": {"devices": {"requests": "x" * 1000}}})
    (warning,) = decided(posted).answer["response"]["warnings"]
    assert warning.startswith("not checked by driver fake.resource.3-shake.com: spec.devices.requests: must be a list")
    assert len(warning) <= 256


@given(hostile_text(), hostile_text())
@examples(30, 3_000)
def test_a_refusal_is_harmless_where_kubectl_prints_it(name: str, value: str) -> None:
    name, value = (text.encode(errors="replace").decode() for text in (name, value))  # as API servers have it
    of_unknown_kind = {"apiVersion": value, "kind": name, name: value}
    for written in (of_unknown_kind, parameters(**{"selector": {"model": value}, "split": value, name: value})):
        verdict = decided(asked(claim("v1", opaque(written))))
        status = verdict.answer["response"]["status"]
        for said in (status["message"], *(cause[each] for cause in status["details"]["causes"] for each in cause)):
            assert_harmless(said, longest=1024)


def test_a_multitude_of_problems_is_cut_short() -> None:
    verdict = decided(asked(claim("v1", opaque(parameters(**{f"x{number}": 1 for number in range(1000)})))))
    status = verdict.answer["response"]["status"]
    assert (len(verdict.problems), len(status["details"]["causes"])) == (32, 32)
    assert status["message"].endswith("; and 968 more")


def test_counts_that_could_be_summed_in_endless_ways_take_no_time() -> None:
    alternatives = [{"name": f"a{index}", "deviceClassName": "c", "count": 3**index} for index in range(8)]
    wire = claim("v1", *[opaque(parameters(count=2))] * 32)
    wire["spec"]["devices"]["requests"] = [{"name": f"r{index}", "firstAvailable": alternatives} for index in range(32)]
    assert decided(asked(wire)).outcome == "allowed"


def test_more_than_a_claim_can_have_is_left_to_the_api_server() -> None:
    """It counts a moment later."""
    assert decided(asked(claim("v1", *[BAD] * 33))).outcome == "allowed"


def test_a_claim_that_gets_its_name_later() -> None:
    posted = asked({**claim("v1", BAD), "metadata": {"generateName": "p-fakes-"}}, name="")
    assert decided(posted).answer["response"]["status"]["details"]["name"] == ""


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b'{"uid": NaN}', "the body is not JSON: there is no NaN in JSON"),
        (b"[" * 100_000, "the body is nested too deeply"),
        (b"1" * 5000, "the body is not JSON"),
        (b"[]", "the body is no AdmissionReview of admission.k8s.io/v1"),
        (b'{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}', "the body is no AdmissionReview of"),
        (json.dumps({**asked({}), "request": "r"}).encode(), "the AdmissionReview has no request"),
        (json.dumps(asked({}, uid="")).encode(), "the request has no uid"),
        (json.dumps(asked({}, uid={})).encode(), "the request has no uid"),
        (json.dumps(asked({}, operation=1)).encode(), "the request has no operation"),
        (json.dumps({**asked({}), "request": {"uid": "1", "operation": "CREATE"}}).encode(), "does not say which res"),
        (json.dumps(asked("text")).encode(), "the request has no object"),
        (json.dumps(asked(None)).encode(), "the request has no object"),
    ],
)
def test_what_is_no_review_gets_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(ReviewError, match=sentence):
        REVIEWER.review(body)


# --- Hostile input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def sentence_or_verdict(body: bytes) -> str:
    try:
        return json.dumps(REVIEWER.review(body).answer)
    except ReviewError as error:
        return str(error)


def _graft(target: Any, path: list[int], value: object) -> Any:
    """The JSON with what is at the path replaced; a step chooses the key or entry of that number."""
    if not path or not isinstance(target, dict | list) or not target:
        return value
    if isinstance(target, dict):
        name = sorted(target)[path[0] % len(target)]
        return {**target, name: _graft(target[name], path[1:], value)}
    place = path[0] % len(target)
    return [*target[:place], _graft(target[place], path[1:], value), *target[place + 1 :]]


@given(st.binary(max_size=200))
def test_any_bytes_get_a_verdict_or_a_sentence(body: bytes) -> None:
    assert sentence_or_verdict(body)


@given(st.sampled_from(list(RESOURCE_APIS)), st.lists(st.integers(0, 8), min_size=1, max_size=12), JSON)
def test_a_review_with_anything_in_it_gets_a_verdict_or_a_sentence(
    version: str, path: list[int], value: object
) -> None:
    posted = _graft(asked(claim(version, GOOD, BAD), version=version), path, value)
    assert sentence_or_verdict(json.dumps(posted).encode())


@given(JSON)
def test_any_parameters_are_refused_or_could_be_used(value: object) -> None:
    verdict = decided(asked(claim("v1", opaque(value))))
    assert verdict.outcome in {"allowed", "refused"}
    for problem in verdict.problems:
        assert problem.path.startswith("spec.devices.config[0].opaque.parameters")
        assert problem.message
