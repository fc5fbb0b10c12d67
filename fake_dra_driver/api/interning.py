"""One object for all equal parts of objects: thousands of claims are made from one template, and many are on one node.

For frozen models only, whose equals nobody can tell apart. A claim in a cache is a dozen models, of which those that
are shared are five: 10 KiB become 7, and reading it takes a tenth less.
"""

import json
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidatorFunctionWrapHandler

__all__ = ["Sharing"]


class Sharing:
    """Annotates a field whose value is read from JSON: ``Annotated[Spec, WrapValidator(Sharing())]``.

    Knows the objects that are in use, and no others. One for each field: what is equal in JSON may be of two types.
    """

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Any] = WeakValueDictionary()

    def __call__(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """Reads a value, unless an object that was read from the same JSON is there."""
        if not isinstance(value, dict):
            return handler(value)
        try:
            key = json.dumps(value, sort_keys=True)
        except TypeError:  # not from JSON: put together by hand
            return handler(value)
        if (known := self._known.get(key)) is None:
            known = self._known[key] = handler(value)
        return known
