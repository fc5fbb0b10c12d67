"""What a person sees without a terminal: plain lines, and every one of them."""

import io

import pytest

from fake_dra_driver.demo.screen import Screen
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of


def test_plain_lines() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.step("Look")
    screen.command("kubectl get pods \\\n  -A")
    screen.output("[bold]NAME[/]   " + "x" * 200 + "\n")
    with screen.waiting("all is well"):
        screen.note("It is :smile:")
    assert stream.getvalue() == (
        "\n== 1. Look\n$ kubectl get pods \\\n  -A\n[bold]NAME[/]   " + "x" * 200 + "\n"
        "(waiting until all is well)\nIt is :smile:\n"
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES[:-2], ids=id_of)
def test_what_commands_print_is_escaped_line_by_line(name: str) -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    screen.output(f"NAME\tAGE\n{name}\t1s\n")
    assert stream.getvalue().startswith("NAME    AGE\n")
    assert stream.getvalue().endswith(" 1s\n")
    assert_harmless(stream.getvalue(), longest=10_000, keeps_newlines=True)
