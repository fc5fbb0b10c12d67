"""The values of the chart of a DRA driver: what ``driverchart`` makes its templates and their checks for.

The keys are those that charts of DRA drivers have in common. What a project decides itself, such as the name of its
image and the settings of its components, comes with ``ValuesOptions``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from fake_dra_driver.codegen.values import JsonObject, Values, setting_fields
from fake_dra_driver.settings import DriverName, Settings

__all__ = ["REFUSED_VALUES", "ValuesOptions", "values_model"]

REFUSED_VALUES: JsonObject = {
    "namespace": {"description": "Refused by the chart, in words that say what to use instead."},
    "enabled": {
        "description": "For the `condition` of a chart that has this one as a subchart; not used here.",
        "type": "boolean",
    },
}
"""Keys that the schema lets through although the chart does not use them: one is refused by the chart, in better words
than the schema's, the other is for Helm."""

# What Kubernetes takes for names and labels (apimachinery's validation), so that a wrong one is refused with its key.
_LABEL_NAME = "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"

_PROMETHEUS_DURATION = f"^(0|{''.join(f'([0-9]+{unit})?' for unit in ('y', 'w', 'd', 'h', 'm', 's', 'ms'))})$"
"""As the Prometheus operator's CRDs have it: each unit once, the longest first."""

_Keys = Field(json_schema_extra={"propertyNames": {"pattern": f"^({_DNS_SUBDOMAIN}/)?{_LABEL_NAME}$"}})
Labels = Annotated[Mapping[str, Annotated[str, Field(pattern=f"^({_LABEL_NAME})?$")]], _Keys]
"""Labels, of an object or to select by."""
Annotations = Annotated[Mapping[str, str], _Keys]
"""Annotations, whose values can be anything."""
LabelText = Annotated[str, Field(pattern=f"^({_DNS_LABEL})?$")]
"""The name of a namespace, or nothing."""
NamePart = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$")]
"""What the names of objects begin with, of any length since the chart cuts them, or nothing."""
ObjectName = Annotated[str, Field(pattern=f"^({_DNS_SUBDOMAIN})?$", max_length=253)]
"""The name of an object that is there already, or nothing."""
WhereItFits = Literal["auto"] | bool
"""Whether to install something: `auto` leaves that to what the cluster is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesOptions:
    """What a project decides about the values of its chart."""

    image: str
    """The image's name."""
    example_resource: str
    """An extended resource of such a device, for an example."""
    controller: type[Settings]
    kubelet_plugin: type[Settings]
    webhook: type[Settings] | None = None
    """None: the driver has none."""
    status_command: str = ""
    """The command of people whom the chart gives a role to read with; empty: there is none."""
    monitoring_page: str = ""
    """Where documentation says more about metrics."""
    has_alerts: bool = False
    has_dashboard: bool = False
    driver_name: str = ""
    """That which a release has unless it says another; empty: all have the same."""
    class_name: str = ""
    """Of the class for all devices of that driver."""
    webhook_has_account: bool = False
    """Whether the webhook asks the API server for something."""
    simulates_nodes: bool = False
    """Whether the controller has settings that say which Nodes have no kubelet plugin."""


class _Global(BaseModel):
    # What else is global belongs to other charts.
    model_config = ConfigDict(
        use_attribute_docstrings=True, alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow"
    )

    image_registry: str = ""
    """Registry to pull the image from; wins over `image.registry`."""
    image_pull_secrets: tuple[str | JsonObject, ...] = ()
    """Secrets to pull images with, in addition to `imagePullSecrets`."""


class _Image(Values):
    registry: str = Field(default="", pattern=r"^([A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]+)?)?$")
    """Registry of the image, such as `registry.example.com`; empty for what `repository` says."""
    repository: str = Field(default="", min_length=1)
    """Name of the image, without tag."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls it."""
    tag: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")
    """Tag of the image; empty for the chart's appVersion."""
    digest: str = Field(default="", pattern=r"^([a-z0-9]+([+._-][a-z0-9]+)*:[0-9a-f]{32,})?$")
    """Digest of the image, such as `sha256:...`; wins over the tag."""


class _ResourceClass(Values):
    create: WhereItFits = "auto"
    """Whether to install it. `auto` does so where classic DRA is used, unless the cluster is known not to serve the
    kind and `resourceApiVersion` is empty; with true the chart is refused where structured DRA is used."""


class _DeviceClass(Values):
    create: WhereItFits = "auto"
    """Whether to install it. `auto` does so where structured DRA is used, unless the cluster is known not to serve the
    kind and `resourceApiVersion` is empty; with true the chart is refused where classic DRA is used."""
    extended_resource_name: str = Field(default="", pattern=f"^({_DNS_SUBDOMAIN}/{_LABEL_NAME})?$")
    """Name under which containers can ask for devices of the class in `resources.limits`, such as `{resource}`; empty
    for none. Kubernetes 1.34 and 1.35 drop it unless the feature gate DRAExtendedResource is on, and earlier ones have
    no such thing."""


class _AdmissionPolicy(Values):
    create: bool = True
    """Whether the API server is to refuse what controller and kubelet plugin write beyond their own work, such as about
    other nodes, by ValidatingAdmissionPolicies, which Kubernetes 1.30 and later have. Most of them or all are left
    out where the two share a ServiceAccount."""


class _ResourceQuota(Values):
    create: WhereItFits = "auto"
    """Whether to install it; with `auto` on GKE outside of kube-system, where such pods are refused without one."""
    pods: str = Field(default="1G", pattern=r"^[0-9]+[kMG]?$")
    """How many such pods the namespace may have."""


class _Scc(Values):
    bind: WhereItFits = "auto"
    """Whether the kubelet plugin's ServiceAccount may use it; with `auto` where the cluster is OpenShift. The pods of
    controller and webhook then run as the user that OpenShift gives them, not as that in `podSecurityContext`."""
    name: ObjectName = "privileged"
    """Its name. It has to allow volumes of type hostPath and the user 0; the plugin is no privileged container."""


class _Openshift(Values):
    scc: _Scc = _Scc()
    """SecurityContextConstraints for the kubelet plugin."""


class _NetworkPolicy(Values):
    create: bool = False
    """Whether to limit who reaches the pods of the driver, and whom they reach, to what they need: probes, metrics,
    reviews, and the API server."""
    api_server_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(default=(443, 6443), min_length=1)
    """Ports at which controller and kubelet plugin may reach the API server, at any address."""
    metrics_from: tuple[JsonObject, ...] = ()
    """Who may reach the port of probes and metrics, as in `from` of a NetworkPolicy; empty for all. The kubelet of the
    pod's node always may."""


class _PodDisruptionBudget(Values):
    create: bool = False
    """Whether to install it."""
    min_available: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^(([0-9]{1,2}|100)%)?$")] = ""
    """How many pods have to stay, as a number or in percent."""
    max_unavailable: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^(([0-9]{1,2}|100)%)?$")] = ""
    """How many may be missing instead, as a number or in percent; 1 where both are empty."""


class _ServiceAccount(Values):
    create: bool = True
    """Whether the chart makes the ServiceAccounts: one for the controller, one for the kubelet plugin."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of both ServiceAccounts."""
    name: NamePart = ""
    """Their names begin with this; empty for the full name of the release. `controller.serviceAccountName` and
    `kubeletPlugin.serviceAccountName` name each by itself."""


CONTROLLER_SECURITY: JsonObject = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
PLUGIN_SECURITY: JsonObject = {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER_SECURITY: JsonObject = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
LINUX: Mapping[str, str] = {"kubernetes.io/os": "linux"}
UPDATE_STRATEGY: JsonObject = {"type": "RollingUpdate"}
RESOURCES: JsonObject = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


class _Container(Values):
    security_context: JsonObject = CONTAINER_SECURITY
    """Security context of the container."""
    resources: JsonObject = RESOURCES
    """Resources of the container."""


class _ControllerContainers(Values):
    controller: _Container = _Container()
    """The only container."""


class _PluginContainers(Values):
    init: _Container = _Container()
    """Sets the node's status to NotReady before the plugin starts. Classic DRA only."""
    plugin: _Container = _Container()
    """Serves the kubelet."""


class _WebhookContainers(Values):
    webhook: _Container = _Container()
    """The only container."""


class _Component(Values):
    args: tuple[str, ...] = ("--logging-format=json", "-v=5")
    """More flags of the program; they win over the settings."""
    settings: Values = Values()
    """Settings of the program; each is a flag of it."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port for the probes and the metrics; 0 turns both off."""
    priority_class_name: ObjectName = "system-node-critical"
    """PriorityClass of the pods."""
    termination_grace_period_seconds: int = Field(default=30, ge=0)
    """How long Kubernetes waits for a stop, in seconds: longer than `settings.gracePeriodSeconds`."""
    pod_annotations: Annotations = Field(default_factory=dict)
    """Annotations of the pods."""
    pod_labels: Labels = Field(default_factory=dict)
    """More labels of the pods; those that they are selected by stay."""
    node_selector: Labels = LINUX
    """Labels of the nodes to run on. The image is for Linux."""
    affinity: JsonObject = Field(default_factory=dict)
    """Affinity of the pods."""
    runtime_class_name: ObjectName = ""
    """RuntimeClass of the pods."""
    dns_policy: Literal["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] = ""
    """DNS policy of the pods; empty for that of Kubernetes."""
    dns_config: JsonObject = Field(default_factory=dict)
    """DNS configuration of the pods."""
    extra_env: tuple[JsonObject, ...] = ()
    """More environment variables of the containers, such as `HTTPS_PROXY`."""
    extra_env_from: tuple[JsonObject, ...] = ()
    """ConfigMaps and Secrets to take environment variables of the containers from."""
    extra_volumes: tuple[JsonObject, ...] = ()
    """More volumes of the pods."""
    extra_volume_mounts: tuple[JsonObject, ...] = ()
    """Where the containers have these volumes."""


class _ApiClient(_Component):
    service_account_name: ObjectName = ""
    """Name of the ServiceAccount; empty for one made of `serviceAccount`."""


class _Replicated(_Component):
    topology_spread_constraints: tuple[JsonObject, ...] = ()
    """How to spread the pods; where a constraint has no labelSelector, it is about the pods of this component."""
    pod_disruption_budget: _PodDisruptionBudget = _PodDisruptionBudget()
    """What has to stay while nodes are drained."""


class _Controller(_ApiClient, _Replicated):
    replicas: int = Field(default=1, ge=0)
    """How many controllers run: one of them works, the others take over within seconds when it ends. More than one
    needs `settings.leaderElect`."""
    pod_security_context: JsonObject = CONTROLLER_SECURITY
    """Security context of the pod."""
    tolerations: tuple[JsonObject, ...] = (
        {"key": "node-role.kubernetes.io/master", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
    )
    """Tolerations of the pod."""
    containers: _ControllerContainers = _ControllerContainers()
    """Containers of the pod."""


class _KubeletPlugin(_ApiClient):
    update_strategy: JsonObject = UPDATE_STRATEGY
    """How a change rolls over the nodes. With structured DRA from Kubernetes 1.33 on, and unless `rollingUpdate` says
    otherwise, the new pod of a node serves it before the old one stops (`maxSurge: 1`). Where some kubelets are older,
    set `rollingUpdate.maxUnavailable`."""
    pod_security_context: JsonObject = PLUGIN_SECURITY
    """Security context of the pods. The kubelet's folders belong to root; root is needed for nothing else."""
    tolerations: tuple[JsonObject, ...] = ()
    """Tolerations of the pods: nodes with a taint that is not tolerated offer no devices."""
    containers: _PluginContainers = _PluginContainers()
    """Containers of the pods."""


class _KubeletPluginOfSome(_KubeletPlugin):
    """One that does not run on the nodes that are simulated."""

    affinity: JsonObject = Field(default_factory=dict)
    """Affinity of the pods. Where it is empty, nodes with the label `type: kwok` are left out, as KWOK's nodes usually
    have it: they run no containers."""


class _CertManager(Values):
    enabled: bool = False
    """Whether cert-manager makes the certificate and hands its authority to the API server."""
    issuer_ref: JsonObject = Field(default_factory=dict)
    """The issuer, as in a Certificate of cert-manager; empty for one of its own that signs itself."""


class _WebhookTls(Values):
    existing_secret: ObjectName = ""
    """Secret of type kubernetes.io/tls with the certificate, for the host `<service>.<namespace>.svc`."""
    ca_bundle: str = ""
    """Certificates that the API server trusts the one in `existingSecret` by, as PEM."""


class _Webhook(_Replicated):
    enabled: bool = False
    """Whether to install it."""
    port: int = Field(default=8443, ge=1, le=65535)
    """Port on which the pods answer the API server."""
    host_network: bool = False
    """Whether the pods use the network of their nodes, for clusters whose API server does not reach that of pods. Then
    `port` and `httpPort` have to be free on the nodes."""
    failure_policy: Literal["Ignore", "Fail"] = "Ignore"
    """What happens while it cannot be reached: such claims go through, and their parameters are judged when their pods
    start (Ignore), or they are refused (Fail). Claims that configure nothing of this driver are never held up."""
    timeout_seconds: int = Field(default=5, ge=1, le=30)
    """How long the API server waits for its answer, in seconds."""
    replicas: int = Field(default=1, ge=0)
    """How many of its pods run."""
    priority_class_name: ObjectName = "system-cluster-critical"
    """PriorityClass of the pods."""
    cert_manager: _CertManager = _CertManager()
    """For a certificate by cert-manager."""
    tls: _WebhookTls = _WebhookTls()
    """For a certificate of yours. With neither, the chart makes one for ten years and keeps it over upgrades: delete
    the Secret and run `helm upgrade` for a new one."""
    pod_security_context: JsonObject = CONTROLLER_SECURITY
    """Security context of the pods."""
    tolerations: tuple[JsonObject, ...] = ()
    """Tolerations of the pods."""
    containers: _WebhookContainers = _WebhookContainers()
    """Containers of the pods."""


class _WebhookWithAccount(_Webhook, _ApiClient):
    """One that asks the API server for something."""


class _Dashboard(Values):
    enabled: bool = False
    """Whether to install the Grafana dashboard, in a ConfigMap."""
    namespace: LabelText = ""
    """Namespace of the ConfigMap, where Grafana's sidecar looks; empty for that of the release."""
    labels: Labels = Field(default_factory=lambda: {"grafana_dashboard": "1"})
    """Labels by which Grafana's sidecar finds the ConfigMap; these are the sidecar's own default."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the ConfigMap, such as `grafana_folder`."""


class _PrometheusRule(Values):
    enabled: bool = False
    """Whether to install the alert rules, as a PrometheusRule of the Prometheus operator."""
    labels: Labels = Field(default_factory=dict)
    """Labels by which Prometheus selects its rules, such as `release`."""


class _ServiceMonitor(Values):
    enabled: bool = False
    """Whether to have every pod scraped: installs a ServiceMonitor of the Prometheus operator for each component, and
    the Services that they need."""
    labels: Labels = Field(default_factory=dict)
    """Labels by which Prometheus selects its monitors, such as `release`."""
    interval: str = Field(default="", pattern=_PROMETHEUS_DURATION)
    """How often to scrape, such as 30s or 1m30s; empty for Prometheus' default."""
    relabelings: tuple[JsonObject, ...] = ()
    """Relabelings of the targets."""


class _StatusClusterRole(Values):
    create: bool = False
    """Whether to make a ClusterRole with everything that `{command}` reads, to be bound to people."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the ClusterRole, such as `rbac.authorization.k8s.io/aggregate-to-view`."""


class _Status(Values):
    cluster_role: _StatusClusterRole = _StatusClusterRole()
    """The permission to read."""


class _Root(Values):
    global_: _Global = Field(default=_Global(), alias="global")
    """Values that a chart shares with its subcharts, of which these are used."""
    name_override: NamePart = ""
    """Used instead of the chart's name in the names of objects."""
    fullname_override: NamePart = ""
    """Used instead of the release's and the chart's name in the names of objects. Names of more than 63 characters are
    cut, and get a hash of what was there."""
    namespace_override: LabelText = ""
    """Namespace of the objects; empty for the release's."""
    common_labels: Labels = Field(default_factory=dict)
    """More labels of every object, and of the pods; those of the chart stay."""
    common_annotations: Annotations = Field(default_factory=dict)
    """More annotations of every object."""
    selector_labels_override: Labels = Field(default_factory=dict)
    """Labels to select pods by, instead of app.kubernetes.io/name and app.kubernetes.io/instance."""
    allow_default_namespace: bool = False
    """Whether the chart may be installed in the namespace `default`."""
    resource_api_version: Literal["", "v1", "v1beta2", "v1beta1", "v1alpha2"] = ""
    """Version of resource.k8s.io to use: v1, v1beta2 or v1beta1 for structured DRA, v1alpha2 for classic DRA; empty for
    the first of these that the cluster serves, which the programs find out by themselves. What the chart installs
    differs between classic and structured DRA, so run `helm upgrade` when Kubernetes itself has been upgraded from one
    to the other. Without a cluster (`helm template`) the flag `--kube-version` decides where this is empty, else the
    release that helm was made for."""
    image_pull_secrets: tuple[str | JsonObject, ...] = ()
    """Secrets to pull the image with, by name or as `name: ...`."""
    image: _Image = _Image()
    """Image of the driver."""
    resource_class: _ResourceClass = _ResourceClass()
    """The ResourceClass of classic DRA."""
    device_class: _DeviceClass = _DeviceClass()
    """The DeviceClass of structured DRA."""
    admission_policy: _AdmissionPolicy = _AdmissionPolicy()
    """What keeps each component to its own work, and each kubelet plugin to its own node."""
    resource_quota: _ResourceQuota = _ResourceQuota()
    """A ResourceQuota that admits pods of the PriorityClasses system-node-critical and system-cluster-critical."""
    network_policy: _NetworkPolicy = _NetworkPolicy()
    """NetworkPolicies for {components}."""
    openshift: _Openshift = _Openshift()
    """What OpenShift needs in addition."""
    service_account: _ServiceAccount = _ServiceAccount()
    """The ServiceAccounts of the components."""
    controller: _Controller = _Controller()
    """The controller: allocates devices to claims (classic DRA), or records what the scheduler has allocated
    (structured DRA)."""
    kubelet_plugin: _KubeletPlugin = _KubeletPlugin()
    """The kubelet plugin, one on every node: serves its devices."""


DeviceClassEntry = Annotated[
    JsonObject,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": f"^{_DNS_SUBDOMAIN}$", "maxLength": 253},
                "selectors": {"type": "array", "items": {"type": "object"}},
                "config": {"type": "array", "items": {"type": "object"}},
                "extendedResourceName": {"type": "string", "pattern": f"^({_DNS_SUBDOMAIN}/{_LABEL_NAME})?$"},
            },
        }
    ),
]
"""A DeviceClass: its name, and the fields of its spec."""
DeviceProfileEntry = Annotated[
    JsonObject,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "spec"],
            "properties": {
                "name": {"type": "string", "pattern": f"^{_DNS_SUBDOMAIN}$", "maxLength": 253},
                "spec": {"type": "object"},
            },
        }
    ),
]
"""A DeviceProfile: its name, and its spec, which the API server checks."""


_REQUIREMENT: Final = (
    r"\s*(!?\s*{key}|{key}\s*(==?|!=)\s*({value})?|{key}\s+(not)?in\s*\(\s*({value})?(\s*,\s*({value})?)*\s*\))\s*"
).format(key=f"({_DNS_SUBDOMAIN}/)?{_LABEL_NAME}", value=_LABEL_NAME)
NodeSelector = Annotated[str, Field(pattern=rf"^(\s*|{_REQUIREMENT}(,{_REQUIREMENT})*)$")]
"""A selector as ``kubectl get --selector`` takes it, or nothing."""


class _SimulatedNodes(Values):
    annotation_selector: NodeSelector = "kwok.x-k8s.io/node=fake"
    """Which Nodes, by their annotations, such as `a=b,c!=d,e in (x,y),f,!g`; empty: by labels alone. The default
    selects the nodes of KWOK."""
    label_selector: NodeSelector = ""
    """Which Nodes, by their labels; a Node that either selects is simulated, and with both empty none is. Nodes that
    run containers get a kubelet plugin all the same, unless `kubeletPlugin.affinity` keeps it from them."""


class _Parts(Values):
    """What some charts have alone."""

    driver_name: str = ""
    """Name of the DRA driver. Several releases of the chart can be in one cluster and on one node, each under a name
    and in a namespace of its own. It cannot be changed later: claims know their devices by it."""
    device_classes: tuple[DeviceClassEntry, ...] = ()
    """DeviceClasses of structured DRA, by `name` and with the fields of their specs (`selectors`, `config`,
    `extendedResourceName`); where there are some, `auto` in `deviceClass.create` means no. Otherwise there is one for
    all devices of the driver: `{class_name}`, and with another `driverName` one of that name."""
    device_profiles: tuple[DeviceProfileEntry, ...] = ()
    """DeviceProfiles, by `name` and with a `spec`: which devices the nodes have. Left out, they have those that
    `kubeletPlugin.settings` says. `driverName` of the spec is that of the release."""
    simulated_nodes: _SimulatedNodes = _SimulatedNodes()
    """Nodes without a kubelet plugin, such as those of KWOK: the controller publishes their devices."""

    webhook: _Webhook = _Webhook()
    """The admission webhook of structured DRA: refuses claims and templates whose parameters for this driver cannot be
    used, with the path and what is allowed. Without it, an Event on the claim says so."""
    monitoring: Values = Values()
    """What {tools}."""
    status: _Status = _Status()
    """For people who run `{command}`."""


class _Monitors(Values):
    """The parts of ``monitoring``."""

    dashboard: _Dashboard = _Dashboard()
    """The Grafana dashboard."""
    prometheus_rule: _PrometheusRule = _PrometheusRule()
    """The alert rules."""
    service_monitor: _ServiceMonitor = _ServiceMonitor()
    """Tells Prometheus to scrape the driver."""


def values_model(options: ValuesOptions) -> type[BaseModel]:
    """The model of all values, with the settings of the components in their places."""
    words = {
        "resource": options.example_resource,
        "components": "controller, kubelet plugin and webhook" if options.webhook else "controller and kubelet plugin",
        "command": options.status_command,
        "tools": "Prometheus and Grafana need" if options.has_dashboard else "Prometheus needs",
    }
    if options.monitoring_page:
        words["tools"] += f"; see {options.monitoring_page}"
    image = _with(_Image, "repository", default=options.image)
    device_class = _with(_DeviceClass, "extended_resource_name", words=words)
    plugin = _KubeletPluginOfSome if options.simulates_nodes else _KubeletPlugin
    members: dict[str, Any] = {
        "image": _member(_Root, "image", image),
        "device_class": _member(_Root, "device_class", device_class),
        "network_policy": _member(_Root, "network_policy", _NetworkPolicy, words),
        "controller": _member(_Root, "controller", _component(_Controller, options.controller)),
        "kubelet_plugin": _member(_Root, "kubelet_plugin", _component(plugin, options.kubelet_plugin)),
    }
    if options.driver_name:
        words["class_name"] = options.class_name
        members["driver_name"] = DriverName, _plain_member(_Parts, "driver_name", words, options.driver_name)[1]
        members |= {name: _plain_member(_Parts, name, words) for name in ("device_classes", "device_profiles")}
    if options.simulates_nodes:
        members["simulated_nodes"] = _member(_Parts, "simulated_nodes")
    if options.webhook:
        webhook = _WebhookWithAccount if options.webhook_has_account else _Webhook
        members["webhook"] = _member(_Parts, "webhook", _component(webhook, options.webhook))
    has_monitor = {"dashboard": options.has_dashboard, "prometheus_rule": options.has_alerts, "service_monitor": True}
    monitors = {name: _member(_Monitors, name) for name, is_there in has_monitor.items() if is_there}
    monitoring = create_model("Monitoring", __base__=Values, **monitors)
    members["monitoring"] = _member(_Parts, "monitoring", monitoring, words)
    if options.status_command:
        cluster_role = _with(_StatusClusterRole, "create", words=words)
        status = create_model("Status", __base__=_Status, cluster_role=_member(_Status, "cluster_role", cluster_role))
        members["status"] = _member(_Parts, "status", status, words)
    return create_model("Values", __base__=_Root, **members)


def _component(base: type[_Component], settings: type[Settings]) -> type[BaseModel]:
    """The values of a component, its settings among them."""
    values = create_model(f"{base.__name__}Settings", __base__=Values, **setting_fields(settings))
    return create_model(f"{base.__name__}Values", __base__=base, settings=_member(base, "settings", values))


def _member(
    parent: type[BaseModel], name: str, model: type[BaseModel] | None = None, words: Mapping[str, str] | None = None
) -> Any:
    """A field of a parent, for ``create_model``, with another model, and with words in its description."""
    field = parent.model_fields[name]
    model = model or type(field.default)
    return model, Field(default=model(), description=_worded(field, words))


def _plain_member(parent: type[BaseModel], name: str, words: Mapping[str, str], default: object = None) -> Any:
    """The same with a field that is no model."""
    field = parent.model_fields[name]
    about = Field(default=field.default if default is None else default, description=_worded(field, words))
    return field.annotation, about


def _with(
    base: type[BaseModel], name: str, *, default: object = None, words: Mapping[str, str] | None = None
) -> type[BaseModel]:
    """A model with another default of a field, or with words in its description."""
    field = base.model_fields[name]
    about = Field(description=_worded(field, words))
    member: dict[str, Any] = {
        name: (Annotated[field.annotation, *field.metadata, about], field.default if default is None else default)
    }
    return create_model(base.__name__, __base__=base, **member)


def _worded(field: FieldInfo, words: Mapping[str, str] | None) -> str:
    description = field.description or ""
    return description.format_map(words) if words else description
