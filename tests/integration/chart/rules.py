"""What holds among the objects of one installation, whatever it is called: they find each other, and nothing else.

An API server judges each object by itself; that a selector misses its pods, or that a Secret is never made, it does not
know. Each check yields sentences, none when all is well.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.driver.programs.settings import ControllerSettings, KubeletPluginSettings, WebhookSettings
from fake_dra_driver.flags import UsageError, parse
from fake_dra_driver.settings import Settings
from tests.integration.chart.installation import Installation
from tests.integration.chart.names import DNS_LABEL
from tests.integration.chart.rendering import Object

__all__ = ["problems"]

Json = Mapping[str, Any]

_QUALIFIED: Final = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_OF_THE_DRIVER: Final = ("DeviceClass", "ResourceClass")
"""Users' claims name these, so their names are fixed."""
_IN_HOST_NAMES: Final = ("DaemonSet", "Deployment", "Service")
"""Names of these end up in names of hosts."""
_IN_LABELS: Final = (*_IN_HOST_NAMES, "ServiceAccount")
"""Names of these end up in labels, as networks and monitors write them (CiliumIdentity has the account's)."""
_PROGRAMS: Final[Mapping[str, type[Settings]]] = {
    "controller": ControllerSettings,
    "kubeletplugin": KubeletPluginSettings,
    "webhook": WebhookSettings,
}
_BUILT_IN_ROLES: Final = "system:"


def problems(installation: Installation, objects: Sequence[Object]) -> Sequence[str]:
    """What is wrong with the objects in each other's company."""
    checks: Sequence[Callable[[Installation, Sequence[Object]], Iterator[str]]] = (
        _names,
        _labels,
        _workloads,
        _volumes,
        _accounts,
        _services,
        _monitors,
        _webhook,
        _programs,
    )
    return [problem for check in checks for problem in check(installation, objects)]


def _classes_of(installation: Installation) -> Collection[str]:
    """The names of its classes: the usual one, or that of another driver, and those that it is given."""
    driver = installation.values.get("driverName", DRIVER_NAME)
    given = installation.values.get("deviceClasses") or ()
    return {RESOURCE_CLASS_NAME if driver == DRIVER_NAME else driver, *(each["name"] for each in given)}


def _names(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """No two objects are one, and each name is good for what is made of it."""
    known = Counter((each.kind.partition("/")[0], each.manifest["kind"], each.namespace, each.name) for each in objects)
    yield from (f"twice: {identity}" for identity, count in known.items() if count > 1)
    for each in objects:
        if each.manifest["kind"] in _IN_HOST_NAMES and not re.fullmatch(DNS_LABEL, each.name):
            yield f"{each} cannot be in the name of a host"
        if each.manifest["kind"] in _IN_LABELS and not _LABEL_VALUE.fullmatch(each.name):
            yield f"{each} cannot be in a label"
        if each.manifest["kind"] in _OF_THE_DRIVER and each.name not in _classes_of(installation):
            yield f"{each} is called otherwise than in every claim"


def _labels(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """Labels and annotations, of the objects and of their pods."""
    for each in objects:
        for metadata in (each.manifest["metadata"], _template(each).get("metadata", {})):
            labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
            for key, value in chain(labels.items(), annotations.items()):
                if not isinstance(value, str):
                    yield f"{each}: {key} is {value!r}, which is no text"
                if not _QUALIFIED.fullmatch(key):
                    yield f"{each}: {key!r} cannot be a key"
            yield from (
                f"{each}: the label {key} cannot be {value!r}"
                for key, value in labels.items()
                if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value)
            )
        if not (each.manifest["metadata"].get("labels") or {}).get("app.kubernetes.io/instance"):
            yield f"{each} does not say of which release it is"


def _template(each: Object) -> Json:
    found: Json = (each.manifest.get("spec") or {}).get("template") or {}
    return found


def _of_kind(objects: Sequence[Object], *kinds: str) -> Sequence[Object]:
    return [each for each in objects if each.manifest["kind"] in kinds]


def _pods(objects: Sequence[Object]) -> Sequence[Object]:
    """Whatever has pods."""
    return [each for each in objects if _template(each)]


def _selects(selector: Json, labels: Json) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def _selected(selector: Json, namespace: str | None, objects: Sequence[Object]) -> Sequence[Object]:
    return [
        each
        for each in _pods(objects)
        if each.namespace == namespace and _selects(selector, _template(each)["metadata"]["labels"])
    ]


def _workloads(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """Each selects its own pods alone, and so does what selects pods beside it."""
    for each in _pods(objects):
        found = _selected(each.manifest["spec"]["selector"]["matchLabels"], each.namespace, objects)
        if found != [each]:
            yield f"{each} selects the pods of {[*map(str, found)]}"
        if _template(each)["spec"].get("nodeSelector", {}).get("kubernetes.io/os") is None:
            yield f"{each} may come to a node of Windows"
    for each in _of_kind(objects, "NetworkPolicy", "PodDisruptionBudget"):
        spec = each.manifest["spec"]
        selector = (spec.get("podSelector") or spec.get("selector") or {}).get("matchLabels", {})
        if len(_selected(selector, each.namespace, objects)) != 1:
            yield f"{each} is not about the pods of one component"


def _containers(each: Object) -> Sequence[Json]:
    spec = _template(each)["spec"]
    return [*spec["containers"], *spec.get("initContainers", ())]


def _volumes(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """What is mounted is there, what is there is mounted, and no container has a name or a variable twice."""
    for each in _pods(objects):
        volumes = [volume["name"] for volume in _template(each)["spec"].get("volumes", ())]
        mounted = {mount["name"] for one in _containers(each) for mount in one.get("volumeMounts", ())}
        if len({*volumes}) != len(volumes) or not mounted <= {*volumes}:
            yield f"{each} mounts {sorted(mounted)} of {volumes}"
        for container in _containers(each):
            variables = Counter(one["name"] for one in container.get("env", ()))
            yield from (f"{each} has the variable {name} twice" for name, count in variables.items() if count > 1)
            ports = Counter(one["containerPort"] for one in container.get("ports", ()))
            yield from (f"{each} has the port {port} twice" for port, count in ports.items() if count > 1)


def _accounts(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """Who is allowed something is who runs, and exists unless it is to come from elsewhere."""
    made = {(each.namespace, each.name) for each in _of_kind(objects, "ServiceAccount")}
    used = {
        (each.namespace, _template(each)["spec"].get("serviceAccountName", "default")): each for each in _pods(objects)
    }
    is_made_elsewhere = installation.values.get("serviceAccount", {}).get("create") is False
    named = {installation.values.get(component, {}).get("serviceAccountName") for component in _COMPONENTS}
    for (namespace, name), each in used.items():
        has_a_token = _template(each)["spec"].get("automountServiceAccountToken", True)
        if (namespace, name) not in made and not is_made_elsewhere and name not in named and has_a_token:
            yield f"{each} runs as {name}, which is not made"
    roles = {(each.manifest["kind"], each.namespace, each.name) for each in _of_kind(objects, "ClusterRole", "Role")}
    for each in _of_kind(objects, "ClusterRoleBinding", "RoleBinding"):
        role = each.manifest["roleRef"]
        where = each.namespace if role["kind"] == "Role" else None
        if (role["kind"], where, role["name"]) not in roles and not role["name"].startswith(_BUILT_IN_ROLES):
            yield f"{each} is of {role['name']}, which is not made"
        for subject in each.manifest["subjects"]:
            if (subject["namespace"], subject["name"]) not in used:
                yield f"{each} allows something to {subject['name']}, as which nothing runs"


_COMPONENTS: Final = ("controller", "kubeletPlugin", "webhook")


def _services(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """Each leads to a port that the pods of one component listen on."""
    for each in _of_kind(objects, "Service"):
        spec = each.manifest["spec"]
        found = _selected(spec["selector"], each.namespace, objects)
        if len(found) != 1:
            yield f"{each} leads to the pods of {[*map(str, found)]}"
            continue
        opened = [port for one in _containers(found[0]) for port in one.get("ports", ())]
        known = {port.get("name") for port in opened} | {port["containerPort"] for port in opened}
        yield from (
            f"{each}: {found[0]} has no port {port['targetPort']}"
            for port in spec["ports"]
            if port["targetPort"] not in known
        )


def _monitors(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """Each finds one Service in its own namespace, by labels, with the port that it names."""
    for each in _of_kind(objects, "ServiceMonitor"):
        selector = each.manifest["spec"]["selector"]["matchLabels"]
        found = [
            service
            for service in _of_kind(objects, "Service")
            if service.namespace == each.namespace and _selects(selector, service.manifest["metadata"]["labels"])
        ]
        if len(found) != 1:
            yield f"{each} finds {[*map(str, found)]}"
            continue
        ports = {port["name"] for port in found[0].manifest["spec"]["ports"]}
        if not {endpoint["port"] for endpoint in each.manifest["spec"]["endpoints"]} <= ports:
            yield f"{each}: {found[0]} has the ports {ports}"


def _webhook(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """The API server is sent to a Service that is there, whose pods have a certificate that is made or is yours."""
    services = {(each.namespace, each.name) for each in _of_kind(objects, "Service")}
    for each in _of_kind(objects, "ValidatingWebhookConfiguration"):
        for webhook in each.manifest["webhooks"]:
            service = webhook["clientConfig"]["service"]
            if (service["namespace"], service["name"]) not in services:
                yield f"{each} sends to {service['name']}, which is not made"
    made = {(each.namespace, each.name) for each in _of_kind(objects, "Secret")}
    made |= {(each.namespace, each.manifest["spec"]["secretName"]) for each in _of_kind(objects, "Certificate")}
    yours = installation.values.get("webhook", {}).get("tls", {}).get("existingSecret")
    for each in _pods(objects):
        for volume in _template(each)["spec"].get("volumes", ()):
            name = volume.get("secret", {}).get("secretName")
            if name is not None and (each.namespace, name) not in made and name != yours:
                yield f"{each} mounts the Secret {name}, which is not made"


def _programs(installation: Installation, objects: Sequence[Object]) -> Iterator[str]:
    """A program takes its flags, and stops before Kubernetes kills it."""
    for each in _pods(objects):
        component = _template(each)["metadata"]["labels"]["app.kubernetes.io/component"]
        container = _template(each)["spec"]["containers"][0]
        needed = {"controller": ("--namespace=x",), "kubeletplugin": ("--namespace=x", "--node-name=x")}
        tls = ("--tls-cert-file=/tls/tls.crt", "--tls-key-file=/tls/tls.key", "--listen=:8443")
        flags = [*needed.get(component, tls), *container["args"]]
        try:
            settings = parse(_PROGRAMS[component], flags)
        except UsageError as error:
            yield f"{each} ends at once: {error}"
            continue
        patience = _template(each)["spec"].get("terminationGracePeriodSeconds", 30)
        own = getattr(settings, "grace_period_seconds", 0)
        if own >= patience:
            yield f"{each} is killed after {patience} s, and takes {own} s to stop"
