"""FPGA cards under two controllers at once, while pods come and go and everything else fails: see ``traffic``."""

import json
import random
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.crash.bounds import IS_SOAK
from tests.integration.drivers.traffic import CLASSIC, NODES, Traffic, Wish, traffic_in

ROUNDS = 25
"""In a soak, with mishaps at random."""
WISHES = (
    Wish("agilex", 60_000),
    Wish("agilex", 50_000),
    Wish("versal"),
    Wish("versal", count=2),
    Wish("agilex", 100_000),
    Wish("versal"),
    Wish("agilex", 40_000),
    Wish("agilex", 30_000),
    Wish("versal", count=2),
    Wish("agilex", 70_000),
    Wish("versal"),
)
"""About twice of what two nodes have: as many as there are mishaps."""

Mishap = Callable[[Traffic], None]


def _fails(answer: str, verb: str, resource: str, subresource: str = "", *, after: bool = False) -> Mishap:
    def happen(traffic: Traffic) -> None:
        traffic.cluster.faults.fail_requests(
            answer, verb=verb, resource=resource, subresource=subresource, times=2, after=after
        )

    return happen


def _kills(program: str) -> Mishap:
    return lambda traffic: traffic.kill(program)


def _server_restarts(traffic: Traffic) -> None:
    traffic.cluster.faults.restart_apiserver(away_seconds=0.2)


def _watches_drop(traffic: Traffic) -> None:
    traffic.cluster.faults.drop_watches()


def _history_is_compacted(traffic: Traffic) -> None:
    traffic.cluster.faults.compact()
    traffic.cluster.faults.drop_watches()


def _kubelet_restarts(traffic: Traffic) -> None:
    traffic.cluster.faults.restart_kubelet(NODES[0])


def _node_reboots(traffic: Traffic) -> None:
    traffic.cluster.faults.reboot_node(NODES[1])


def _slices_are_wiped(traffic: Traffic) -> None:
    traffic.cluster.faults.wipe_slices(NODES[0])


def _card_is_replugged(traffic: Traffic) -> None:
    """Claims may have it meanwhile, and pods be waiting for it to be prepared."""
    card = traffic.folder(NODES[0]) / "card1.json"
    text = card.read_text()
    card.unlink()
    traffic.wait_for_devices(NODES[0], 2)
    card.write_text(text)
    traffic.wait_for_devices(NODES[0], 3)


OF_CLASSIC: Mapping[str, Mishap] = {
    "409 for ledgers": _fails("409", "patch", "nodeallocationstates"),
    "500 for ledgers, though they were written": _fails("500", "patch", "nodeallocationstates", after=True),
    "500 for claims": _fails("500", "patch", "resourceclaims"),
    "reset for claims, though they were written": _fails("reset", "update", "resourceclaims", "status", after=True),
    "plugins are killed": _kills("plugin"),
}
OF_STRUCTURED: Mapping[str, Mishap] = {
    "503 for slices": _fails("503", "create", "resourceslices"),
    "slices are wiped": _slices_are_wiped,
    "500 for claims' status": _fails("500", "patch", "resourceclaims", "status"),
    "reset for claims, though they were written": _fails("reset", "patch", "resourceclaims", "status", after=True),
    "controllers are killed": _kills("controller"),
}
OF_BOTH: Mapping[str, Mishap] = {
    "server restarts": _server_restarts,
    "watches drop": _watches_drop,
    "history is compacted": _history_is_compacted,
    "kubelet restarts": _kubelet_restarts,
    "node reboots": _node_reboots,
    "card is replugged": _card_is_replugged,
}


@pytest.fixture(scope="module", params=["1.30", "1.37"])
def traffic(request: pytest.FixtureRequest) -> Iterator[Traffic]:
    with traffic_in(request.param) as traffic:
        yield traffic


def mishaps_of(traffic: Traffic) -> Mapping[str, Mishap]:
    return {**(OF_CLASSIC if traffic.release == CLASSIC else OF_STRUCTURED), **OF_BOTH}


def test_each_pod_gets_its_turn_whatever_happens(traffic: Traffic) -> None:
    waiting = iter(mishaps_of(traffic).values())
    writer = "controller" if traffic.release == CLASSIC else "plugin"
    with traffic.killed_at_writes(writer, (4, 9)) as struck:
        traffic.come_and_go(WISHES, lambda: next(waiting)(traffic))
    # All that was to go wrong has gone wrong.
    assert len(struck) == 2
    assert next(waiting, None) is None
    assert traffic.cluster.faults.heal() == []


def test_random_lives(traffic: Traffic) -> None:
    seed = random.randrange(2**32)
    chance, mishaps = random.Random(seed), mishaps_of(traffic)
    told: list[str] = []

    def happen() -> None:
        told.append(chance.choice(sorted(mishaps)))
        mishaps[told[-1]](traffic)

    try:
        for _ in range(ROUNDS):
            traffic.come_and_go(chance.sample(WISHES, len(WISHES)), happen)
            traffic.cluster.faults.heal()
    except BaseException as error:
        error.add_note(f"with the seed {seed}: {json.dumps(told)}")
        raise


@pytest.mark.parametrize("program", ["controller", "plugin"])
def test_each_pod_gets_its_turn_though_a_program_is_killed_at_its_writes(traffic: Traffic, program: str) -> None:
    gaps = random.choices(range(1, 12), k=100)
    with traffic.killed_at_writes(program, gaps) as struck:
        traffic.come_and_go(WISHES * 8)
    assert struck, gaps


if not IS_SOAK:  # they take long; a test that is skipped would be one that could not run
    del test_random_lives, test_each_pod_gets_its_turn_though_a_program_is_killed_at_its_writes
