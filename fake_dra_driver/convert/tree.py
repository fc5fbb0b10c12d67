"""Where in its text each value of a YAML document stands.

PyYAML's own nodes end where the next token begins, behind comments and empty lines; these end where they are read.
"""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from fake_dra_driver.convert.stream import LOADER

__all__ = ["AliasNode", "MappingNode", "Node", "ScalarNode", "SequenceNode", "parse"]


@dataclass(slots=True)
class _Span:
    start: int
    """Index in the text of its first character; of a block sequence that is a dash."""
    end: int
    """Index behind its last character."""


@dataclass(slots=True)
class ScalarNode(_Span):
    """A single value."""

    text: str
    """What it says, without quotes and escapes."""
    style: str
    """Its quote, ``|`` or ``>``; empty for a plain one."""


@dataclass(slots=True)
class AliasNode(_Span):
    """A value that stands elsewhere: ``*anchor``."""


@dataclass(slots=True)
class SequenceNode(_Span):
    """A list."""

    is_flow: bool
    """Whether it is written in brackets."""
    items: "list[Node]" = field(default_factory=list)


@dataclass(slots=True)
class MappingNode(_Span):
    """Keys and their values."""

    is_flow: bool
    """Whether it is written in braces."""
    pairs: "list[tuple[Node, Node]]" = field(default_factory=list)


Node: TypeAlias = ScalarNode | AliasNode | SequenceNode | MappingNode


_BLOCK_STYLES: Final = ("|", ">")


def parse(text: str) -> Node | None:
    """The value of a document's text, or None when it is empty.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    open_nodes: list[tuple[SequenceNode | MappingNode, list[Node]]] = []
    root: Node | None = None
    event: Any  # events have marks, but types-PyYAML has them as optional
    for event in yaml.parse(text, Loader=LOADER):
        start, end = event.start_mark.index, event.end_mark.index
        match event:
            case yaml.ScalarEvent():
                node: Node = _scalar(text, start, end, event)
            case yaml.AliasEvent():
                node = AliasNode(start, end)
            case yaml.SequenceStartEvent():
                open_nodes.append((SequenceNode(start, end, bool(event.flow_style)), []))
                continue
            case yaml.MappingStartEvent():
                open_nodes.append((MappingNode(start, end, bool(event.flow_style)), []))
                continue
            case yaml.CollectionEndEvent():
                node = _closed(*open_nodes.pop(), end)
            case _:
                continue
        if open_nodes:
            open_nodes[-1][1].append(node)
        else:
            root = node
    return root


def _scalar(text: str, start: int, end: int, event: yaml.ScalarEvent) -> ScalarNode:
    if event.style in _BLOCK_STYLES:
        end = start + len(text[start:end].rstrip())
    return ScalarNode(start, end, event.value, event.style or "")


def _closed(node: SequenceNode | MappingNode, children: list[Node], end: int) -> Node:
    node.end = end if node.is_flow or not children else children[-1].end
    if isinstance(node, SequenceNode):
        node.items = children
    else:
        node.pairs = list(zip(children[::2], children[1::2], strict=True))
    return node
