"""What can be wrong with an expression, before and while it is evaluated.

::

    CelCompileError (ValueError)
    ├── CelSyntaxError   it is not CEL, or its types do not fit
    └── CelProgramError  it is, but can never be evaluated
    CelError (ValueError)  it cannot be evaluated on these values
    CelCostError           evaluating it costs more than it may
"""

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["NO_OVERLOAD", "CelCompileError", "CelCostError", "CelError", "CelProgramError", "CelSyntaxError", "Issue"]

NO_OVERLOAD = "no such overload"
"""What cel-go says of a value of the wrong type."""
_MAX_SNIPPET_BYTES = 16384
"""Longest line that is repeated in a message (maxSnippetLength of cel-go)."""
_MAX_ISSUES = 100


class Issue(NamedTuple):
    """One thing that is wrong with an expression."""

    at: int | None
    """Offset in the source; None if it is about the whole."""
    problem: str


class CelCompileError(ValueError):
    """The expression cannot be used."""

    stage = ""
    """What it failed at, in the words of an API server."""

    @property
    def reason(self) -> str:
        """The message as an API server has it, which says first what failed."""
        return f"{self.stage}: {self}" if self.stage else str(self)


class CelSyntaxError(CelCompileError):
    """The expression is not CEL, or its types do not fit; the message shows where, as in cel-go."""

    stage = "compilation failed"

    def __init__(self, source: str, issues: Iterable[Issue]) -> None:
        self.issues = tuple(sorted(issues, key=lambda issue: -1 if issue.at is None else issue.at))
        shown = [_shown(source, issue) for issue in self.issues[:_MAX_ISSUES]]
        if len(self.issues) > _MAX_ISSUES:
            shown.append(f"{len(self.issues) - _MAX_ISSUES} more errors were truncated")
        super().__init__("\n".join(shown))


class CelProgramError(CelCompileError):
    """The expression can never be evaluated: a pattern in it is none."""

    stage = "program instantiation failed"


class CelError(ValueError):
    """The expression cannot be evaluated on these values, such as when a field is not there."""


class CelCostError(Exception):
    """The evaluation costs more than it may; nothing in the expression makes that good."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _shown(source: str, issue: Issue) -> str:
    if issue.at is None:
        return f"ERROR: <input>:-1:0: {issue.problem}"
    if not source:
        return f"ERROR: <input>:1:0: {issue.problem}"
    line = source.count("\n", 0, issue.at)
    column = issue.at - (source.rfind("\n", 0, issue.at) + 1)
    text = source.split("\n")[line].replace("\t", " ")
    message = f"ERROR: <input>:{line + 1}:{column + 1}: {issue.problem}"
    if len(text.encode()) > _MAX_SNIPPET_BYTES:
        return message
    # Characters of more than one byte are pointed at with wide signs.
    dots = "".join("." if char.isascii() else "\uff0e" for char in text[:column])
    sign = "^" if text[column : column + 1].isascii() else "\uff3e"
    return f"{message}\n | {text}\n | {dots}{sign}"
