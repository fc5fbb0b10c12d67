"""The chart of a DRA driver: what its templates are given of a project.

The templates are the same for every driver: a Deployment for the controller, a DaemonSet for the kubelet plugin, the
webhook, accounts, permissions, policies, classes for classic and structured DRA, and what clusters may need beyond
that. Names, settings and permissions are the project's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1alpha2 import ResourceClass
from fake_dra_driver.codegen.chartvalues import REFUSED_VALUES, ValuesOptions, values_model
from fake_dra_driver.codegen.values import bounds_of, chart_settings, values_of, values_schema
from fake_dra_driver.render import render
from fake_dra_driver.settings import settings_of

if TYPE_CHECKING:
    from fake_dra_driver.codegen.project import Project

__all__ = ["driver_chart", "driver_values"]

RETRY_JITTER_FACTOR: Final = 1.2
"""``JITTER_FACTOR`` of the elector: a candidate waits for its retry period and up to so many times longer."""
MAX_SOCKET_BYTES: Final = 107
"""``MAX_PATH_SIZE_BYTES`` of the plugin's sockets."""
_TEMPLATES: Final = "fake_dra_driver/templates"
_SIMULATED: Final = "simulated_nodes_"
"""What the names of settings begin with that say which nodes the controller simulates."""
_CLASS_STAND_IN: Final = "class.of.this.release.invalid"
"""Stands for the class of a release until its name is an action of Helm, which values of templates must not contain."""
_COMMON: Final = (
    "_helpers.tpl",
    "admissionpolicy.yaml",
    "deviceclass.yaml",
    "networkpolicy.yaml",
    "openshift.yaml",
    "resourceclass.yaml",
    "resourcequota.yaml",
    "serviceaccount.yaml",
    "servicemonitor.yaml",
    "validation.yaml",
    "NOTES.txt",
)
"""Templates that need nothing but what all are given."""


def driver_values(project: "Project") -> type[BaseModel]:
    """The model of the chart's values."""
    return values_model(
        ValuesOptions(
            image=project.image or project.name,
            example_resource=f"example.com/{project.driver_name.partition('.')[0]}",
            controller=project.commands["controller"],
            kubelet_plugin=project.commands["kubelet-plugin"],
            webhook=project.commands.get("webhook"),
            status_command=project.status.command if project.status else "",
            monitoring_page=project.monitoring_page,
            has_alerts=bool(project.alerts),
            has_dashboard=bool(project.dashboard),
            driver_name="" if project.per_release is None else project.driver_name,
            class_name=_class_name(project),
            webhook_has_account="webhook" in {component.name for component in project.rbac},
            simulates_nodes=bool(_simulated_nodes(project)),
        )
    )


def driver_chart(project: "Project") -> Iterator[tuple[str, str]]:
    """The files of the chart but its CRDs: path below its folder, and text."""
    values = project.values_model
    header = project.tree.header("fake_dra_driver/codegen/chartvalues.py")
    schema = values_schema(values, header, REFUSED_VALUES)
    yield "values.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    yield "values.yaml", render("helm/values.yaml.j2", header=header, values=values_of(values, project.values))
    # They are files and no templates: Grafana and Prometheus have ``{{ }}`` of their own.
    if project.alerts:
        yield "files/alerts.yaml", project.alerts
    if project.dashboard:
        yield "files/dashboard.json", project.dashboard
    common = _common(project, schema)
    for path, template, own in _templates(project):
        file = f"{template}.j2"
        text = render(file, helm=True, header=project.tree.header(f"{_TEMPLATES}/{file}"), **common, **own)
        yield path, _named_by_release(text, project)


def _templates(project: "Project") -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """The path in the chart, the template, and what it is given beside what all are given."""
    yield "Chart.yaml", "helm/Chart.yaml", {}
    yield "templates/rbac.yaml", "rbac/rbac.yaml", {}
    for name in _COMMON:
        yield f"templates/{name}", f"helm/templates/{name}", {}
    for name, key, command in (
        ("controller.yaml", "controller", "controller"),
        ("kubeletplugin.yaml", "kubeletPlugin", "kubelet-plugin"),
        ("webhook.yaml", "webhook", "webhook"),
    ):
        if command in project.commands:
            settings = chart_settings(key, project.commands[command])
            yield f"templates/{name}", f"helm/templates/{name}", {"settings": settings}
    if project.per_release is not None:
        yield "templates/deviceprofile.yaml", "helm/templates/deviceprofile.yaml", {}
    if project.status:
        yield "templates/statusreader.yaml", "helm/templates/statusreader.yaml", {"rules": project.status.rules}
    if project.alerts:
        yield "templates/prometheusrule.yaml", "helm/templates/prometheusrule.yaml", {}
    if project.dashboard:
        yield "templates/dashboard.yaml", "helm/templates/dashboard.yaml", {}


def _named_by_release(text: str, project: "Project") -> str:
    """A template in which the names that differ between releases are actions of Helm.

    That is at the level of the file: in what a file defines, ``$`` is what it is given.
    """
    if project.per_release is None:
        return text
    class_name = f'{{{{ include "{project.name}.className" $ }}}}'
    return text.replace(_CLASS_STAND_IN, class_name).replace(project.per_release.stand_in, "{{ $.Values.driverName }}")


def _common(project: "Project", schema: Mapping[str, Any]) -> Mapping[str, object]:
    """What every template is given."""
    class_name = _class_name(project)
    return {
        "name": project.name,
        "description": _plain(project.description),
        "version": project.version,
        "namespace": project.namespace or project.name,
        "driver": project.per_release.stand_in if project.per_release else project.driver_name,
        "class_name": _CLASS_STAND_IN if project.per_release else class_name,
        "usual_driver": project.driver_name,
        "usual_class": class_name,
        "profiles": project.per_release.profiles if project.per_release else None,
        "group": ResourceClass.resource.group,
        "api_versions": (*RESOURCE_APIS, ResourceClass.resource.version),
        "structured_versions": list(RESOURCE_APIS),
        "argv": lambda command, *arguments: _plain([*project.argv(command), *arguments]),
        "variables": {
            command: {setting.name: setting.variables for setting in settings_of(settings)}
            for command, settings in project.commands.items()
        },
        "components": project.rbac,
        "values_keys": {component.name: component.values_key for component in project.rbac},
        "guards": project.guards,
        "records": project.records,
        "parameters": project.parameters,
        "has_webhook": "webhook" in project.commands,
        "simulated_nodes": _simulated_nodes(project),
        "plugin_command": " ".join(project.argv("kubelet-plugin")),
        "max_socket": MAX_SOCKET_BYTES,
        "jitter": RETRY_JITTER_FACTOR,
        "bounds": list(bounds_of(schema)),
    }


def _simulated_nodes(project: "Project") -> Mapping[str, str]:
    """By key of the value simulatedNodes: the flag of the controller; none: it does not simulate nodes."""
    return {
        to_camel(setting.name.removeprefix(_SIMULATED)): setting.flag
        for setting in settings_of(project.commands["controller"])
        if setting.name.startswith(_SIMULATED)
    }


def _class_name(project: "Project") -> str:
    return project.class_name or project.driver_name


def _plain(value: str | Sequence[str]) -> str:
    """A text, or a list of them, in YAML: without quotes where it is the same without."""
    text = value if isinstance(value, str) else f"[{', '.join(value)}]"
    return text if _reads_as(text, value) else json.dumps(value, ensure_ascii=False)


def _reads_as(text: str, value: str | Sequence[str]) -> bool:
    try:
        return bool(yaml.safe_load(text) == value)
    except yaml.YAMLError:
        return False
