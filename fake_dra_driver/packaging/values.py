"""The chart's values: one model, from which values.yaml, values.schema.json and the documentation come.

Keys and defaults are those of the Go driver's chart where it has them. The ``settings`` of a component are not written
down here: they are the fields of its settings model that are marked ``in_chart``. What is passed on to Kubernetes as it
is (tolerations, resources and the like) is left to Kubernetes to check.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from fake_dra_driver.codegen.crd import description_of
from fake_dra_driver.settings import Flag, Setting, Settings, settings_of

__all__ = ["ChartSetting", "Value", "chart_settings", "values_model", "values_of", "values_schema"]

Object = dict[str, Any]
"""An object of Kubernetes, passed on as it is."""


class _Values(BaseModel):
    model_config = ConfigDict(
        use_attribute_docstrings=True, alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )


class _Image(_Values):
    repository: str = Field(default="fake-dra-driver", min_length=1)
    """Name of the image, without tag."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls it."""
    tag: str = ""
    """Tag of the image; empty for the chart's appVersion."""


class _ServiceAccount(_Values):
    create: bool = True
    """Whether the chart makes the ServiceAccounts: one for the controller, one for the kubelet plugin."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations of both ServiceAccounts."""
    name: str = ""
    """Their names begin with this; empty for the full name of the release. `controller.serviceAccountName` and
    `kubeletPlugin.serviceAccountName` name each by itself."""


CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
RESOURCES: Object = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


class _Container(_Values):
    security_context: Object = CONTAINER_SECURITY
    """Security context of the container."""
    resources: Object = RESOURCES
    """Resources of the container."""


class _ControllerContainers(_Values):
    controller: _Container = _Container()
    """The only container."""


class _PluginContainers(_Values):
    init: _Container = _Container()
    """Sets the node's status to NotReady before the plugin starts."""
    plugin: _Container = _Container()
    """Serves the kubelet."""


class _Component(_Values):
    args: tuple[str, ...] = ("--logging-format=json", "-v=5")
    """More flags of the program; they win against the settings."""
    settings: _Values = _Values()
    """Settings of the program; each is a flag of it."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port for the probes and the metrics; 0 turns both off."""
    priority_class_name: str = "system-node-critical"
    """PriorityClass of the pods."""
    service_account_name: str = ""
    """Name of the ServiceAccount; empty for one made of `serviceAccount`."""
    termination_grace_period_seconds: int = Field(default=30, ge=0)
    """How long Kubernetes waits for a stop; longer than `settings.gracePeriodSeconds`."""
    pod_annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations of the pods."""
    node_selector: Mapping[str, str] = Field(default_factory=dict)
    """Labels of the nodes to run on."""
    affinity: Object = Field(default_factory=dict)
    """Affinity of the pods."""


class _Controller(_Component):
    replicas: int = Field(default=1, ge=0)
    """How many controllers run: one of them works, the others take over within seconds when it ends. More than one
    needs `settings.leaderElect`."""
    pod_security_context: Object = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    """Security context of the pod."""
    tolerations: tuple[Object, ...] = (
        {"key": "node-role.kubernetes.io/master", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
    )
    """Tolerations of the pod."""
    containers: _ControllerContainers = _ControllerContainers()
    """Containers of the pod."""


class _KubeletPlugin(_Component):
    update_strategy: Object = {"type": "RollingUpdate"}
    """How a change rolls over the nodes."""
    pod_security_context: Object = {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    """Security context of the pods. The kubelet's folders belong to root; nothing else of root's power is needed."""
    tolerations: tuple[Object, ...] = ()
    """Tolerations of the pods: nodes with a taint that is not tolerated offer no devices."""
    containers: _PluginContainers = _PluginContainers()
    """Containers of the pods."""


class _Dashboard(_Values):
    enabled: bool = False
    """Whether to install the Grafana dashboard, in a ConfigMap."""
    namespace: str = ""
    """Namespace of the ConfigMap, where Grafana's sidecar looks; empty for that of the release."""
    labels: Mapping[str, str] = Field(default_factory=lambda: {"grafana_dashboard": "1"})
    """Labels by which Grafana's sidecar finds the ConfigMap; these are the sidecar's own default."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations of the ConfigMap, such as `grafana_folder`."""


class _PrometheusRule(_Values):
    enabled: bool = False
    """Whether to install the alert rules, as a PrometheusRule of the Prometheus operator."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels by which Prometheus selects its rules, such as `release`."""


class _ServiceMonitor(_Values):
    enabled: bool = False
    """Whether to have every pod scraped: a ServiceMonitor of the Prometheus operator for each component, and the
    Services that they need."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels by which Prometheus selects its monitors, such as `release`."""
    interval: str = Field(default="", pattern=r"^([0-9]+(ms|[smh]))*$")
    """How often to scrape, such as 30s; empty for Prometheus' own default."""
    relabelings: tuple[Object, ...] = ()
    """Relabelings of the targets."""


class _Monitoring(_Values):
    dashboard: _Dashboard = _Dashboard()
    """The Grafana dashboard."""
    prometheus_rule: _PrometheusRule = _PrometheusRule()
    """The alert rules."""
    service_monitor: _ServiceMonitor = _ServiceMonitor()
    """What tells Prometheus to scrape the driver."""


class _StatusClusterRole(_Values):
    create: bool = False
    """Whether to make a ClusterRole with all that `fake-dra-driver status` reads, to be bound to people."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels of the ClusterRole, such as `rbac.authorization.k8s.io/aggregate-to-view`."""


class _Status(_Values):
    cluster_role: _StatusClusterRole = _StatusClusterRole()
    """The right to read."""


class _Root(_Values):
    name_override: str = ""
    """Used instead of the chart's name in the names of objects."""
    fullname_override: str = ""
    """Used instead of the release's and the chart's name in the names of objects."""
    namespace_override: str = ""
    """Namespace of the objects; empty for the release's."""
    selector_labels_override: Mapping[str, str] = Field(default_factory=dict)
    """Labels to select pods by, instead of app.kubernetes.io/name and app.kubernetes.io/instance."""
    allow_default_namespace: bool = False
    """Whether the chart may be installed in the namespace `default`."""
    image_pull_secrets: tuple[Object, ...] = ()
    """Secrets to pull the image with."""
    image: _Image = _Image()
    """Image of the driver."""
    service_account: _ServiceAccount = _ServiceAccount()
    """The ServiceAccounts of the components."""
    controller: _Controller = _Controller()
    """The controller: allocates devices to claims."""
    kubelet_plugin: _KubeletPlugin = _KubeletPlugin()
    """The kubelet plugin, one on every node: serves its devices."""
    monitoring: _Monitoring = _Monitoring()
    """What Prometheus and Grafana need; see docs/metrics.md."""
    status: _Status = _Status()
    """For people who run `fake-dra-driver status`."""


def values_model(controller: type[Settings], kubelet_plugin: type[Settings]) -> type[BaseModel]:
    """The model of all values, with the settings of the two components in their places."""
    members: dict[str, Any] = {}
    for base, settings in ((_Controller, controller), (_KubeletPlugin, kubelet_plugin)):
        values = create_model(f"{base.__name__}Settings", __base__=_Values, **_setting_fields(settings))
        about = base.model_fields["settings"].description
        component = create_model(
            f"{base.__name__}Values", __base__=base, settings=(values, Field(default=values(), description=about))
        )
        members[base.__name__] = component
    return create_model(
        "Values",
        __base__=_Root,
        controller=_with_default(members["_Controller"], "controller"),
        kubelet_plugin=_with_default(members["_KubeletPlugin"], "kubelet_plugin"),
    )


def _with_default(component: type[BaseModel], name: str) -> Any:
    return component, Field(default=component(), description=_Root.model_fields[name].description)


def _setting_fields(settings: type[Settings]) -> dict[str, Any]:
    fields = {}
    for setting in settings_of(settings):
        if setting.info.in_chart:
            field = settings.model_fields[setting.name]
            metadata = [item for item in field.metadata if not isinstance(item, Flag)]
            default = field.default if setting.info.chart_default is None else setting.info.chart_default
            text = f"{setting.description} Allowed: {setting.allowed}."
            fields[setting.name] = (Annotated[field.annotation, *metadata, Field(description=text)], default)
    return fields


# --- What templates get ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml."""

    key: str
    description: str
    default: Any
    """As JSON has it; not of interest where there are members."""
    members: tuple["Value", ...] = ()

    def leaves(self, path: str = "") -> Iterator[tuple[str, "Value"]]:
        """Every key below that has a value, with its full path."""
        if not self.members:
            yield path + self.key, self
        for member in self.members:
            yield from member.leaves(f"{path}{self.key}.")


def values_of(model: type[BaseModel]) -> tuple[Value, ...]:
    """The keys of values.yaml with what they are for, in their order."""
    return _values(model())


def _values(instance: BaseModel) -> tuple[Value, ...]:
    defaults = instance.model_dump(mode="json", by_alias=True)
    found = []
    for name, field in type(instance).model_fields.items():
        key = field.alias or name
        value = getattr(instance, name)
        members = _values(value) if isinstance(value, BaseModel) else ()
        found.append(Value(key, description_of(field.description), _plain(defaults[key]), members))
    return tuple(found)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def values_schema(model: type[BaseModel], header: str) -> dict[str, Any]:
    """values.schema.json: refuses unknown keys, and settings that the program would refuse."""
    schema = model.model_json_schema(by_alias=True)
    inlined = _inline(schema, schema.get("$defs", {}))
    inlined["properties"] |= {
        "global": {"description": "Set by Helm when this is a subchart; not used.", "type": "object"},
        "namespace": {"description": "Refused by the chart, in words that say what to use instead."},
    }
    return {"$comment": header, "$schema": "http://json-schema.org/draft-07/schema#", **inlined}


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references, titles and defaults; an object with known keys must keep all of them."""
    if isinstance(schema, list):
        return [_inline(member, definitions) for member in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _inline({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    found = {key: schema[key] for key in schema if key not in {"title", "default", "$defs", "properties"}}
    found = {key: _inline(value, definitions) for key, value in found.items()}
    if "description" in found:
        found["description"] = description_of(found["description"])
    if found.get("type") == "number":  # `helm --set` makes a string of a number with a fraction.
        found |= {"type": ["number", "string"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
    if "properties" in schema:
        found["properties"] = {key: _inline(value, definitions) for key, value in schema["properties"].items()}
        found["required"] = sorted(schema["properties"])
    return found


# --- Settings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChartSetting:
    """How the templates of Helm make a flag of a setting."""

    setting: Setting
    key: str
    """Key below ``settings``."""
    argument: str
    """Expression of Helm: the flag with its value."""


def chart_settings(component: str, settings: type[Settings]) -> tuple[ChartSetting, ...]:
    """The settings that the values of a component have; ``component`` is its key there."""
    return tuple(
        ChartSetting(setting, to_camel(setting.name), _argument(component, setting, settings))
        for setting in settings_of(settings)
        if setting.info.in_chart
    )


def _argument(component: str, setting: Setting, settings: type[Settings]) -> str:
    value = f".Values.{component}.settings.{to_camel(setting.name)}"
    annotation = settings.model_fields[setting.name].annotation
    if annotation is int:  # Helm reads every number as a float, and prints large ones as 1e+06.
        return f'printf "{setting.flag}=%d" (int64 {value})'
    if annotation in {float, bool}:
        return f'printf "{setting.flag}=%v" {value}'
    if get_origin(annotation) is tuple:
        return f'printf "{setting.flag}=%s" (join "," {value})'
    return f'printf "{setting.flag}=%s" {value}'
