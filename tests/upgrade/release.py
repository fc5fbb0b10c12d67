"""The Helm release of the driver: what people install, upgrade and roll back."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.e2e.driver import DRIVER_NAMESPACE

__all__ = ["CHART", "OLD_CHART_VARIABLE", "OLD_TAG", "Release"]

CHART: Final = Path(__file__).resolve().parents[2] / "deployments/helm/fake-dra-driver"
"""Today's chart."""
OLD_CHART_VARIABLE: Final = "FAKE_DRA_UPGRADE_FROM"
"""Names the folder of the chart to upgrade from."""
OLD_TAG: Final = "upgrade-from"
"""Tag of the image that belongs to it, as ``hack/build-revision.sh`` gives it."""
_NAME: Final = "fake-dra-driver"


class Release:
    """The release ``fake-dra-driver`` of the quickstart, wherever it comes from."""

    def upgrade(self, chart: Path, values: Mapping[str, str] | None = None) -> None:
        """Installs the chart, or upgrades to it; its CRDs first, which helm leaves alone in an upgrade."""
        _run("kubectl", "apply", "--server-side", "--force-conflicts", "--filename", str(chart / "crds"))
        settings = [f"--set={name}={value}" for name, value in (values or {}).items()]
        _helm("upgrade", "--install", _NAME, str(chart), "--reset-values", *settings, "--wait", "--timeout=3m")

    def roll_back(self) -> None:
        """To the revision before. The CRDs stay as they are."""
        _helm("rollback", _NAME, "--wait", "--timeout=3m")

    def stop_controller(self) -> None:
        """Until the next upgrade."""
        deployment = f"deployment/{_NAME}-controller"
        _run("kubectl", "scale", deployment, "--replicas=0", "--namespace", DRIVER_NAMESPACE)
        _run("kubectl", "rollout", "status", deployment, "--timeout=2m", "--namespace", DRIVER_NAMESPACE)

    def remove(self) -> None:
        """Takes the driver away, but not its CRDs, which helm never deletes."""
        _helm("uninstall", _NAME, "--wait", "--timeout=3m")


def _helm(*arguments: str) -> None:
    _run(os.environ.get("HELM") or "helm", *arguments, "--namespace", DRIVER_NAMESPACE)


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
