"""Makes an example smaller as long as something holds for it: one thing after the other is left out.

All attempts of a round are run at once, side by side in one cluster, which is why this is not left to hypothesis: it
would run them one after the other.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from tests.kubescheduler.example import Example

__all__ = ["smallest"]

Path = tuple[str | int, ...]

_AT_ONCE: Final = 50
_KEPT: Final = frozenset({"apiVersion", "kind", "metadata", "name", "spec"})
"""Keys without which there is no object."""


async def smallest(example: Example, holds: Callable[[Sequence[Example]], Awaitable[Sequence[bool]]]) -> Example:
    """A smaller example for which it still holds; nothing more can be left out.

    Args:
        example: it holds for this one.
        holds: says it of each of some examples; False for one that is not valid.
    """
    start = 0
    while True:
        smaller = [_without(example, path) for path in _paths(json.loads(example.to_json()))]
        smaller = [each for each in smaller if each.is_whole]
        # What could not be left out before is not tried again until the end of the list.
        for begin in range(start, len(smaller), _AT_ONCE):
            attempts = smaller[begin : begin + _AT_ONCE]
            if (kept := next((i for i, it_holds in enumerate(await holds(attempts)) if it_holds), None)) is not None:
                example, start = attempts[kept], begin + kept
                break
        else:
            if start == 0:
                return example
            start = 0


def _without(example: Example, path: Path) -> Example:
    objects = json.loads(example.to_json())
    where = objects
    for step in path[:-1]:
        where = where[step]
    del where[path[-1]]
    return Example.from_json(json.dumps(objects))


def _paths(value: Any) -> Iterator[Path]:
    """To all that can be left out, whole objects before their parts."""
    level: list[tuple[Path, Any]] = [((kind,), objects) for kind, objects in value.items()]
    while level:
        inner: list[tuple[Path, Any]] = []
        for path, each in level:
            keys: Sequence[str | int] = (
                list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
            )
            for key in keys:
                if key not in _KEPT:
                    yield (*path, key)
                inner.append(((*path, key), each[key]))
        level = inner
