"""One object for all equal parts of objects: thousands of claims are made from one template, and many are on one node.

For frozen models only: two that are equal cannot be told apart. A claim in a cache is a dozen models, five of which are
shared: it takes 7 KiB instead of 10, and a tenth less time to read.
"""

import json
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidatorFunctionWrapHandler

__all__ = ["Sharing"]


class Sharing:
    """Annotates a field whose value is read from JSON: ``Annotated[Spec, WrapValidator(Sharing())]``.

    Remembers the objects that are in use, and no others. Each field needs its own: equal JSON may stand for two types.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def __call__(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """Gives the object that was read from the same JSON, or reads the value."""
        if not isinstance(value, dict):
            return handler(value)
        try:
            key = json.dumps(value, sort_keys=True)
        except (TypeError, RecursionError):  # made in Python, not from JSON; or deeper than a model takes
            return handler(value)
        if (known := self._known.get(key)) is None:
            known = self._known[key] = handler(value)
        return known
