"""Keeps what clusters log out of the output of tests: it is about the cluster, and a failure says what matters.

loguru prints everything until it is told otherwise, hundreds of lines for each test.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loguru import logger

import fake_dra_driver

__all__ = ["without_logs"]

_LOCK: Final = threading.Lock()
_running: list[object] = []
"""One for each block that is entered. Loguru has a switch for all of the process."""


@contextmanager
def without_logs() -> Iterator[None]:
    """Leaves the logs of this library out, in this process, until the last of such blocks is left."""
    mine = object()
    with _LOCK:
        _running.append(mine)
        logger.disable(fake_dra_driver.__name__)
    try:
        yield
    finally:
        with _LOCK:
            _running.remove(mine)
            if not _running:
                logger.enable(fake_dra_driver.__name__)
