"""Where the logs of tests go: into what pytest captures of a test, and nowhere between tests."""

import sys

from loguru import logger

__all__ = ["log_into_what_is_captured"]


def log_into_what_is_captured() -> None:
    """Replaces all sinks, loguru's own among them."""
    logger.remove()
    logger.add(_write)


def _write(message: str) -> None:
    # Between two tests, and after the last one, standard error is the terminal, which is for pytest's progress alone; a
    # cluster in a thread goes on meanwhile.
    if sys.stderr is not sys.__stderr__:
        sys.stderr.write(message)
