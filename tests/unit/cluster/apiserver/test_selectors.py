"""Label and field selectors."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.types.selectors import FieldSelector, LabelSelector, match_label_selector
from tests.crash.bounds import examples


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("a=1", True),
        ("a==2", False),
        ("a!=2,b", True),
        ("!c", True),
        ("a in (1,2),c notin (x)", True),
        ("a notin (1)", False),
        ("a>0", True),
        ("a<1", False),
        ("", True),
        ("b=", True),
    ],
)
def test_labels_are_matched(selector: str, expected: bool) -> None:
    assert LabelSelector.parse(selector).matches({"a": "1", "b": ""}) is expected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a>x", "the value must be an integer"),
        ("a>9223372036854775808", "the value must be an integer"),
        (f"a<{'9' * 5000}", "must be no more than 63 characters"),
    ],
)
def test_what_cannot_be_read_is_400(selector: str, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        LabelSelector.parse(selector)
    assert caught.value.code == 400
    assert message in caught.value.message


def test_fields_are_matched() -> None:
    selector = FieldSelector.parse("metadata.name=a,spec.nodeName!=n")
    assert selector.matches(lambda path: {"metadata.name": "a"}.get(path, ""))
    assert not selector.matches(lambda path: {"metadata.name": "a", "spec.nodeName": "n"}.get(path, ""))
    with pytest.raises(StatusError, match="can't understand 'foo'"):
        FieldSelector.parse("foo")


def test_a_label_selector_object_is_matched() -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}
    assert match_label_selector(selector, {"a": "1"})
    assert not match_label_selector(selector, {"a": "1", "b": ""})


def test_label_that_is_no_number_of_64_bits_is_not_compared() -> None:
    assert not LabelSelector.parse("a>1").matches({"a": "9" * 63})
    assert not LabelSelector.parse("a>1").matches({"a": "\u0663"})


_SIGNS = st.sampled_from([*"ab=!<>(),1-/. ", "in", "notin", "==", "!=", "x.y/z", "9" * 64, "é", "\n", "\\"])


@examples(300, 50_000)
@given(st.lists(_SIGNS, max_size=12).map("".join), st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)))
def test_any_text_is_a_selector_or_400(text: str, labels: dict[str, str]) -> None:
    for parse in (LabelSelector.parse, FieldSelector.parse):
        try:
            selector = parse(text)
        except StatusError as error:
            assert error.code == 400  # noqa: PT017 - both outcomes are right
            continue
        if isinstance(selector, LabelSelector):
            selector.matches(labels)
        else:
            selector.matches(lambda path: labels.get(path, ""))
