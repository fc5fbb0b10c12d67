"""The admission webhook in the chart: when it is there, by which certificate it is trusted, what it is asked about."""

import json
from base64 import b64decode
from typing import Any

import pytest
from cryptography import x509

from fake_dra_driver.driver.programs.settings import WebhookSettings
from fake_dra_driver.flags import parse
from tests.unit.packaging.conftest import CLASSIC, RELEASES, STRUCTURED, Helm, Manifests
from tests.unit.packaging.test_chart import container_of, permissions_of, pod_of
from tests.unit.packaging.test_chart_releases import class_of

WEBHOOK = "fake-dra-driver-webhook"
TLS = "fake-dra-driver-webhook-tls"
HOST = "fake-dra-driver-webhook.fake-system.svc"
ENABLED = "--set=webhook.enabled=true"
CERT_MANAGER = "--set=webhook.certManager.enabled=true"
EXISTING = ("--set=webhook.tls.existingSecret=mine", "--set=webhook.tls.caBundle=PEM")


def webhook_of(manifests: Manifests) -> dict[str, Any]:
    """The only webhook of the configuration."""
    (found,) = manifests["ValidatingWebhookConfiguration", WEBHOOK]["webhooks"]
    webhook: dict[str, Any] = found
    return webhook


def pod_annotations(manifests: Manifests) -> dict[str, str]:
    """The annotations of its pods."""
    found: dict[str, str] = manifests["Deployment", WEBHOOK]["spec"]["template"]["metadata"]["annotations"]
    return found


def added(helm: Helm, *flags: str) -> set[tuple[str, str]]:
    """What the chart installs in addition when the webhook is enabled."""
    manifests = helm.template(ENABLED, *flags, kubernetes=STRUCTURED)
    return set(manifests) - set(helm.template(kubernetes=STRUCTURED))


@pytest.mark.parametrize("release", RELEASES)
def test_it_is_there_on_request_and_in_structured_dra_only(helm: Helm, release: str) -> None:
    assert not [key for key in helm.template(kubernetes=release) if key[1] == WEBHOOK]
    manifests = helm.template(ENABLED, kubernetes=release)
    found = class_of(manifests)
    assert found is not None
    assert (("Deployment", WEBHOOK) in manifests) == (found["kind"] == "DeviceClass")


def test_its_objects(helm: Helm) -> None:
    kinds = ("Deployment", "Service", "ValidatingWebhookConfiguration", "ClusterRole", "ClusterRoleBinding")
    always = {*((kind, WEBHOOK) for kind in kinds), ("ServiceAccount", "fake-dra-driver-service-account-webhook")}
    assert added(helm) == always | {("Secret", TLS)}
    assert added(helm, CERT_MANAGER) == always | {("Issuer", WEBHOOK), ("Certificate", TLS)}
    assert added(helm, CERT_MANAGER, "--set=webhook.certManager.issuerRef.name=ours") == always | {("Certificate", TLS)}
    assert added(helm, *EXISTING) == always


# --- The program


def test_it_may_read_which_kinds_configure_devices_and_nothing_else(helm: Helm) -> None:
    manifests = helm.template(ENABLED, kubernetes=STRUCTURED)
    pod = pod_of(manifests, WEBHOOK)
    assert manifests["ServiceAccount", pod["serviceAccountName"]]
    assert permissions_of(manifests["ClusterRole", WEBHOOK]) == {
        ("fake.resource.3-shake.com", "deviceprofiles"): {"get", "list", "watch"}
    }
    assert ("Role", WEBHOOK) not in manifests
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container_of(manifests, WEBHOOK)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_the_program_is_told_where_its_certificate_is_mounted(helm: Helm) -> None:
    manifests = helm.template(ENABLED, kubernetes=STRUCTURED)
    container = container_of(manifests, WEBHOOK)
    assert container["command"] == ["fake-dra-driver", "webhook"]
    (mount,) = container["volumeMounts"]
    (volume,) = pod_of(manifests, WEBHOOK)["volumes"]
    assert (mount["name"], volume["secret"]["secretName"]) == (volume["name"], TLS)
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "FAKE_DRA_LISTEN": ":8443",
        "FAKE_DRA_TLS_CERT_FILE": f"{mount['mountPath']}/tls.crt",
        "FAKE_DRA_TLS_KEY_FILE": f"{mount['mountPath']}/tls.key",
    }
    assert "--http-endpoint=:8080" in container["args"]


def test_the_program_accepts_what_the_chart_gives_it(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.template(ENABLED, "--set=webhook.settings.gracePeriodSeconds=7", kubernetes=STRUCTURED)
    container = container_of(manifests, WEBHOOK)
    for entry in container["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = parse(WebhookSettings, container["args"])
    assert (str(settings.listen), str(settings.http_endpoint)) == (":8443", ":8080")
    assert settings.grace_period_seconds == 7 < pod_of(manifests, WEBHOOK)["terminationGracePeriodSeconds"]


def test_the_service_leads_to_its_pods_alone(helm: Helm) -> None:
    manifests = helm.template(ENABLED, kubernetes=STRUCTURED)
    service = manifests["Service", WEBHOOK]["spec"]
    https, _ = service["ports"]
    assert https == {"name": "https", "port": 443, "targetPort": "https"}
    selected = [
        name
        for (_, name), found in manifests.items()
        if "template" in found.get("spec", {})
        and service["selector"].items() <= found["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert selected == [WEBHOOK]
    reference = webhook_of(manifests)["clientConfig"]["service"]
    assert reference == {"name": WEBHOOK, "namespace": "fake-system", "path": "/validate-resource-claim-parameters"}


def test_its_metrics_are_scraped_through_its_service(helm: Helm) -> None:
    scraped = ("--set=monitoring.serviceMonitor.enabled=true", "--set=webhook.httpPort=9000")
    manifests = helm.template(ENABLED, *scraped, kubernetes=STRUCTURED)
    service, monitor = manifests["Service", WEBHOOK], manifests["ServiceMonitor", WEBHOOK]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    ports = {port["name"]: port for port in service["spec"]["ports"]}
    assert ports[endpoint["port"]] == {"name": "metrics", "port": 9000, "targetPort": "http"}
    assert f"--metrics-path={endpoint['path']}" in container_of(manifests, WEBHOOK)["args"]
    assert ("ServiceMonitor", WEBHOOK) not in helm.template(*scraped, kubernetes=STRUCTURED)
    assert ("ServiceMonitor", WEBHOOK) not in helm.template(ENABLED, *scraped, kubernetes=CLASSIC)
    manifests = helm.template(ENABLED, scraped[0], "--set=webhook.httpPort=0", kubernetes=STRUCTURED)
    assert ("ServiceMonitor", WEBHOOK) not in manifests
    assert [port["name"] for port in manifests["Service", WEBHOOK]["spec"]["ports"]] == ["https"]


def test_values_that_kubernetes_checks_are_passed_on(helm: Helm) -> None:
    values = {
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"kubernetes.io/os": "linux", "disk": "ssd"},
        "affinity": {"podAntiAffinity": {}},
        "tolerations": [{"operator": "Exists"}],
        "replicas": 2,
        "terminationGracePeriodSeconds": 27,
    }
    flags = [f"--set-json=webhook.{key}={json.dumps(value)}" for key, value in values.items()]
    manifests = helm.template(ENABLED, *EXISTING, *flags, kubernetes=STRUCTURED)
    spec = manifests["Deployment", WEBHOOK]["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["metadata"]["annotations"] == {"a": "b"}
    for key in ("nodeSelector", "affinity", "tolerations", "terminationGracePeriodSeconds"):
        assert spec["template"]["spec"][key] == values[key]


# --- The certificate


def test_the_charts_certificate_is_for_the_service_and_by_the_authority_that_is_trusted(helm: Helm) -> None:
    manifests = helm.template(ENABLED, kubernetes=STRUCTURED)
    data = manifests["Secret", TLS]["data"]
    authority, certificate = (x509.load_pem_x509_certificate(b64decode(data[key])) for key in ("ca.crt", "tls.crt"))
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 3650
    assert webhook_of(manifests)["clientConfig"]["caBundle"] == data["ca.crt"]


def test_a_new_certificate_makes_new_pods(helm: Helm) -> None:
    # Without a cluster there is no certificate to be kept. The two differ in a value that changes nothing else.
    first, second = (
        helm.template(ENABLED, f"--set=global.render={count}", kubernetes=STRUCTURED) for count in range(2)
    )
    assert first["Secret", TLS]["data"] != second["Secret", TLS]["data"]
    assert pod_annotations(first) != pod_annotations(second)


def test_cert_manager_makes_it_for_the_service_and_says_whom_to_trust(helm: Helm) -> None:
    manifests = helm.template(ENABLED, CERT_MANAGER, kubernetes=STRUCTURED)
    certificate = manifests["Certificate", TLS]
    assert certificate["spec"] == {
        "secretName": TLS,
        "dnsNames": [HOST],
        "issuerRef": {"kind": "Issuer", "name": WEBHOOK},
    }
    assert manifests["Issuer", WEBHOOK]["spec"] == {"selfSigned": {}}
    configuration = manifests["ValidatingWebhookConfiguration", WEBHOOK]
    assert configuration["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": f"fake-system/{TLS}"}
    assert "caBundle" not in webhook_of(manifests)["clientConfig"]
    flags = ("--set=webhook.certManager.issuerRef.kind=ClusterIssuer", "--set=webhook.certManager.issuerRef.name=ours")
    certificate = helm.template(ENABLED, CERT_MANAGER, *flags, kubernetes=STRUCTURED)["Certificate", TLS]
    assert certificate["spec"]["issuerRef"] == {"kind": "ClusterIssuer", "name": "ours"}


def test_a_certificate_of_the_user(helm: Helm) -> None:
    manifests = helm.template(ENABLED, *EXISTING, kubernetes=STRUCTURED)
    assert pod_of(manifests, WEBHOOK)["volumes"] == [{"name": "tls", "secret": {"secretName": "mine"}}]
    assert b64decode(webhook_of(manifests)["clientConfig"]["caBundle"]) == b"PEM"
    assert "annotations" not in manifests["Deployment", WEBHOOK]["spec"]["template"]["metadata"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((*EXISTING, CERT_MANAGER), "set one of them"),
        (EXISTING[:1], "webhook.tls.caBundle has to hold the PEM certificates"),
        (EXISTING[1:], "name the Secret that holds it in webhook.tls.existingSecret"),
        (("--set=webhook.httpPort=443",), "webhook.httpPort cannot be 443"),
        (("--set=webhook.httpPort=8443",), "webhook.httpPort cannot be webhook.port"),
        (("--set=webhook.failurePolicy=Perhaps",), "must be one of 'Ignore', 'Fail'"),
        (("--set=webhook.timeoutSeconds=31",), "maximum: got 31, want 30"),
    ],
)
def test_what_cannot_work_is_refused(helm: Helm, flags: tuple[str, ...], message: str) -> None:
    assert message in helm.refuses(ENABLED, *flags, kubernetes=STRUCTURED)


# --- What it is asked about


def test_it_is_asked_about_new_claims_and_templates_of_every_version(helm: Helm) -> None:
    (rule,) = webhook_of(helm.template(ENABLED, kubernetes=STRUCTURED))["rules"]
    assert rule == {
        "apiGroups": ["resource.k8s.io"],
        "apiVersions": ["v1", "v1beta2", "v1beta1"],
        "operations": ["CREATE"],
        "resources": ["resourceclaims", "resourceclaimtemplates"],
        "scope": "Namespaced",
    }


def test_claims_do_not_depend_on_it_unless_that_is_wanted(helm: Helm) -> None:
    webhook = webhook_of(helm.template(ENABLED, kubernetes=STRUCTURED))
    assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Ignore", 5)
    flags = ("--set=webhook.failurePolicy=Fail", "--set=webhook.timeoutSeconds=2")
    webhook = webhook_of(helm.template(ENABLED, *flags, kubernetes=STRUCTURED))
    assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Fail", 2)


def test_in_classic_dra_a_wrong_value_is_refused_all_the_same(helm: Helm) -> None:
    assert "set one of them" in helm.refuses(ENABLED, *EXISTING, CERT_MANAGER, kubernetes=CLASSIC)
