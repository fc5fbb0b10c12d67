"""Label selectors as kinds of a driver have them (metav1.LabelSelector)."""

from collections.abc import Mapping
from typing import Annotated, Literal, assert_never

from pydantic import Field

from fake_dra_driver.api.schema import CelRule, SchemaModel, ServerText

__all__ = ["LABEL", "LABEL_VALUE", "LabelSelector", "LabelSelectorRequirement"]

LABEL = ServerText(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", 317)
LABEL_VALUE = ServerText(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", 63)
_MAX_ENTRIES = 32


class LabelSelectorRequirement(SchemaModel):
    """What one label must be."""

    cel_rules = (
        CelRule(
            "self.operator in ['In', 'NotIn'] ? size(self.values) > 0 : size(self.values) == 0",
            "values must be given for In and NotIn, and left out for Exists and DoesNotExist",
        ),
    )

    key: Annotated[str, LABEL]
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared. NotIn also holds where there is no such label."""
    values: tuple[Annotated[str, LABEL_VALUE], ...] = Field(default=(), max_length=_MAX_ENTRIES)
    """What it is compared with, for In and NotIn."""

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are as required."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case other:
                assert_never(other)


class LabelSelector(SchemaModel):
    """Labels that an object must have. All of it must hold; when it is empty, every object is selected."""

    match_labels: Annotated[
        Mapping[str, Annotated[str, LABEL_VALUE]],
        CelRule("self.all(key, size(key) <= 317)", "a label has at most 317 characters"),
    ] = Field(default_factory=dict, max_length=_MAX_ENTRIES)
    """Labels that must have these values."""
    match_expressions: tuple[LabelSelectorRequirement, ...] = Field(default=(), max_length=_MAX_ENTRIES)
    """What else must hold."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.holds(labels) for requirement in self.match_expressions
        )
