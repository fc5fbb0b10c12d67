"""The order in which people expect names with numbers in them: worker, worker2, worker10.

For what people read. What the API server lists is in the order of its keys, and so is what kubectl shows. The library
natsort does much more (locales, paths, signs); a dependency of every program is too much for these lines.
"""

import re

__all__ = ["natural_order"]

_NUMBER = re.compile(r"([0-9]+)")


def natural_order(name: str) -> tuple[tuple[str | int, ...], str]:
    """The key to sort names by: ``sorted(names, key=natural_order)``. Different names have different keys."""
    # What is split off takes turns, text first and then a number, so that only like is ever compared with like.
    parts = tuple(int(part) if at % 2 else part for at, part in enumerate(_NUMBER.split(name)))
    return parts, name  # The name itself tells a1 from a01.
