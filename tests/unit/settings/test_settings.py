"""Names, defaults and bounds of the settings, and which source wins."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fake_dra_driver.dra.program.settings import RETRY_JITTER_FACTOR
from fake_dra_driver.driver.programs.settings import (
    ControllerSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
)
from fake_dra_driver.flags import parse
from fake_dra_driver.packaging.settings import GenerateSettings
from fake_dra_driver.runtime.leaderelection import JITTER_FACTOR, LeaseTiming
from fake_dra_driver.settings import Endpoint, Settings, settings_of

NODE: dict[str, Any] = {"namespace": "fake-system", "node_name": "node-1"}


def _variables(model: type[Settings]) -> dict[str, tuple[str, ...]]:
    return {setting.flag: setting.variables for setting in settings_of(model)}


def test_flags_and_variables_of_the_go_driver_are_kept() -> None:
    controller = _variables(ControllerSettings)
    plugin = _variables(KubeletPluginSettings)
    status = _variables(SetNasStatusSettings)
    for flag in ("kube-api-qps", "kube-api-burst", "workers", "http-endpoint", "metrics-path", "v"):
        name = flag.replace("-", "_").upper()
        assert controller[f"--{flag}"] == (f"FAKE_DRA_{name}", name)
    # KUBECONFIG is no name of that flag: it may hold several paths, of which some are missing, and runtime reads it.
    assert controller["--kubeconfig"] == ("FAKE_DRA_KUBECONFIG",)
    assert controller["--logging-format"] == ("FAKE_DRA_LOGGING_FORMAT", "LOGGING_FORMAT")
    assert controller["--namespace"] == ("FAKE_DRA_NAMESPACE", "POD_NAMESPACE")
    assert plugin["--node-name"] == ("FAKE_DRA_NODE_NAME", "NODE_NAME")
    assert plugin["--cdi-root"] == ("FAKE_DRA_CDI_ROOT", "CDI_ROOT")
    assert status["--status"] == ("FAKE_DRA_STATUS", "STATUS")
    assert plugin["--device-count"] == ("FAKE_DRA_DEVICE_COUNT",), "our own settings have no name without a prefix"


def test_defaults_of_the_controller() -> None:
    settings = ControllerSettings(namespace="fake-system")
    assert settings.workers == 10
    assert (settings.kube_api_qps, settings.kube_api_burst) == (0, 0)
    assert settings.http_endpoint is None
    assert settings.metrics_path == "/metrics"
    assert (settings.logging_format, settings.verbosity) == ("text", 0)
    assert settings.kubeconfig == ""


def test_defaults_of_the_plugin() -> None:
    settings = KubeletPluginSettings(**NODE)
    assert settings.device_count == 8
    assert settings.device_models == ("LATEST-FAKE-MODEL",)
    assert settings.cdi_root == Path("/etc/cdi")
    assert settings.sockets.registration == Path("/var/lib/kubelet/plugins_registry/fake.resource.3-shake.com.sock")
    assert settings.sockets.plugin == Path("/var/lib/kubelet/plugins/fake.resource.3-shake.com/plugin.sock")
    assert settings.checkpoint == settings.plugin_dir / "checkpoint.json"


@pytest.mark.parametrize("variable", ["FAKE_DRA_DRIVER_NAME", "DRIVER_NAME"])
def test_under_another_name_the_plugin_has_sockets_of_its_own(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "gpu.example.com")
    settings = KubeletPluginSettings(**NODE)
    assert settings.sockets.registration == Path("/var/lib/kubelet/plugins_registry/gpu.example.com.sock")
    assert settings.plugin_dir == Path("/var/lib/kubelet/plugins/gpu.example.com")


def test_a_name_that_is_too_long_for_a_socket_is_refused() -> None:
    fits, too_long = "a" * 61, "a" * 62
    assert KubeletPluginSettings(**NODE, driver_name=fits, pod_uid="b").driver_name == fits
    with pytest.raises(ValidationError, match=f"/{too_long}/dra-.{{11}}.sock in it exceeds the 107 bytes"):
        KubeletPluginSettings(**NODE, driver_name=too_long, pod_uid="b")


def test_settings_cannot_be_changed() -> None:
    settings = ControllerSettings(namespace="fake-system")
    with pytest.raises(ValidationError):
        settings.workers = 1  # type: ignore[misc] # this is what must fail


@pytest.mark.parametrize("model", [ControllerSettings, KubeletPluginSettings, SetNasStatusSettings, GenerateSettings])
def test_every_setting_is_described(model: type[Settings]) -> None:
    for setting in settings_of(model):
        assert setting.description.endswith("."), setting.name
        assert setting.allowed, setting.name


def test_flag_wins_over_prefixed_variable_over_unprefixed_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ControllerSettings(namespace="a").workers == 10
    monkeypatch.setenv("WORKERS", "2")
    assert ControllerSettings(namespace="a").workers == 2
    monkeypatch.setenv("FAKE_DRA_WORKERS", "3")
    assert ControllerSettings(namespace="a").workers == 3
    assert ControllerSettings(namespace="a", workers=4).workers == 4


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DRA_WORKERS", "")
    assert ControllerSettings(namespace="a").workers == 10
    monkeypatch.setenv("WORKERS", "2")
    assert ControllerSettings(namespace="a").workers == 2
    monkeypatch.setenv("POD_NAMESPACE", "")
    with pytest.raises(ValidationError):
        ControllerSettings()


@pytest.mark.parametrize("variable", ["FAKE_DRA_WORKERS", "WORKERS"])
def test_variable_that_does_not_parse_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "many")
    with pytest.raises(ValidationError):
        ControllerSettings(namespace="a")


def test_reference_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "POD_NAMESPACE": "fake-system",
        "NODE_NAME": "node-1",
        "CDI_ROOT": "/var/run/cdi",
        "KUBE_API_QPS": "5",
        "KUBE_API_BURST": "10",
        "HTTP_ENDPOINT": ":8080",
        "METRICS_PATH": "/m",
        "LOGGING_FORMAT": "json",
        "V": "5",
    }.items():
        monkeypatch.setenv(name, value)
    settings = KubeletPluginSettings()
    assert settings.namespace == "fake-system"
    assert settings.node_name == "node-1"
    assert settings.cdi_root == Path("/var/run/cdi")
    assert (settings.kube_api_qps, settings.kube_api_burst) == (5, 10)
    assert settings.http_endpoint == Endpoint("", 8080)
    assert settings.metrics_path == "/m"
    assert (settings.logging_format, settings.verbosity) == ("json", 5)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("device_count", [0, 8, 128], [-1, 129, "x", 1.5]),
        ("device_models", ["A", "A,B", "A,A,B", "a.b-c_d", "x" * 63], ["", "A,", "A B", "A*", "x" * 64, "-A"]),
        ("namespace", ["a", "fake-system"], ["", "Fake", "a.b", "-a", "a" * 64]),
        ("node_name", ["a", "a.b", "0"], ["", "A", "a..b", "a" * 254]),
        ("cdi_root", ["/a"], ["a", "", "./a"]),
        ("kubelet_plugins_dir", ["/" + "x" * 68], ["/" + "x" * 69, "x"]),
        ("kubelet_registry_dir", ["/" + "x" * 75], ["/" + "x" * 76, "x"]),
        ("checkpoint_path", ["/a/b"], ["a", "/etc/cdi/checkpoint"]),
        ("kube_api_qps", [0, 0.5, 5000], [-1, "nan", "inf"]),
        ("kube_api_burst", [0, 10], [-1, 0.5]),
        ("metrics_path", ["", "/m"], ["m", "/healthz", "/a b", "/"]),
        ("logging_format", ["text", "json"], ["JSON", "xml"]),
        ("verbosity", [0, 5, 99], [-1, "x"]),
        ("grace_period_seconds", [0, 20.5], [-1, "inf"]),
        ("api_timeout_seconds", [0.1, 30], [0, "nan"]),
        ("http_endpoint", ["", ":0", "h:1", "127.0.0.1:65535", "[::1]:80"], ["80", ":", ":65536", "::1:80", "a b:1"]),
    ],
)
def test_bounds(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        KubeletPluginSettings(**{**NODE, name: value})
    for value in bad:
        with pytest.raises(ValidationError):
            KubeletPluginSettings(**{**NODE, name: value})


ELECTION = "leader_elect_"


@pytest.mark.parametrize(
    ("durations", "problem"),
    [
        ({"lease_duration_seconds": "15s", "renew_deadline_seconds": "10s", "retry_period_seconds": "0.5s"}, None),
        ({"lease_duration_seconds": 10}, "less than --leader-elect-lease-duration"),
        ({"renew_deadline_seconds": 15}, "less than --leader-elect-lease-duration"),
        ({"renew_deadline_seconds": 2.4}, "less than --leader-elect-renew-deadline"),
        ({"retry_period_seconds": 8.4}, "less than --leader-elect-renew-deadline"),
        ({"lease_duration_seconds": 15.5}, "valid integer"),
        ({"lease_duration_seconds": "15m"}, "valid integer"),
        ({"retry_period_seconds": "inf"}, "finite number"),
    ],
)
def test_durations_of_leader_election_fit_together(durations: dict[str, Any], problem: str | None) -> None:
    given = {ELECTION + name: value for name, value in durations.items()}
    if problem is None:
        settings = ControllerSettings(namespace="a", **given)
        assert settings.leader_elect_retry_period_seconds == 0.5
    else:
        with pytest.raises(ValidationError, match=problem):
            ControllerSettings(namespace="a", **given)


def test_durations_that_settings_let_through_are_good_enough_for_the_elector() -> None:
    assert RETRY_JITTER_FACTOR == JITTER_FACTOR
    settings = ControllerSettings(namespace="a")
    assert LeaseTiming() == LeaseTiming(
        settings.leader_elect_lease_duration_seconds,
        settings.leader_elect_renew_deadline_seconds,
        settings.leader_elect_retry_period_seconds,
    )


@pytest.mark.parametrize(
    ("arguments", "leader_elect"),
    [([], True), (["--leader-elect"], True), (["--leader-elect=false"], False), (["--leader-elect", "-v=5"], True)],
)
def test_leader_election_is_on_unless_it_is_turned_off(arguments: list[str], leader_elect: bool) -> None:
    assert parse(ControllerSettings, ["--namespace=a", *arguments]).leader_elect is leader_elect


def test_status_is_read_in_any_case() -> None:
    assert SetNasStatusSettings(**NODE, status="ready").status == "Ready"
    assert SetNasStatusSettings(**NODE, status="NOTREADY").status == "NotReady"
    with pytest.raises(ValidationError):
        SetNasStatusSettings(**NODE, status="unknown")


@pytest.mark.parametrize(
    ("text", "host", "port"), [(":8080", "", 8080), ("localhost:1", "localhost", 1), ("[::1]:80", "::1", 80)]
)
def test_endpoint_reads_what_it_prints(text: str, host: str, port: int) -> None:
    assert Endpoint.parse(text) == Endpoint(host, port)
    assert str(Endpoint(host, port)) == text


def test_a_kubeconfig_that_is_named_is_one_path_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "a:b"
    there.touch()
    assert ControllerSettings(namespace="a", kubeconfig=str(there)).kubeconfig == str(there)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ControllerSettings(namespace="a", kubeconfig="~/a:b").kubeconfig == str(there)
    with pytest.raises(ValidationError, match="no such file"):
        ControllerSettings(namespace="a", kubeconfig=f"{tmp_path / 'nowhere'}:{there}")


def test_output_must_be_a_folder(tmp_path: Path) -> None:
    assert GenerateSettings(output=tmp_path).output == tmp_path
    with pytest.raises(ValidationError, match="no such folder"):
        GenerateSettings(output=tmp_path / "nowhere")
