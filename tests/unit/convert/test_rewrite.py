"""A change in a text changes nothing else in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fake_dra_driver.convert.rewrite import REMOVED, Path, Rewritten, comments_of, rewrite
from fake_dra_driver.convert.stream import documents
from fake_dra_driver.convert.style import Style


def rewritten(text: str, new: Any, remarks: Mapping[Path, Sequence[str]] | None = None) -> Rewritten:
    (document,) = documents(text)
    return rewrite(document, document.value(), new, remarks or {}, Style.of(text))


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        pytest.param("a: 1 # c\nb:   'x'\n", {"a": 2, "b": "x"}, "a: 2 # c\nb:   'x'\n", id="value"),
        pytest.param("a: 'x'\nb: \"y\"\n", {"a": "1", "b": "2"}, "a: '1'\nb: \"2\"\n", id="quotes"),
        pytest.param("a: x\n", {"a": "1"}, "a: '1'\n", id="string that looks like a number"),
        pytest.param("a: x\n", {"a": "y"}, "a: 'y'\n", id="string that kubectl takes for a boolean"),
        pytest.param("a: |\n  x\n# c\nb: 1\n", {"a": "z", "b": 1}, "a: z\n# c\nb: 1\n", id="several lines"),
        pytest.param("- a: # c\n    b: 1\n", [{"c": 1}], "- # c\n  c: 1\n", id="another key"),
        pytest.param("a: 1\nb: # c\n", {"a": 1, "b": 2}, "a: 1\nb: 2 # c\n", id="value where there was none"),
        pytest.param("a:\n  b: 1\n  # c\nd: 2", {"a": {"b": 1}}, "a:\n  b: 1\n  # c\n", id="last key gone"),
        pytest.param("- a: 1 # c\n  b: 2\n", [{"b": 2}], "- # c\n  b: 2\n", id="first key of an item gone"),
        pytest.param(
            "a:\n- 1\n# c\n- 2 # d\n- 3\n", {"a": [1, REMOVED, 3]}, "a:\n- 1\n# c\n# d\n- 3\n", id="item gone"
        ),
        pytest.param("a:\n- 1\nb: 2\n", {"a": [REMOVED], "b": 2}, "a: []\nb: 2\n", id="all items gone"),
        pytest.param("a: [1, 2, 3]\n", {"a": [1, REMOVED, REMOVED]}, "a: [1]\n", id="last of brackets gone"),
        pytest.param("a: {b: 1,  c: 2}\n", {"a": {"c": 3}}, "a: {c: 3}\n", id="first of braces gone"),
        pytest.param("{a: {b: 1}}\n", {"a": {"c": [1]}}, "{a: {c: [1]}}\n", id="in braces"),
        pytest.param("a: {b: 1}\n", {"a": {"c": [1]}}, "a:\n  c:\n    - 1\n", id="braces that would get long"),
        pytest.param("a:\r\n  b: 1\r\n", {"a": {"c": {"d": 1}}}, "a:\r\n  c:\r\n    d: 1\r\n", id="CRLF"),
        pytest.param("? a\n: 1\n? b\n: 2\n", {"b": 2}, "? b\n: 2\n", id="question marks"),
        pytest.param("a:\t1 # c\n", {"a": 2}, "a:\t2 # c\n", id="tab"),
        pytest.param("a: &x {b: 1}\nc: *x\n", {"a": {"b": 2}, "c": {"b": 2}}, "a: &x {b: 2}\nc: *x\n", id="alias"),
        pytest.param('{\n\t"a": 1\n}\n', {"a": "é"}, '{\n\t"a": "\\u00e9"\n}\n', id="JSON"),
        pytest.param('{"a":1,"é":[1]}\n', {"a": 2, "é": [1]}, '{"a":2,"é":[1]}\n', id="JSON without blanks"),
        pytest.param('---\n{"a": 1}\n', {"a": 2}, '---\n{"a": 2}\n', id="JSON behind a start line"),
    ],
)
def test_a_change(before: str, new: Any, after: str) -> None:
    assert rewritten(before, new) == Rewritten(after)


@pytest.mark.parametrize(
    ("sample", "after"),
    [
        ("x:\n  - 1\n", "a:\n  b:\n    - c: 1\n      d:\n        - 2\n"),
        ("x:\n- 1\n", "a:\n  b:\n  - c: 1\n    d:\n    - 2\n"),
        ("x: # c\n    # d\n    - y:\n        z: 1\n", "a:\n  b:\n      - c: 1\n        d:\n            - 2\n"),
        ("x:\n    y: 1\n", "a:\n    b:\n      - c: 1\n        d:\n          - 2\n"),
        ("- x:\n  - 1\n", "a:\n  b:\n  - c: 1\n    d:\n    - 2\n"),
    ],
)
def test_what_is_new_is_indented_as_the_file_is(sample: str, after: str) -> None:
    (document,) = documents("a: 1\n")
    found = rewrite(document, {"a": 1}, {"a": {"b": [{"c": 1, "d": [2]}]}}, {}, Style.of(sample))
    assert found.text == after


def test_comments_of_what_is_replaced_stay() -> None:
    before = (
        "spec:\n  # above\n  name: x # beside\n  # below\n  more: # head\n    # in it\n    y: '# no' # end\n# after\n"
    )
    after = "spec:\n  # above\n  # beside\n  # below\n  # head\n  # in it\n  # end\n  all:\n    a: 1\n# after\n"
    assert rewritten(before, {"spec": {"all": {"a": 1}}}).text == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("# c\na: 1\n", (), "# c\n# note\na: 2\n"),
        ("---\n\na: 1\n", (), "---\n\n# note\na: 2\n"),
        ("a:\n  - b: 1\n  - b: 1\n", ("a", 1), "a:\n  - b: 1\n  # note\n  - b: 2\n"),
        ("a: [{b: 1}, {b: 1}]\n", ("a", 1), "a: [{b: 1}, {b: 2}]\n"),
        ("--- {a: 1}\n", (), "--- {a: 2}\n"),
        ("---\n{a: 1}\n", (), "---\n# note\n{a: 2}\n"),
        ("a:\n- {b: 1}\n- {b: 1}\n", ("a", 1), "a:\n- {b: 1}\n# note\n- {b: 2}\n"),
        ('{"a": 1}\n', (), '{"a": 2}\n'),
    ],
)
def test_a_remark_stands_above_where_there_is_room(before: str, path: Path, after: str) -> None:
    new = {"a": 2} if not path else {"a": [{"b": 1}, {"b": 2}]}
    assert rewritten(before, new, {path: ["note"]}).text == after


@pytest.mark.parametrize(
    ("before", "new"),
    [
        pytest.param("a: &x\n  b: 1\nc: *x\n", {"a": {"b": 1}, "c": {"b": 2}}, id="only one of two that are the same"),
        pytest.param("a: &x 1\nb: *x\n", {"b": 1}, id="anchor gone"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x\n", {"a": {"b": 1}, "c": {"b": 2}}, id="merged key"),
        pytest.param("? a\n: 1\n? b\n: 2\n", {"c": {"d": 1}, "b": 2}, id="key with a question mark"),
        pytest.param("a: 1\na: 2\n", {"a": 3}, id="key that is there twice"),
    ],
)
def test_what_cannot_be_changed_in_its_place_is_written_from_its_value(before: str, new: Any) -> None:
    text = f"# head\n---\n{before}"
    found = rewritten(text, new, {(): ["note"]})
    assert found.is_written_again
    assert found.text.startswith("# head\n---\n# note\n")
    (document,) = documents(found.text)
    assert document.value() == new


def test_the_comments_of_a_document() -> None:
    (document,) = documents("# head\n---\n# a\nb: '# c' # d\ne: |\n  # f\n# g\n")
    assert comments_of(document) == ("# a", "# d", "# g")
    (document,) = documents('{"a": "# b"}')
    assert comments_of(document) == ()
