"""A file is taken apart where YAML says, and nothing of it is lost."""

import pytest

from fake_dra_driver.convert.stream import DocumentError, documents


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("# only this\n", ["# only this\n"]),
        ("a: 1", ["a: 1"]),
        ("# c\n---\na: 1\n---\nb: 2\n", ["# c\n---\na: 1\n", "---\nb: 2\n"]),
        (
            "%YAML 1.1\n---\na: 1\n...\n# c\n%YAML 1.1\n---\nb: 2\n",
            ["%YAML 1.1\n---\na: 1\n...\n", "# c\n%YAML 1.1\n---\nb: 2\n"],
        ),
        ("--- {a: 1}\n--- # c\nb: 2\n", ["--- {a: 1}\n", "--- # c\nb: 2\n"]),
        ("a: |\n  ---\n  b\n----\n", ["a: |\n  ---\n  b\n----\n"]),
        ("---\r\na: 1\r\n---\r\nb: 2\r\n", ["---\r\na: 1\r\n", "---\r\nb: 2\r\n"]),
        ("---\n---\n", ["---\n", "---\n"]),
        ('{"a": 1}{"b": 2}\n\n{"c": 3}\n', ['{"a": 1}', '{"b": 2}', '\n\n{"c": 3}\n']),
        ('{"a": 1}\n---\n{"b": 2}\n', ['{"a": 1}\n', '---\n{"b": 2}\n']),
    ],
)
def test_the_documents_of_a_file(text: str, parts: list[str]) -> None:
    assert [document.text for document in documents(text)] == parts


def test_each_knows_its_place() -> None:
    _, second, third = documents("# c\n---\na: 1\n---\n# d\n\nb: 2\n---\nc: 3\n")
    assert (second.number, second.line, second.object_line) == (2, 4, 7)
    assert (third.number, third.line, third.object_line) == (3, 8, 9)


def test_json_may_have_tabs() -> None:
    (document,) = documents('{\n\t"a":\t[1]\n}\n')
    assert document.value() == {"a": [1]}


def test_a_date_is_a_string() -> None:
    (document,) = documents("a: 2024-01-01\n")
    assert document.value() == {"a": "2024-01-01"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [\n", 2),
        ("a: 1\n\tb: 2\n", 1),
        ("a: {b: *c}\n", 0),
        ("# c\n---\na: !x 1\n", 2),
        ("a: !!int x\n", 0),
        ("a: \x07\n", 0),
        ("[" * 5000, 0),
    ],
    ids=["bracket", "tab", "alias", "tag", "value", "character", "depth"],
)
def test_what_cannot_be_read(text: str, line: int) -> None:
    (document,) = documents(text)
    with pytest.raises(DocumentError, match=r"^is not YAML: .") as caught:
        document.value()
    assert caught.value.line == line
