"""Names that are unknown, and how many of those that exist are told."""

import pytest

from fake_dra_driver.cluster.errors import listed, no_such

NODES = [f"cluster-worker{number}" for number in ("", *range(2, 13))]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("worker10", "Did you mean cluster-worker10?"),
        ("worker", "Did you mean cluster-worker?"),
        ("clusterworker3", "Did you mean cluster-worker3?"),
        ("custom-w3", f"There are: {', '.join(NODES[:10])} and 2 more."),
        ("x", f"There are: {', '.join(NODES[:10])} and 2 more."),
        ("", f"There are: {', '.join(NODES[:10])} and 2 more."),
    ],
)
def test_an_unknown_name(name: str, advice: str) -> None:
    assert str(no_such("node", name, reversed(NODES))) == f"There is no node {name}. {advice}"


def test_nothing_to_list() -> None:
    assert listed([]) == "none"
