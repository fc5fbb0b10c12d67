"""The manifests of this driver as objects: CRDs, and what the chart installs."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from fake_dra_driver.codegen import Manifest, render_chart
from fake_dra_driver.packaging.generate import CHART, chart_files, crd_files

__all__ = ["chart_manifests", "crd_manifests"]


def crd_manifests() -> Sequence[Manifest]:
    """The CRDs of the driver."""
    return [yaml.safe_load(text) for _, text in sorted(crd_files().items())]


def chart_manifests(
    namespace: str,
    *,
    release: str = "fake-dra-driver",
    values: Mapping[str, Any] | None = None,
    kube_version: str = "1.30",
    api_versions: Sequence[str] = (),
) -> Sequence[Manifest]:
    """The objects of the chart, as ``render_chart`` gives them. Raises GoTemplateError."""
    files = {path.removeprefix(f"{CHART}/"): text for path, text in sorted(chart_files().items())}
    return render_chart(
        files, namespace, release=release, values=values, kube_version=kube_version, api_versions=api_versions
    )
