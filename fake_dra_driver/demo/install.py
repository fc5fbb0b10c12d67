"""The driver in an embedded cluster: the manifests of its chart, and the programs of its image."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fake_dra_driver import __version__
from fake_dra_driver.cluster import Cluster, Host, Image
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.packaging.manifests import chart_manifests, crd_manifests

__all__ = ["DRIVER_IMAGES", "NAMESPACE", "driver_manifests", "install_driver", "read_values"]

NAMESPACE = "fake-system"
"""The quickstart's."""
_PACKAGE = Path(__file__).resolve().parent.parent
_PROGRAMS: Mapping[str, str] = {
    "fake-dra-controller": "controller",
    "fake-dra-kubeletplugin": "kubelet-plugin",
    "set-nas-status": "set-nas-status",
}
"""Of the image: by name, the command that each is."""

_ENV: Mapping[str, str] = {"PYTHONPATH": str(_PACKAGE.parent), "PYTHONUNBUFFERED": "1"}
_HOST = Host(
    command=(sys.executable, "-P", "-m", f"{_PACKAGE.name}.hosted"),
    programs={name: (command,) for name, command in _PROGRAMS.items() if command != "controller"},
    env=_ENV,
)
"""The controller stays a process of its own: there is one."""

DRIVER_IMAGES: Mapping[str, Image] = {
    f"fake-dra-driver:v{__version__}": Image(
        programs={name: (sys.executable, "-P", "-m", _PACKAGE.name, command) for name, command in _PROGRAMS.items()},
        env=_ENV,
        host=_HOST,
        api_access=True,
        own_ports=True,
    )
}
"""The image that the chart names: this very package, run by this Python."""


def read_values(path: str) -> Mapping[str, Any]:
    """The values of a file; none where no file is named. Blocks.

    Raises:
        ClusterError: they cannot be read.
    """
    if not path:
        return {}
    try:
        values = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterError(f"cannot read the values for the chart from {path}: {error}") from error
    if not isinstance(values, dict):
        raise ClusterError(f"the values for the chart in {path} are no mapping")
    return values


async def install_driver(cluster: Cluster, values: Mapping[str, Any] | None = None) -> None:
    """Installs CRDs and chart, as helm would with these values. Does not wait for the pods."""
    await cluster.apply(*await asyncio.to_thread(driver_manifests, cluster.kubernetes_version, values))


def driver_manifests(kubernetes_version: str, values: Mapping[str, Any] | None) -> Sequence[dict[str, Any]]:
    """Namespace, CRDs and chart, in the order in which they are installed. Blocks: it reads templates from disk."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return [namespace, *crd_manifests(), *chart_manifests(NAMESPACE, values=values, kube_version=kubernetes_version)]
