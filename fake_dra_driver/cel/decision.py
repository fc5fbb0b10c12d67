"""``&&`` and ``||``, and all that is made of them: an error does not matter if something else decides."""

from collections.abc import Callable, Iterable
from typing import Any

from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError

__all__ = ["decide"]


def decide(sides: Iterable[Callable[[Any], Any]], frame: Any, *, decides: bool) -> bool:
    """Whether any side is what decides: true for ``||``, false for ``&&``. Raises the first CelError if none is."""
    failure: CelError | None = None
    for side in sides:
        try:
            verdict = side(frame)
        except CelError as error:
            failure = failure or error
            continue
        if not isinstance(verdict, bool):
            failure = failure or CelError(NO_OVERLOAD)
        elif verdict is decides:
            return decides
    if failure is not None:
        raise failure
    return not decides
