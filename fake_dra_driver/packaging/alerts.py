"""When a person has to be alerted, and what that person can do: the chart's alert rules, and their documentation.

Expressions are PromQL: ``tests/unit/packaging/test_monitoring.py`` parses them and looks up every metric and label in
``dra.metricfamilies``, and ``alerts.test.yaml`` beside it says when each alert fires. Metrics that other programs
have too (those of controller-runtime and client-go) are restricted to targets that serve ``fake_dra_build_info``,
whatever a cluster calls its jobs.
"""

from typing import Final

from fake_dra_driver.codegen import CLASSIC, Alert
from fake_dra_driver.dra.program.reasons import REASONS

__all__ = ["ALERTS", "OURS"]

OURS: Final = "and on (job, instance) fake_dra_build_info"
"""Restricts a metric to this driver's programs."""
_DAMAGE: Final = "|".join(reason.name for reason in REASONS if reason.kind == "repair" and reason.type == "Warning")
"""Repairs of damage from outside the driver."""

ALERTS: tuple[Alert, ...] = (
    Alert(
        "FakeDraControllerAbsent",
        'absent(fake_dra_build_info{component="controller"})',
        "5m",
        "critical",
        "No controller of the fake DRA driver can be seen.",
        "With classic DRA no claim is allocated or released. With structured DRA the scheduler goes on, but records, "
        "Events and metrics are out of date. Pods that run keep their devices. See whether the controller's pod runs "
        "(kubectl get pods -A -l app.kubernetes.io/component=controller), what its events and log say, and whether "
        "Prometheus may reach its port.",
    ),
    Alert(
        "FakeDraNoLeader",
        'max(leader_election_master_status{name="fake-dra-controller"}) == 0',
        "2m",
        "critical",
        "Controllers run, and none of them leads.",
        "The same follows as with no controller at all. See who holds the lease (kubectl get lease "
        "fake-dra-controller, in the driver's namespace) and whether the controllers' logs tell of a slow or failing "
        "API server. A holder that is gone is replaced after leaderElectLeaseDurationSeconds.",
    ),
    Alert(
        "FakeDraPluginNotReady",
        "fake_dra_plugin_ready == 0",
        "5m",
        "warning",
        "The kubelet of {{ $labels.node }} cannot use the plugin.",
        "Pods with claims cannot start there, and with classic DRA no claims are allocated there. The reason is in the "
        "Events of nodeallocationstate/{{ $labels.node }} and in the answer of the plugin's /readyz. Restart the "
        "plugin's pod if its sockets are gone, and see the kubelet's log if it refuses the plugin.",
    ),
    Alert(
        "FakeDraNodeNotReady",
        "max by (node) (fake_dra_node_ready) == 0 unless on (node) (fake_dra_plugin_ready == 0)",
        "10m",
        "warning",
        "{{ $labels.node }} takes no claims.",
        "Its NodeAllocationState is not Ready, or cannot be read. See whether the kubelet plugin's pod runs on that "
        "node, and what kubectl describe says of nodeallocationstate/{{ $labels.node }}.",
    ),
    Alert(
        "FakeDraDevicesExhausted",
        'sum(max by (node, model) (fake_dra_devices{state="free"})) == 0 and max(fake_dra_waiting_claims) > 0',
        "15m",
        "warning",
        "Claims wait, and no device is free.",
        "Pods stay Pending until others end. Add nodes, raise kubeletPlugin.settings.deviceCount, or end pods that no "
        "longer need their devices; fake-dra-driver status shows who holds them.",
    ),
    Alert(
        "FakeDraClaimWaits",
        "max(fake_dra_oldest_waiting_claim_seconds) > 1800",
        "5m",
        "warning",
        "A claim has waited for devices for {{ $value | humanizeDuration }}.",
        "Its pod stays Pending. fake-dra-driver status names the claims that wait and says why, and so do their "
        "Events: wrong or missing parameters, more devices than a node has, or devices that others hold.",
    ),
    Alert(
        "FakeDraAllocationSlow",
        "histogram_quantile(0.99, sum by (le) (rate(fake_dra_allocation_duration_seconds_bucket[10m]))) > 5",
        "10m",
        "warning",
        "One allocation in a hundred takes longer than {{ $value | humanizeDuration }}.",
        "An allocation is two or three writes to the API server, so pods start late. "
        "rest_client_request_duration_seconds of the controller shows whether the API server is slow; where it is not, "
        "and workqueue_depth stays above 0, raise controller.settings.workers.",
        only=CLASSIC,
    ),
    Alert(
        "FakeDraPrepareFails",
        'sum by (pod, verb, result) (rate(fake_dra_kubelet_answers_total{result!~"success|stopping"}[10m])) > 0',
        "15m",
        "warning",
        "{{ $labels.pod }} cannot {{ $labels.verb }} claims ({{ $labels.result }}).",
        "Pods with these claims do not start, or do not go away. Each claim has an Event that says why; with result "
        "internal it is a defect of the driver, and the traceback is in the plugin's log.",
    ),
    Alert(
        "FakeDraLedgerConflicts",
        'sum(rate(fake_dra_ledger_writes_total{result="conflict"}[15m])) '
        "/ sum(rate(fake_dra_ledger_writes_total[15m])) > 0.3",
        "30m",
        "warning",
        "{{ $value | humanizePercentage }} of the writes to the nodes' records lose to another writer.",
        "No device is given to two claims, but allocations (with structured DRA: the records) are late. See whether "
        "two controllers work at once (several replicas without settings.leaderElect, or two releases), or who else "
        "writes NodeAllocationState objects.",
    ),
    Alert(
        "FakeDraLedgerWritesFail",
        'sum(rate(fake_dra_ledger_writes_total{result="failed"}[10m])) > 0',
        "15m",
        "warning",
        "Nodes' records cannot be written.",
        "With classic DRA claims on these nodes wait, with structured DRA the records are out of date. The "
        "controller's log names node and answer: the API server is away or refuses the write, or the permissions of "
        "the controller's ServiceAccount were changed.",
    ),
    Alert(
        "FakeDraDisputedClaims",
        "max(fake_dra_disputed_claims) > 0",
        "5m",
        "critical",
        "{{ $value }} allocated claims have no right to their devices.",
        "Their devices are on record for another claim, or unknown, which the driver itself never causes. See the "
        "Events DevicesHeldByAnotherClaim and DevicesUnknown, and delete the pods of one of the two claims.",
        only=CLASSIC,
    ),
    Alert(
        "FakeDraDevicesMissing",
        'sum by (node) (max by (node, model) (fake_dra_devices{state="missing"})) > 0',
        "10m",
        "warning",
        "Claims hold {{ $value }} devices that {{ $labels.node }} does not have.",
        "Pods that run keep them, and others with these claims cannot start. The inventory has become smaller: "
        "restore kubeletPlugin.settings.deviceCount and deviceModels, or end the pods of these claims.",
    ),
    Alert(
        "FakeDraDamageRepaired",
        f'sum by (reason) (increase(fake_dra_repairs_total{{reason=~"{_DAMAGE}"}}[1h])) > 0',
        "1m",
        "info",
        "The driver has repaired damage: {{ $labels.reason }}.",
        "Nothing has to be done now. The Events of that reason name the object, and docs/metrics.md says what usually "
        "causes it: find out what deletes or edits the driver's objects and files.",
    ),
    Alert(
        "FakeDraApiRequestsFail",
        f'sum by (code) (rate(rest_client_requests_total{{code=~"5..|<error>"}}[10m]) {OURS}) '
        f"/ ignoring (code) group_left () sum(rate(rest_client_requests_total[10m]) {OURS}) > 0.1",
        "10m",
        "warning",
        "{{ $value | humanizePercentage }} of the requests to the API server end with {{ $labels.code }}.",
        "The driver tries again, and claims wait meanwhile. See how the API server is; code <error> means that there "
        "was no answer: network, TLS, or a timeout of settings.apiTimeoutSeconds.",
    ),
    Alert(
        "FakeDraDefect",
        f"sum by (controller) (increase(controller_runtime_reconcile_panics_total[15m]) {OURS}) > 0",
        "1m",
        "warning",
        "A controller of the driver ({{ $labels.controller }}) met an unexpected error.",
        "It tries again. The traceback is in the log of the pod: please report it.",
    ),
)
"""Every alert, the most urgent of each subject first."""
