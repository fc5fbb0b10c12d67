"""What a page shows is compared with what was printed."""

from pathlib import Path

import pytest

from tests.support.console import Command, Listing, alike, read_page

PRINTED = """NAME   AGE
a-claim   13s
11111111-2222-3333-4444-555555555555 in /tmp/fdd-123-ab_c/kubeconfig
the end
"""


@pytest.mark.parametrize(
    "shown",
    [
        PRINTED,
        "NAME AGE\na-claim 2m\naaaaaaaa-2222-3333-4444-555555555555 in /tmp/fdd-9-x/kubeconfig\nthe end\n",
        "NAME AGE\n(...)\nthe end\n",
        "NAME AGE\n(...)\n",
        "NAME AGE\na-claim 1s\n(...) in /tmp/fdd-9-x/kubeconfig\nthe end",
        "(...)",
    ],
)
def test_what_differs_each_time_makes_no_difference(shown: str) -> None:
    assert alike(PRINTED, shown)


@pytest.mark.parametrize(
    "shown",
    ["", "NAME AGE\n", "NAME AGE\nb-claim 1s\n(...)", "(...)\nthe beginning", PRINTED + "more", "NAME AGE\nthe end"],
)
def test_anything_else_does(shown: str) -> None:
    assert not alike(PRINTED, shown)


def test_a_page_is_read_in_its_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        '# Title\n\n```yaml title="a.yaml"\na: 1\n```\n\n```sh\nnot this\n```\n\n'
        "1. a list\n\n   ```console\n   $ one\n   1\n   $ two\n   ```\n"
    )
    assert list(read_page(page)) == [Listing("a.yaml", "a: 1\n"), Command("one", "1\n"), Command("two", "")]
