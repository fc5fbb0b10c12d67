"""helm, for the tests that render the chart; they are left out where there is none."""

import os
import shutil
from collections.abc import Sequence
from typing import Final

import pytest

from tests.support.leftout import leave_out

__all__ = ["HELM", "leave_out_without_helm"]

HELM: Final = os.environ.get("HELM") or shutil.which("helm")
"""Where it is; None: nowhere."""


def leave_out_without_helm(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests with a fixture ``helm`` when there is no helm to run."""
    if not HELM:
        unwanted: Sequence[pytest.Item] = [item for item in items if "helm" in getattr(item, "fixturenames", ())]
        leave_out(config, items, unwanted, "NO HELM. TO RUN THEM, PUT IT ON THE PATH, OR NAME IT IN HELM.")
