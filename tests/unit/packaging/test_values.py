"""values.yaml: keys and defaults of the Go driver's chart, and every setting of the components."""

from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from fake_dra_driver.driver.programs.settings import ControllerSettings, KubeletPluginSettings, WebhookSettings
from fake_dra_driver.packaging.generate import CHART, chart_files
from fake_dra_driver.settings import Settings, settings_of

LOGGING = ["--logging-format=json", "-v=5"]
MASTERS = [
    {"key": f"node-role.kubernetes.io/{role}", "operator": "Exists", "effect": "NoSchedule"}
    for role in ("master", "control-plane")
]


@pytest.fixture(scope="module")
def values() -> Any:
    """values.yaml, read."""
    return yaml.safe_load(chart_files()[f"{CHART}/values.yaml"])


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("nameOverride", ""),
        ("fullnameOverride", ""),
        ("namespaceOverride", ""),
        ("selectorLabelsOverride", {}),
        ("allowDefaultNamespace", False),
        ("imagePullSecrets", []),
        ("image.repository", "fake-dra-driver"),
        ("image.pullPolicy", "IfNotPresent"),
        ("image.tag", ""),
        ("serviceAccount.create", True),
        ("serviceAccount.annotations", {}),
        ("serviceAccount.name", ""),
        ("controller.priorityClassName", "system-node-critical"),
        ("controller.podAnnotations", {}),
        ("controller.nodeSelector", {"kubernetes.io/os": "linux"}),
        ("controller.affinity", {}),
        ("controller.args", LOGGING),
        ("controller.tolerations", MASTERS),
        ("kubeletPlugin.priorityClassName", "system-node-critical"),
        ("kubeletPlugin.updateStrategy.type", "RollingUpdate"),
        ("kubeletPlugin.podAnnotations", {}),
        ("kubeletPlugin.nodeSelector", {"kubernetes.io/os": "linux"}),
        ("kubeletPlugin.affinity", {}),
        ("kubeletPlugin.args", LOGGING),
        ("kubeletPlugin.tolerations", []),
    ],
)
def test_go_drivers_keys_and_defaults(values: Any, path: str, default: object) -> None:
    for key in path.split("."):
        values = values[key]
    assert values == default


@pytest.mark.parametrize(
    "path",
    [
        "controller.podSecurityContext",
        "controller.containers.controller.securityContext",
        "controller.containers.controller.resources",
        "kubeletPlugin.podSecurityContext",
        "kubeletPlugin.containers.init.securityContext",
        "kubeletPlugin.containers.init.resources",
        "kubeletPlugin.containers.plugin.securityContext",
        "kubeletPlugin.containers.plugin.resources",
    ],
)
def test_go_drivers_keys_that_have_defaults_of_ours(values: Any, path: str) -> None:
    for key in path.split("."):
        values = values[key]
    assert values
    assert "privileged" not in values


@pytest.mark.parametrize(
    ("component", "model"),
    [("controller", ControllerSettings), ("kubeletPlugin", KubeletPluginSettings), ("webhook", WebhookSettings)],
)
def test_settings_of_a_component(values: Any, component: str, model: type[Settings]) -> None:
    wanted = {
        to_camel(setting.name): setting.info.chart_default
        or (str(setting.default) if hasattr(setting.default, "parts") else setting.default)
        for setting in settings_of(model)
        if setting.info.in_chart
    }
    found = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values[component]["settings"].items()
    }
    assert found == wanted
    assert found.get("kubeApiQps", 0) == 0, "no limit on our side"
