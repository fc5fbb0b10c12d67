"""Defaults of pods, and of the pod templates in workloads.

Follows k8s.io/kubernetes/pkg/apis/core/v1/defaults.go, the admission plugin DefaultTolerationSeconds, and
pkg/apis/core/v1/helper/qos.
"""

from collections.abc import Iterator

from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = [
    "admit_pod",
    "default_pod",
    "default_pod_spec",
    "pod_grace_seconds",
    "prepare_pod",
]

_NOT_READY_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)
_VOLUME_MODES = {"configMap": 0o644, "secret": 0o644, "projected": 0o644, "downwardAPI": 0o644}


def default_pod(pod: Object) -> None:
    """Fills in what a pod leaves out, including its QoS class."""
    default_pod_spec(pod["spec"])
    pod.setdefault("status", {}).setdefault("qosClass", _quality_of_service(pod["spec"]))


def prepare_pod(pod: Object, old: Object | None) -> None:
    """Sets the condition of a new pod that waits for its scheduling gates."""
    if old is not None or not pod["spec"].get("schedulingGates"):
        return
    gated = {
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": None,
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }
    pod["status"]["conditions"] = [gated]


def _quality_of_service(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by the requests and limits of CPU and memory."""
    resources = [each["resources"] for each in _containers(spec)]
    counted = ("cpu", "memory")
    given = [
        (name, kind)
        for each in resources
        for kind in ("requests", "limits")
        for name in each.get(kind) or {}
        if name in counted
    ]
    if not given:
        return "BestEffort"
    is_guaranteed = all(
        (each.get("limits") or {}).get(name) is not None
        and (each.get("requests") or {}).get(name) == (each.get("limits") or {}).get(name)
        for each in resources
        for name in counted
    )
    return "Guaranteed" if is_guaranteed else "Burstable"


def default_pod_spec(spec: Object) -> None:
    """Fills in what pods and pod templates leave out."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in _containers(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _containers(spec: Object) -> Iterator[Object]:
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from (each for each in spec.get(name) or () if isinstance(each, dict))


def _default_container(container: Object) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = ("@" not in image and not tag) or tag == "latest"
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    requests = {**container["resources"].get("limits", {}), **container["resources"].get("requests", {})}
    if requests:
        container["resources"]["requests"] = requests
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            probe = container[name]
            for field, value in (
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ):
                probe.setdefault(field, value)
            if "httpGet" in probe:
                probe["httpGet"].setdefault("path", "/")
                probe["httpGet"].setdefault("scheme", "HTTP")
            if "grpc" in probe:
                probe["grpc"].setdefault("service", "")


def _default_volume(volume: Object) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for name, mode in _VOLUME_MODES.items():
        if isinstance(volume.get(name), dict):
            volume[name].setdefault("defaultMode", mode)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def admit_pod(pod: Object) -> None:
    """What admission adds to a new pod."""
    spec = pod["spec"]
    spec.setdefault("enableServiceLinks", True)
    tolerations = spec.setdefault("tolerations", [])
    for wanted in _NOT_READY_TOLERATIONS:
        tolerated = any(
            each.get("key") in (wanted["key"], None) and each.get("effect", "NoExecute") == "NoExecute"
            for each in tolerations
        )
        if not tolerated:
            tolerations.append(dict(wanted))


def pod_grace_seconds(pod: Object) -> int:
    """Grace period of a deletion that names none: nothing runs before there is a node, or after the end."""
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    return int(pod["spec"].get("terminationGracePeriodSeconds", 30))
