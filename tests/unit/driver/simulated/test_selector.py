"""Nodes are selected by labels and annotations, in the words of kubectl; what is wrong is said of the part that is."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.driver.simulated.selector import SimulatedNodes, parse_selector

THERE = {"a": "b", "e": "x", "f": "", "kwok.x-k8s.io/node": "fake"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a=b", True),
        ("a==b", True),
        ("a = b", True),
        ("a=c", False),
        ("a!=b", False),
        ("a!=c", True),
        ("absent!=c", True),
        ("absent=c", False),
        ("absent=", False),
        ("f=", True),
        ("f", True),
        ("!f", False),
        ("! absent", True),
        ("e in (x,y)", True),
        ("e in ( y , z )", False),
        ("e in(x)", True),
        ("f in (,x)", True),
        ("e notin (x,y)", False),
        ("absent notin (x,y)", True),
        ("kwok.x-k8s.io/node=fake", True),
        ("a=b,c!=d,e in (x,y),f,!g", True),
        (" a=b , e notin (x,y) ", False),
        ("in=b", False),
        ("notin", False),
    ],
)
def test_what_kubectl_selects_is_selected(text: str, *, holds: bool) -> None:
    assert all(each.holds(THERE) for each in parse_selector(text)) is holds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a=b,", "a requirement is empty: a requirement is like a=b"),
        ("a>1", "'a>1' in it is no requirement: a requirement is like"),
        ("a b", "'a b' in it is no requirement"),
        ("a in b", "'a in b' in it is no requirement"),
        ("a in (b", "'a in (b' in it is no requirement"),
        ("a=b=c", "'a=b=c' in it is no requirement"),
        ("-a=b", "'-a' in '-a=b' is no key of a label or annotation"),
        ("A/b/c", "'A/b/c' in 'A/b/c' is no key"),
        ("a=-b", "'-b' in 'a=-b' is no value of a label"),
        ("a in (b,ü)", "'ü' in 'a in (b,ü)' is no value of a label"),
        ("a=" + "b" * 64, "is no value of a label: it has at most 63"),
    ],
)
def test_a_selector_that_cannot_be_read_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_selector(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("selected", "metadata", "holds"),
    [
        (SimulatedNodes(), {"annotations": THERE}, False),
        (SimulatedNodes(annotations=parse_selector("a=b")), {"annotations": THERE}, True),
        (SimulatedNodes(annotations=parse_selector("a=b")), {"labels": THERE}, False),
        (SimulatedNodes(labels=parse_selector("a=b")), {"labels": THERE}, True),
        (SimulatedNodes(parse_selector("a=b"), parse_selector("a=c")), {"annotations": THERE}, True),
        (SimulatedNodes(annotations=parse_selector("!a")), {}, True),
    ],
)
def test_a_node_is_simulated_where_either_selector_is_for_it(
    selected: SimulatedNodes, metadata: dict[str, Any], *, holds: bool
) -> None:
    assert selected.has(ObjectMeta.model_validate({"name": "n", **metadata})) is holds
