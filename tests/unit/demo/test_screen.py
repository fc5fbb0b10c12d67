"""What a person sees without a terminal: plain lines, and every one of them."""

import io

from fake_dra_driver.demo.screen import Screen


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
