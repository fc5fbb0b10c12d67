"""Everything that is rendered from the schema and the settings, as one set of files: `fake-dra-driver generate`.

``outputs`` is a pure function, so that a check is a comparison. Beside it there are the demo's manifests for structured
DRA, which are made of those for classic DRA in the source tree (``demos``).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import DRIVER_NAME, KINDS, RESOURCE_CLASS_NAME
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import (
    SourceTree,
    bounds_of,
    chart_settings,
    file_name,
    render_crd,
    values_of,
    values_schema,
)
from fake_dra_driver.codegen.chartvalues import REFUSED_VALUES, values_model
from fake_dra_driver.driver.programs.settings import (
    RETRY_JITTER_FACTOR,
    ControllerSettings,
    KubeletPluginSettings,
    WebhookSettings,
)
from fake_dra_driver.packaging.admission import GUARDS
from fake_dra_driver.packaging.alerts import ALERTS
from fake_dra_driver.packaging.dashboard import render_dashboard
from fake_dra_driver.packaging.demos import converted_demos
from fake_dra_driver.packaging.metrics import render_metrics
from fake_dra_driver.packaging.permissions import components, status_reader
from fake_dra_driver.packaging.reference import render_reference
from fake_dra_driver.packaging.statuspage import render_status_page
from fake_dra_driver.packaging.whypage import render_why_page
from fake_dra_driver.render import render
from fake_dra_driver.settings import Settings

__all__ = ["CHART", "Inputs", "chart_files", "crd_files", "generate", "outputs"]

CHART = "deployments/helm/fake-dra-driver"
"""Folder of the chart, in the source tree."""
TREE = SourceTree("fake-dra-driver generate", ("crds", CHART, "demo", "docs"), remedy="make generate")
_TEMPLATES = "fake_dra_driver/templates"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What everything is rendered from."""

    kinds: tuple[type[CustomResource], ...] = KINDS
    controller: type[Settings] = ControllerSettings
    kubelet_plugin: type[Settings] = KubeletPluginSettings
    webhook: type[Settings] = WebhookSettings


def outputs(commands: Mapping[str, type[Settings]], inputs: Inputs | None = None) -> Mapping[str, str]:
    """Every generated file: its path in the source tree, and its text.

    Args:
        commands: the settings of each command that the reference describes, in its order.
        inputs: what all else is rendered from.
    """
    inputs = inputs or Inputs()
    files = {**crd_files(inputs), **chart_files(inputs), **dict(_documentation(inputs, commands))}
    return dict(sorted(files.items()))


def crd_files(inputs: Inputs | None = None) -> Mapping[str, str]:
    """The CRDs for kubectl, by path in the source tree."""
    return {f"crds/{name}": text for name, text in _crds(inputs or Inputs())}


def chart_files(inputs: Inputs | None = None) -> Mapping[str, str]:
    """The files of the chart, by path in the source tree."""
    inputs = inputs or Inputs()
    crds = {f"{CHART}/crds/{name}": text for name, text in _crds(inputs)}
    return {**crds, **dict(_chart(inputs))}


def generate(folder: Path, commands: Mapping[str, type[Settings]], *, check: bool = False) -> int:
    """Writes what is not up to date below ``folder``, or only says so. Returns the exit status."""
    return TREE.update(folder, {**outputs(commands), **converted_demos(folder, TREE)}, check=check)


def _crds(inputs: Inputs) -> Iterator[tuple[str, str]]:
    header = TREE.header("fake_dra_driver/api/fake.py")
    for kind in inputs.kinds:
        yield file_name(kind), render_crd(kind, header)


def _chart(inputs: Inputs) -> Iterator[tuple[str, str]]:
    values = values_model(inputs.controller, inputs.kubelet_plugin, inputs.webhook)
    header = TREE.header("fake_dra_driver/codegen/chartvalues.py")
    schema = values_schema(values, header, REFUSED_VALUES)
    yield f"{CHART}/values.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    yield f"{CHART}/values.yaml", render("helm/values.yaml.j2", header=header, values=values_of(values))
    yield f"{CHART}/Chart.yaml", _helm("helm/Chart.yaml.j2", version=__version__)
    yield (
        f"{CHART}/templates/controller.yaml",
        _helm("helm/templates/controller.yaml.j2", settings=chart_settings("controller", inputs.controller)),
    )
    yield (
        f"{CHART}/templates/kubeletplugin.yaml",
        _helm("helm/templates/kubeletplugin.yaml.j2", settings=chart_settings("kubeletPlugin", inputs.kubelet_plugin)),
    )
    parts = components(inputs.kinds)
    yield f"{CHART}/templates/rbac.yaml", _helm("rbac/rbac.yaml.j2", components=parts)
    yield f"{CHART}/templates/serviceaccount.yaml", _helm("helm/templates/serviceaccount.yaml.j2", components=parts)
    yield f"{CHART}/templates/servicemonitor.yaml", _helm("helm/templates/servicemonitor.yaml.j2", components=parts)
    yield (
        f"{CHART}/templates/admissionpolicy.yaml",
        _helm(
            "helm/templates/admissionpolicy.yaml.j2",
            guards=GUARDS,
            values_keys={component.name: component.values_key for component in parts},
        ),
    )
    rules = status_reader(inputs.kinds)
    yield f"{CHART}/templates/statusreader.yaml", _helm("helm/templates/statusreader.yaml.j2", rules=rules)
    yield from _observing()
    resources = {
        "group": ResourceClass.resource.group,
        "api_versions": (*RESOURCE_APIS, ResourceClass.resource.version),
        "class_name": RESOURCE_CLASS_NAME,
        "driver": DRIVER_NAME,
        "jitter": RETRY_JITTER_FACTOR,
        "bounds": list(bounds_of(schema)),
    }
    yield (
        f"{CHART}/templates/webhook.yaml",
        _helm(
            "helm/templates/webhook.yaml.j2",
            settings=chart_settings("webhook", inputs.webhook),
            structured_versions=list(RESOURCE_APIS),
            **resources,
        ),
    )
    for name in (
        "NOTES.txt",
        "_helpers.tpl",
        "deviceclass.yaml",
        "networkpolicy.yaml",
        "openshift.yaml",
        "resourceclass.yaml",
        "resourcequota.yaml",
        "validation.yaml",
    ):
        yield f"{CHART}/templates/{name}", _helm(f"helm/templates/{name}.j2", **resources)


def _observing() -> Iterator[tuple[str, str]]:
    """Dashboard and alerts, and what brings them into a cluster.

    They are files of the chart and no templates: Grafana and Prometheus have ``{{ }}`` of their own.
    """
    alerts = "helm/files/alerts.yaml.j2"
    yield (
        f"{CHART}/files/alerts.yaml",
        render(alerts, header=TREE.header("fake_dra_driver/packaging/alerts.py"), alerts=ALERTS),
    )
    dashboard = render_dashboard(TREE.header("fake_dra_driver/packaging/dashboard.py"))
    yield f"{CHART}/files/dashboard.json", dashboard
    for name in ("dashboard.yaml", "prometheusrule.yaml"):
        yield f"{CHART}/templates/{name}", _helm(f"helm/templates/{name}.j2")


def _helm(template: str, **values: object) -> str:
    return render(template, helm=True, header=TREE.header(f"{_TEMPLATES}/{template}"), **values)


def _documentation(inputs: Inputs, commands: Mapping[str, type[Settings]]) -> Iterator[tuple[str, str]]:
    reference = render_reference(
        TREE.header("fake_dra_driver/api/fake.py, fake_dra_driver/packaging/ and the settings of each command"),
        commands,
        values_model(inputs.controller, inputs.kubelet_plugin, inputs.webhook),
        inputs.kinds,
        components(inputs.kinds),
    )
    yield "docs/reference.md", reference
    lists = "fake_dra_driver/dra/metricfamilies.py, fake_dra_driver/driver/reasons.py and the lists that they extend"
    yield "docs/metrics.md", render_metrics(TREE.header(lists))
    yield "docs/status.md", render_status_page(TREE.header("fake_dra_driver/status/"), inputs.kinds)
    yield "docs/why.md", render_why_page(TREE.header("fake_dra_driver/why/"))
