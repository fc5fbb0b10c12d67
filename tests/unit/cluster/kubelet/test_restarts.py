"""The pauses between the containers of one name."""

from datetime import UTC, datetime, timedelta

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.pods.restarts import RestartBackoff

POD = UID("pod")


def pauses(backoff: RestartBackoff, runs_seconds: float, times: int) -> list[float]:
    """What a container that runs for so long each time has to wait, each time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for _ in range(times):
        ended = now + timedelta(seconds=runs_seconds)
        pause = backoff.pause(POD, "ctr0", ended)
        found.append(pause)
        now = ended + timedelta(seconds=pause)
        backoff.restart(POD, "ctr0", ended, now)
    return found


def test_the_first_restart_comes_at_once_and_then_pauses_double_up_to_five_minutes() -> None:
    assert pauses(RestartBackoff(), 0, 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_the_delay_starts_over_for_a_container_that_ran_for_ten_minutes() -> None:
    backoff = RestartBackoff()
    assert pauses(backoff, 599, 4) == [0, 10, 20, 40]
    assert pauses(RestartBackoff(), 601, 4) == [0, 0, 0, 0]


def test_containers_do_not_wait_for_each_other_and_a_forgotten_pod_starts_over() -> None:
    backoff = RestartBackoff()
    pauses(backoff, 0, 3)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert backoff.pause(POD, "other", now) == 0
    assert backoff.pause(UID("other"), "ctr0", now) == 0
    assert backoff.pause(POD, "ctr0", now) > 0
    backoff.forget(POD)
    assert backoff.pause(POD, "ctr0", now) == 0
