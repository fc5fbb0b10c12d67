"""A terminal that changes, as an SVG."""

import re
from pathlib import Path
from xml.etree import ElementTree

from fake_dra_driver.demo.animation import Frame, animation
from fake_dra_driver.demo.recording import COLUMNS

RECORDED = Path(__file__).parents[3] / "docs/mock-devices.svg"
SVG = "{http://www.w3.org/2000/svg}"
FRAMES = (
    Frame("first", "same\n\x1b[1mNODE n\x1b[0m  a < b", 2),
    Frame("second", "same\n\x1b[31mgone\x1b[0m", 1),
    Frame("third", "same\nNODE n", 1),
)


def drawn() -> ElementTree.Element:
    return ElementTree.fromstring(animation("A & B", FRAMES, columns=80))


def texts(group: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in group.iter(f"{SVG}text")]


def test_each_line_is_there_once_in_the_group_of_its_frames() -> None:
    groups = {group.get("class"): texts(group) for group in drawn().iter(f"{SVG}g")}
    assert groups == {
        "v0": ["$ first", "NODE n  a < b"],
        "v0-1-2": ["same"],
        "v1": ["$ second", "gone"],
        "v2": ["$ third", "NODE n"],
    }


def test_groups_are_visible_for_the_time_of_their_frames() -> None:
    (style,) = drawn().iter(f"{SVG}style")
    rules = dict(re.findall(r"@keyframes (\S+?)\{(.*)\}\.", style.text or ""))
    assert rules == {
        "v0": "0%{visibility:visible}50%{visibility:hidden}",
        "v1": "0%{visibility:hidden}50%{visibility:visible}75%{visibility:hidden}",
        "v2": "0%{visibility:hidden}75%{visibility:visible}",
    }
    assert ".v1{animation:v1 4s step-end infinite}" in (style.text or "")


def test_colours_are_classes_and_the_title_is_read_out() -> None:
    svg = drawn()
    assert [(span.get("class"), span.text) for span in svg.iter(f"{SVG}tspan")] == [
        ("p", "$ first"),
        ("b", "NODE n"),
        ("p", "$ second"),
        ("r", "gone"),
        ("p", "$ third"),
    ]
    assert [title.text for title in svg.iter(f"{SVG}title")] == ["A & B"]


def test_the_recorded_one_is_small_and_shows_what_it_is_for() -> None:
    """``make demo-svg`` makes it."""
    text = RECORDED.read_text()
    assert len(text) < 30_000
    svg = ElementTree.fromstring(text)
    shown = texts(svg)
    assert [line for line in shown if line.startswith("$ ")] == [
        "$ fake-dra-driver status --watch",
        "$ kubectl apply -f cards.yaml",
        "$ kubectl apply -f train.yaml",
        "$ kubectl apply -f serve.yaml",
        "$ kubectl apply -f overheated.yaml",
        "$ kubectl delete devicefault overheated",
    ]
    assert any("96 degrees" in line for line in shown)
    assert max(map(len, shown)) <= COLUMNS
