"""What every test here gets: a driver that logs nothing: no person reads the log of thousands of lives."""

from collections.abc import Iterator

import pytest
from loguru import logger

import fake_dra_driver


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Log lines cost more than all else together."""
    logger.disable(fake_dra_driver.__name__)
    yield
    logger.enable(fake_dra_driver.__name__)
