"""Which Nodes are simulated: selectors of their labels and annotations, in kubectl's syntax.

That is the syntax of ``kubectl get --selector`` (k8s.io/apimachinery/pkg/labels): ``a=b``, ``a==b``, ``a!=b``, ``a in
(b,c)``, ``a notin (b,c)``, ``a``, ``!a``, with commas between them. ``a>1`` and ``a<1`` are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.labelselector import LABEL, LABEL_VALUE, LabelSelectorRequirement

__all__ = ["Requirements", "SimulatedNodes", "parse_selector"]

_SPLIT: Final = re.compile(r",(?![^()]*\))")
"""Commas, but for those between parentheses."""
_SET: Final = re.compile(r"(?P<key>[^\s!=<>(),]+)\s+(?P<not>not)?in\s*\((?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(r"(?P<key>[^\s!=<>(),]+)\s*(?P<sign>==?|!=)\s*(?P<value>[^\s!=<>(),]*)")
_THERE: Final = re.compile(r"(?P<not>!?)\s*(?P<key>[^\s!=<>(),]+)")
_SYNTAX: Final = "a requirement is like a=b, a!=b, a in (b,c), a notin (b,c), a or !a"

Requirements = Sequence[LabelSelectorRequirement]
"""All of them must hold."""


@dataclass(frozen=True, slots=True)
class SimulatedNodes:
    """Selects Nodes."""

    annotations: Requirements = ()
    """What annotations must be; without any requirement no Node is selected by its annotations."""
    labels: Requirements = ()
    """The same of labels."""

    def has(self, node: ObjectMeta) -> bool:
        """Whether the annotations or the labels of a Node select it."""
        return _hold(self.annotations, node.annotations) or _hold(self.labels, node.labels)


def parse_selector(text: str) -> Requirements:
    """What a selector requires; nothing where it is empty.

    Raises:
        ValueError: says which part is wrong, and what it should be like.
    """
    if not text.strip():
        return ()
    return tuple(_requirement(part.strip()) for part in _SPLIT.split(text))


def _hold(requirements: Requirements, there: Mapping[str, str]) -> bool:
    return bool(requirements) and all(each.holds(there) for each in requirements)


def _requirement(text: str) -> LabelSelectorRequirement:
    if found := _SET.fullmatch(text):
        values = [value.strip() for value in found["values"].split(",")]
        return _made(text, found["key"], "NotIn" if found["not"] else "In", values)
    if found := _EQUAL.fullmatch(text):
        return _made(text, found["key"], "NotIn" if found["sign"] == "!=" else "In", [found["value"]])
    if found := _THERE.fullmatch(text):
        return _made(text, found["key"], "DoesNotExist" if found["not"] else "Exists", [])
    raise ValueError(f"{text!r} in it is no requirement: {_SYNTAX}" if text else f"a requirement is empty: {_SYNTAX}")


def _made(
    text: str, key: str, operator: Literal["In", "NotIn", "Exists", "DoesNotExist"], values: Sequence[str]
) -> LabelSelectorRequirement:
    if re.fullmatch(LABEL.pattern, key) is None or len(key) > LABEL.max_length:
        raise ValueError(
            f"{key!r} in {text!r} is no key of a label or annotation: it is like kwok.x-k8s.io/node or type, of "
            "letters, digits, dots, dashes and underscores"
        )
    for value in values:
        if re.fullmatch(LABEL_VALUE.pattern, value) is None or len(value) > LABEL_VALUE.max_length:
            raise ValueError(
                f"{value!r} in {text!r} is no value of a label: it has at most {LABEL_VALUE.max_length} letters, "
                "digits, dots, dashes and underscores, a letter or digit first and last"
            )
    # A person's own words, which no API server has to store: any number of values will do.
    return LabelSelectorRequirement.model_construct(key=key, operator=operator, values=tuple(values))
