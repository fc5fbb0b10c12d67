"""Conditions in the status of this driver's own kinds (metav1.Condition)."""

from typing import Literal

from pydantic import Field

from fake_dra_driver.api.kube.meta import Time
from fake_dra_driver.api.schema import SchemaModel

__all__ = ["ObjectCondition"]


class ObjectCondition(SchemaModel):
    """One thing that is so or is not."""

    type: str = Field(max_length=316)
    """What it is about, in one word."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    reason: str = Field(max_length=1024)
    """Why, in one word."""
    message: str = Field(default="", max_length=32768)
    """Why, for people."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: int | None = None
    """The metadata.generation that this is about."""
