"""What an expression may refer to: variables, functions, macros and types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_dra_driver.cel.overload import Library
from fake_dra_driver.cel.types import Type

__all__ = ["Environment"]


@dataclass(frozen=True, eq=False)
class Environment:
    """Where expressions are compiled."""

    library: Library
    variables: Mapping[str, Type]
    checks_literals: bool = True
    """Whether constant patterns, durations and timestamps must be valid, and lists and maps of one type."""
    field_name: Callable[[str], str] | None = None
    """How fields are named in the values, from their names in expressions; None: the same."""
    reads_json: bool = False
    """Whether values come from JSON, where timestamps are texts, and doubles may look like integers."""
