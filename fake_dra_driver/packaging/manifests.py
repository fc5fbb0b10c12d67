"""The manifests of this driver as objects: CRDs, and what the chart installs."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.codegen import Manifest
from fake_dra_driver.packaging.project import driver_project

__all__ = ["chart_manifests", "crd_manifests"]


def crd_manifests() -> Sequence[Manifest]:
    """The CRDs of the driver."""
    return driver_project().crd_manifests()


def chart_manifests(
    namespace: str,
    *,
    release: str = "fake-dra-driver",
    values: Mapping[str, Any] | None = None,
    kube_version: str = "1.30",
    api_versions: Sequence[str] = (),
) -> Sequence[Manifest]:
    """The objects of the chart, as ``render_chart`` gives them. Raises GoTemplateError."""
    return driver_project().manifests(
        namespace, release=release, values=values, kube_version=kube_version, api_versions=api_versions
    )
