"""Label and field selectors."""

import pytest

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.types.selectors import FieldSelector, LabelSelector, match_label_selector


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
