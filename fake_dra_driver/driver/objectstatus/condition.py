"""Conditions in the status of objects, with the times at which they changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from fake_dra_driver.api.condition import ObjectCondition

__all__ = ["Conditions"]

_MAX_MESSAGE: Final = 32_000
"""Somewhat less than a condition may have."""


class Conditions:
    """The conditions that one pass finds.

    Args:
        before: those that the object has.
        generation: of the object that they are found of.
        now: when.
    """

    def __init__(self, before: Iterable[ObjectCondition], generation: int, now: datetime) -> None:
        self._before = {each.type: each for each in before}
        self._generation = generation
        self._now = now.replace(microsecond=0)  # whole seconds, as the API has them
        self._found: list[ObjectCondition] = []

    def state(self, type_: str, is_true: bool | None, reason: str, message: str = "") -> None:
        """Something is so, or is not, or is not known."""
        status = "Unknown" if is_true is None else str(is_true)
        before = self._before.get(type_)
        same = before is not None and before.status == status
        if len(message) > _MAX_MESSAGE:
            message = f"{message[:_MAX_MESSAGE]}..."
        self._found.append(
            ObjectCondition.model_validate(
                {
                    "type": type_,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "last_transition_time": before.last_transition_time if before is not None and same else self._now,
                    "observed_generation": self._generation,
                }
            )
        )

    @property
    def found(self) -> Sequence[ObjectCondition]:
        """All of them."""
        return tuple(self._found)

    @property
    def changed(self) -> bool:
        """Whether the object says anything else of one of them."""
        return any(self._before.get(each.type) != each for each in self._found)
