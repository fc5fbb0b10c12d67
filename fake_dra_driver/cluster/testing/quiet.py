"""Keeps what clusters log out of the output of tests: it is about the cluster, and a failure says what matters.

loguru prints everything until it is told otherwise, hundreds of lines for each test. What is left out is what a cluster
logs by itself, and from loguru's own sink alone: a driver's class that is tested in the same process logs as ever, and
who has added sinks gets all there is.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

__all__ = ["without_logs"]

_MARK: Final = "embedded_cluster"
"""In the extras of what a quiet cluster logs."""
_DEFAULT_SINK: Final = 0
"""Loguru's own, which prints to standard error."""


@contextmanager
def without_logs() -> Iterator[None]:
    """Leaves out what is logged in this context, and in the tasks and threads that begin in it."""
    try:
        logger.remove(_DEFAULT_SINK)
    except ValueError:
        pass  # replaced already, here or by the program
    else:
        logger.add(_print, filter=_is_shown)
    with logger.contextualize(**{_MARK: True}):
        yield


def _print(message: str) -> None:
    sys.stderr.write(message)


def _is_shown(record: "Record") -> bool:
    return _MARK not in record["extra"]
