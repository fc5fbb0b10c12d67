"""Whoever reaches the ports of the driver's pods and holds connections there: the kubelet's probes are answered."""

import socket
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from tests.e2e.driver import CONTROLLER, PLUGIN, Driver
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import let_pass

pytestmark = pytest.mark.e2e

HELD: Final = 200
"""Connections to each pod at a time."""
ROUNDS, PAUSE_SECONDS = 10, 2
"""Longer than three periods of the readiness probe, as the chart has it: a pod that fails them is not Ready then."""
WAIT_SECONDS: Final = 10


@contextmanager
def held(address: tuple[str, int], said: bytes) -> Iterator[None]:
    """Connections on which that has been said, and nothing is read."""
    with ExitStack() as stack:
        for _ in range(HELD):
            client = stack.enter_context(socket.create_connection(address, WAIT_SECONDS))
            client.sendall(said)
        yield


def answer(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    """As the kubelet asks: a connection for each probe."""
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}{path}", timeout=WAIT_SECONDS) as response:
        return response.status, response.read()


def state(pods: Sequence[RunningPod]) -> object:
    """What a failed probe changes."""
    return [(pod.key.name, pod.restarts, pod.is_ready, pod.ready_since) for pod in pods]


def check(addresses: Sequence[tuple[str, int]], said: bytes) -> None:
    """Probes of all of them are answered."""
    for address in addresses:
        for path in ("/healthz", "/readyz"):
            assert answer(address, path) == (200, b"ok"), f"{path} of {address} while {HELD} clients have said {said!r}"


@pytest.mark.usefixtures("local_cluster")  # whose pods this machine reaches
def test_probes_are_answered_whatever_connections_others_hold(driver: Driver) -> None:
    before = [driver.part(container) for container in (CONTROLLER, PLUGIN)]
    addresses = [(pod.status.pod_ip, pod.http_port) for pod in before]
    unfinished = (b"GET /healthz HTTP/1.1\r\nHost: ", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for said in (*unfinished, *[b""] * ROUNDS):
        with ExitStack() as stack:
            for address in addresses:
                stack.enter_context(held(address, said))
            check(addresses, said)
            let_pass(PAUSE_SECONDS)
    after = [driver.part(container) for container in (CONTROLLER, PLUGIN)]
    assert state(after) == state(before)
