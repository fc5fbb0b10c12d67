"""Dashboard and alerts: valid, about metrics and labels that exist, readable; and what the chart makes of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.codegen import Alert
from fake_dra_driver.codegen.grafana import COLUMNS, Panel
from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.dra.metricfamilies import CONTROLLER_FAMILIES
from fake_dra_driver.dra.node.calls import SUCCESS
from fake_dra_driver.dra.nodestate.deviceuse import DEVICE_STATES
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.driver.metricfamilies import METRICS_PREFIX
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.packaging.alerts import ALERTS
from fake_dra_driver.packaging.dashboard import ROWS
from fake_dra_driver.packaging.generate import CHART, chart_files
from fake_dra_driver.packaging.manifests import chart_manifests
from tests.unit.packaging import promql
from tests.unit.packaging.conftest import Helm, Manifests

ENABLED = (
    *(f"--set=monitoring.{part}.enabled=true" for part in ("dashboard", "prometheusRule", "serviceMonitor")),
    "--set=status.clusterRole.create=true",
)
VALUES: dict[tuple[str, str], set[str]] = {
    ("fake_dra_devices", "state"): {*DEVICE_STATES},
    ("fake_dra_build_info", "component"): {"controller", "kubelet-plugin"},
    ("fake_dra_ledger_writes_total", "result"): {"written", "conflict", "failed"},
    ("fake_dra_kubelet_answers_total", "result"): {SUCCESS, *(reason.value for reason in FailureReason)},
    ("fake_dra_repairs_total", "reason"): {reason.name for reason in REASONS if reason.kind == "repair"},
    ("leader_election_master_status", "name"): {NAMES.controller},
    ("rest_client_requests_total", "code"): {"5..", "<error>"},
}
"""What labels with a fixed set of values can be matched with."""
PANELS = [panel for row in ROWS for panel in row.panels]
EXPRESSIONS = [
    *(pytest.param(alert.expression, id=alert.name) for alert in ALERTS),
    *(
        pytest.param(query.expression, id=f"{panel.title}: {query.legend}")
        for panel in PANELS
        for query in panel.queries
    ),
]


def dashboard() -> dict[str, Any]:
    """As the chart carries it."""
    found: dict[str, Any] = json.loads(chart_files()[f"{CHART}/files/dashboard.json"])
    return found


# --- Expressions


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_metrics_and_labels_that_exist(expression: str) -> None:
    for metric in promql.selected(expression):
        assert {label for label, _ in metric.matched} <= metric.labels, metric
        for label, value in metric.matched:
            if value != "$node":
                assert set(value.split("|")) <= VALUES[metric.name, label], (metric.name, label)
    for kept, there in promql.grouping(expression):
        assert kept <= there, f"{expression} keeps labels that are not there"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_counters_are_rated_and_gauges_are_not(expression: str) -> None:
    rated = set(re.findall(r"(?:rate|increase)\((\w+)", expression))
    for metric in promql.selected(expression):
        assert (metric.name in rated) == (promql.family_of(metric.name).type != "gauge"), metric.name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_other_programs_serve_too_is_bound_to_this_driver(expression: str) -> None:
    names = {metric.name for metric in promql.selected(expression)}
    foreign = {name for name in names if not name.startswith("fake_dra_")} - {"leader_election_master_status"}
    assert not foreign or expression.count("on (job, instance)") == len(re.findall("|".join(foreign), expression))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_controllers_that_stand_by_are_not_counted_twice(expression: str) -> None:
    of_each_controller = {family.named(METRICS_PREFIX).name for family in CONTROLLER_FAMILIES if family.type == "gauge"}
    for name, aggregation in promql.chosen_by(expression):
        assert name not in of_each_controller or aggregation == "max", f"{name} is shown by every controller"


@pytest.mark.parametrize(
    "wrong", ["sum(fake_dra_waiting_claims)", "count(fake_dra_node_ready == 0)", "fake_dra_devices"]
)
def test_a_controller_that_is_counted_twice_is_found(wrong: str) -> None:
    ((_, aggregation),) = promql.chosen_by(wrong)
    assert aggregation != "max"


@pytest.mark.parametrize("wrong", ["fake_dra_devises", "fake_dra_prepare_duration_seconds", "fake_dra_devices_count"])
def test_a_metric_that_does_not_exist_is_found(wrong: str) -> None:
    with pytest.raises(KeyError):
        promql.selected(f"sum({wrong})")


def test_a_label_that_does_not_exist_is_found() -> None:
    (metric,) = promql.selected('fake_dra_devices{claim="x"}')
    assert not {label for label, _ in metric.matched} <= metric.labels
    ((kept, there),) = promql.grouping("sum by (claim) (fake_dra_devices)")
    assert not kept <= there


# --- Alerts


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_is_so_and_what_to_do(alert: Alert) -> None:
    assert re.fullmatch(r"FakeDra[A-Z][A-Za-z]+", alert.name)
    labels = promql.result_labels(promql.parse(alert.expression))
    for text in (alert.summary, alert.description):
        assert text.endswith(".")
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels
        assert not re.search(r"{{(?! \$(labels\.\w+|value( \| humanize(Duration|Percentage))?) }})", text)
    assert alert.description.count(".") >= 2, "one sentence is not enough to say what follows and what to do"
    assert len(alert.summary) < 100


def test_the_rules_are_those_of_the_list() -> None:
    (group,) = yaml.safe_load(chart_files()[f"{CHART}/files/alerts.yaml"])["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert.name for alert in ALERTS]
    for rule, alert in zip(group["rules"], ALERTS, strict=True):
        assert (rule["expr"], rule["for"], rule["labels"]) == (
            alert.expression,
            alert.lasts,
            {"severity": alert.severity} | ({"dra": alert.only} if alert.only else {}),
        )
        assert rule["annotations"] == {"summary": alert.summary, "description": alert.description}
        assert re.fullmatch(r"[0-9]+[smh]", rule["for"])


def test_each_alert_is_seen_to_fire_in_the_file_for_promtool() -> None:
    tests = yaml.safe_load((Path(__file__).parent / "alerts.test.yaml").read_text())["tests"]
    expected = [
        sample["labels"] for test in tests for query in test["promql_expr_test"] for sample in query["exp_samples"]
    ]
    assert set(re.findall(r'alertname="(\w+)"', " ".join(expected))) == {alert.name for alert in ALERTS}


def test_no_alert_is_there_twice() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


# --- Dashboard


def places() -> Iterator[tuple[str, set[tuple[int, int]]]]:
    """Title of each panel, and the cells of the grid that it covers."""
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        assert columns[-1] < COLUMNS, panel["title"]
        yield panel["title"], {(column, line) for column in columns for line in lines}


def test_no_panel_covers_another_and_no_line_has_a_hole() -> None:
    covered: set[tuple[int, int]] = set()
    for title, cells in places():
        assert not covered & cells, title
        covered |= cells
    assert len(covered) == COLUMNS * len({line for _, line in covered})


def test_panels_and_their_queries_can_be_told_apart() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        letters = [target["refId"] for target in panel.get("targets", ())]
        assert len(set(letters)) == len(letters)
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel.get("targets", ()))


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_has_texts_and_names_its_series(panel: Panel) -> None:
    assert panel.about.endswith(".")
    assert len({query.legend for query in panel.queries}) == len(panel.queries)
    for query in panel.queries:
        labels = promql.result_labels(promql.parse(query.expression))
        named = set(re.findall(r"{{(\w+)}}", query.legend))
        assert named == (set() if panel.kind == "table" else labels), query
        assert panel.kind != "table" or labels == {"node"}
        assert panel.kind != "stat" or not labels, "a stat shows one number"
    seconds = [query for query in panel.queries if "_seconds_bucket" in query.expression]
    assert (panel.unit == "s") == bool(seconds or "oldest_waiting_claim_seconds" in panel.queries[0].expression)
    assert set(panel.colors) <= {value for values in VALUES.values() for value in values}


def test_the_variables_are_used_and_exist() -> None:
    text = chart_files()[f"{CHART}/files/dashboard.json"]
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert names == {"datasource", "node"} == set(re.findall(r"\$\{?([a-z]\w+)", text))
    (query,) = [found["definition"] for found in dashboard()["templating"]["list"] if found["type"] == "query"]
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()  # type: ignore[union-attr] # it matches
    assert label in promql.family_of(metric).label_names


# --- The chart


def of_kind(manifests: Manifests, *kinds: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of these kinds."""
    return {key: found for key, found in manifests.items() if key[0] in kinds}


def test_nothing_of_it_is_installed_unless_it_is_asked_for(helm: Helm) -> None:
    assert not of_kind(helm.template(), "ConfigMap", "Service", "ServiceMonitor", "PrometheusRule")
    assert ("ClusterRole", "fake-dra-driver-status-reader") not in helm.template()


def test_the_dashboard_is_where_grafanas_sidecar_looks(helm: Helm) -> None:
    key = ("ConfigMap", "fake-dra-driver-dashboard")
    found = helm.template(*ENABLED)[key]
    assert found["metadata"]["namespace"] == "fake-system"
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["fake-dra-driver.json"]) == dashboard()
    values = (
        "--set=monitoring.dashboard.namespace=grafana",
        "--set=monitoring.dashboard.annotations.grafana_folder=Devices",
        "--set-string=monitoring.dashboard.labels.dashboards=yes",
    )
    metadata = helm.template(*ENABLED, *values)[key]["metadata"]
    assert (metadata["namespace"], metadata["annotations"]) == ("grafana", {"grafana_folder": "Devices"})
    assert metadata["labels"]["dashboards"] == "yes"


def test_the_rules_reach_prometheus_as_they_are(helm: Helm) -> None:
    found = helm.template(*ENABLED, "--set=monitoring.prometheusRule.labels.release=prometheus")
    rule = found["PrometheusRule", "fake-dra-driver"]
    assert rule["spec"] == yaml.safe_load(chart_files()[f"{CHART}/files/alerts.yaml"])
    assert rule["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize(
    ("name", "workload"), [("controller", "Deployment"), ("kubeletplugin", "DaemonSet")], ids=["controller", "plugin"]
)
def test_every_pod_is_scraped_at_the_port_and_path_that_it_serves(helm: Helm, name: str, workload: str) -> None:
    values = ("--set=controller.httpPort=9000", "--set=kubeletPlugin.settings.metricsPath=/numbers")
    manifests = helm.template(*ENABLED, *values, "--set=monitoring.serviceMonitor.interval=15s")
    name = f"fake-dra-driver-{name}"
    monitor, service = manifests["ServiceMonitor", name], manifests["Service", name]
    pod = manifests[workload, name]["spec"]["template"]
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = service["spec"]["ports"]
    (container,) = pod["spec"]["containers"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert endpoint["port"] == port["name"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in container["ports"]
    assert f"--http-endpoint=:{port['port']}" in container["args"]
    assert f"--metrics-path={endpoint['path']}" in container["args"]
    assert endpoint["interval"] == "15s"


def test_each_monitor_finds_the_service_of_its_own_component_only(helm: Helm) -> None:
    manifests = helm.template(*ENABLED, "--set=selectorLabelsOverride.app=x")
    for (_, name), monitor in of_kind(manifests, "ServiceMonitor").items():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        services = of_kind(manifests, "Service").items()
        assert [key for key, found in services if wanted <= found["metadata"]["labels"].items()] == [("Service", name)]


@pytest.mark.parametrize("value", ["kubeletPlugin.httpPort=0", "kubeletPlugin.settings.metricsPath="])
def test_what_serves_no_metrics_is_not_scraped(helm: Helm, value: str) -> None:
    found = of_kind(helm.template(*ENABLED, f"--set={value}"), "Service", "ServiceMonitor")
    assert {name for _, name in found} == {"fake-dra-driver-controller"}


@pytest.mark.parametrize("interval", ["soon", "5s1h", "1s1s", "1"])
def test_a_wrong_interval_is_refused(helm: Helm, interval: str) -> None:
    refused = helm.refuses(f"--set-string=monitoring.serviceMonitor.interval={interval}")
    assert f"'{interval}' does not match pattern" in refused


def test_the_chart_without_helm_has_them_too() -> None:
    values = {"monitoring": {part: {"enabled": True} for part in ("dashboard", "prometheusRule", "serviceMonitor")}}
    found = {(one["kind"], one["metadata"]["name"]): one for one in chart_manifests("fake-system", values=values)}
    assert json.loads(found["ConfigMap", "fake-dra-driver-dashboard"]["data"]["fake-dra-driver.json"]) == dashboard()
    assert found["PrometheusRule", "fake-dra-driver"]["spec"]["groups"]
    assert len(of_kind(found, "Service", "ServiceMonitor")) == 4
