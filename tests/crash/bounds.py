"""How much is tried: little and the same in ``make test``, much and always something else in ``make soak``."""

import os

import hypothesis

__all__ = ["IS_SOAK", "examples"]

IS_SOAK = bool(os.environ.get("SOAK"))


def examples(few: int, many: int) -> hypothesis.settings:
    """Settings for so many examples. A failure in a soak names its seed, for ``--hypothesis-seed``."""
    return hypothesis.settings(
        max_examples=many if IS_SOAK else few,
        derandomize=not IS_SOAK,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
