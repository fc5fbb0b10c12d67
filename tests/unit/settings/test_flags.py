"""The help of a command to the letter, and what is read from a command line: a person sees both."""

from typing import Annotated

import pytest
from pydantic import Field

from fake_dra_driver.flags import UsageError, help_text, parse
from fake_dra_driver.settings import Allowed, Flag, ForeignFlags, Settings


class Example(Settings):
    """Shows what help looks like."""

    prefix = "EXAMPLE_"
    groups = ("Aim", "Shape")
    foreign_flags = ForeignFlags("the old example", {"--size": "it has no size"})

    count: Annotated[int, Field(ge=1, le=9), Flag("Shape", short="c", metavar="COUNT")] = 3
    """How many there are to be; a text that is long enough to go on in the next line."""

    quiet: Annotated[bool, Flag("Shape")] = False
    """Says nothing."""

    colours: Annotated[bool, Flag("Shape")] = True
    """Uses colours."""

    sizes: Annotated[str, Allowed("sizes"), Flag("Shape", metavar="SIZE", short="s", repeatable=True)] = "1"
    """How large they are; may be given several times."""

    target: Annotated[int, Field(ge=0), Flag("Aim", metavar="TARGET", positional=True)]
    """Where to."""


HELP = """\
Usage: program example TARGET [flags]

Shows what help looks like.

Aim:
  TARGET
      Where to.
      Required. Allowed: a whole number, at least 0.
      Environment: EXAMPLE_TARGET

Shape:
  -c, --count COUNT
      How many there are to be; a text that is long enough
      to go on in the next line.
      Default: 3. Allowed: a whole number from 1 to 9.
      Environment: EXAMPLE_COUNT
  --quiet
      Says nothing.
      Environment: EXAMPLE_QUIET
  --colours, --no-colours
      Uses colours.
      Default: true. Allowed: true or false.
      Environment: EXAMPLE_COLOURS
  -s, --sizes SIZE
      How large they are; may be given several times.
      Default: 1. Allowed: sizes.
      Environment: EXAMPLE_SIZES

  -h, --help
      Print this text.

A flag wins over its variables, the first variable over the
second, and a variable over the default. An empty variable
counts as unset.
"""


def test_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert help_text(Example, "program example") == HELP


def test_help_is_not_wider_than_one_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    assert max(map(len, help_text(Example, "program").splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (["7"], (7, 3, False, True)),
        (["7", "-c", "2"], (7, 2, False, True)),
        (["--count=2", "7", "--quiet", "--no-colours"], (7, 2, True, False)),
        (["7", "--no-colours", "--colours"], (7, 3, False, True)),
    ],
)
def test_a_command_line(arguments: list[str], read: tuple[object, ...]) -> None:
    settings = parse(Example, arguments)
    assert (settings.target, settings.count, settings.quiet, settings.colours) == read


def test_the_values_of_a_flag_that_is_given_several_times_are_one() -> None:
    assert parse(Example, ["7", "-s", "2", "--sizes=3,4", "-s", "-"]).sizes == "2,3,4,-"


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        ([], ["TARGET (EXAMPLE_TARGET): must be set. Allowed: a whole number, at least 0."]),
        (
            ["7", "--count"],
            ["--count (EXAMPLE_COUNT): the flag needs a value. Allowed: a whole number from 1 to 9."],
        ),
        (["7", "-s", "2", "-s"], ["--sizes (EXAMPLE_SIZES): the flag needs a value. Allowed: sizes."]),
        (["7", "-s", "-s", "2"], ["--sizes (EXAMPLE_SIZES): the flag needs a value. Allowed: sizes."]),
        (
            ["7", "--count", "0", "--loud", "8", "--size=3"],
            [
                "--loud: there is no such flag. There are --count, --quiet, --colours, --sizes.",
                "8: not expected here.",
                "--size: this flag of the old example does not exist here, since it has no size. Leave it out.",
                '--count (EXAMPLE_COUNT): "0" is not allowed. Allowed: a whole number from 1 to 9.',
            ],
        ),
    ],
)
def test_every_problem_of_a_command_line_is_told(arguments: list[str], problems: list[str]) -> None:
    with pytest.raises(UsageError) as raised:
        parse(Example, arguments)
    assert list(raised.value.problems) == problems
    assert str(raised.value) == "; ".join(problems)


def test_a_value_from_the_environment_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_COUNT", "many")
    with pytest.raises(UsageError) as raised:
        parse(Example, ["7"])
    expected = '--count (EXAMPLE_COUNT): "many", from EXAMPLE_COUNT, is not allowed.'
    assert raised.value.problems[0].startswith(expected)


class Words(Settings):
    """Takes words."""

    prefix = "WORDS_"
    groups = ("Aim",)

    target: Annotated[
        str, Field(pattern="^[a-z/]+$"), Allowed("words"), Flag("Aim", "TARGET", positional=True, joint="/")
    ]
    """Where to."""

    size: Annotated[int, Flag("Aim", short="s")] = 1
    """How large."""


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["one"], "one"),
        (["one", "two"], "one/two"),
        (["one", "two", "-s", "2"], "one/two"),
        (["-s=2", "a", "b"], "a/b"),
    ],
)
def test_several_words_may_be_one_value(arguments: list[str], target: str) -> None:
    assert parse(Words, arguments).target == target


def test_no_words_are_no_value() -> None:
    with pytest.raises(UsageError) as raised:
        parse(Words, ["-s", "2"])
    assert raised.value.problems == ("TARGET (WORDS_TARGET): must be set. Allowed: words.",)
