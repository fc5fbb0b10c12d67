"""DeviceFaults in metrics."""

from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.live.faultmetrics import FaultMetrics
from fake_dra_driver.driver.metricfamilies import METRICS_PREFIX
from fake_dra_driver.runtime.metrics import Metrics


async def _shown(metrics: Metrics) -> list[str]:
    lines = (await metrics.render()).decode().splitlines()
    return [line for line in lines if line.startswith("fake_dra_faulted_") and "_created" not in line]


async def test_series_come_and_go_with_their_fault() -> None:
    metrics = Metrics(METRICS_PREFIX)
    faults = FaultMetrics(metrics, "node-0")
    faults.show({"burnt": FaultHit(("gpu-0", "gpu-1")), "absent": FaultHit()})
    faults.failed("burnt", "prepare")
    faults.failed("burnt", "prepare")
    assert await _shown(metrics) == [
        'fake_dra_faulted_devices{fault="burnt",node="node-0"} 2.0',
        'fake_dra_faulted_devices{fault="absent",node="node-0"} 0.0',
        'fake_dra_faulted_calls_total{call="prepare",fault="burnt",node="node-0"} 2.0',
    ]
    faults.show({})
    assert await _shown(metrics) == []
