"""Objects whose texts mean harm, as a real API server takes them: what ``status``, Events and logs make of them.

A tenant may write any text into ``parametersRef.name``, and into opaque parameters in structured DRA.
"""

import errno
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, PARAMETERS_NOT_FOUND
from fake_dra_driver.runtime.log import MAX_LINE_BYTES
from fake_dra_driver.tablelayout import width_of
from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl
from tests.e2e.objects import Namespace
from tests.e2e.protocol import Protocol
from tests.e2e.waiting import wait_until
from tests.support.untrusted import FORGED, HOSTILE_NAMES, assert_harmless

pytestmark = pytest.mark.e2e

NAMESPACE: Final = "hostile-texts"
OPAQUE_LIMIT: Final = 9_000
"""Opaque parameters may have 10 KiB."""
COLUMNS: Final = 80
LONGEST_EVENT: Final = 1024
MOST_LINES: Final = 400
"""The name of 900 KB alone would be 11,250 lines of a terminal."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def begun() -> datetime:
    """When the claims began to be made."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def claims(kubectl: Kubectl, driver: Driver, begun: datetime) -> Iterator[Sequence[str]]:
    """Names of claims that wait, each for the sake of one hostile text."""
    texts = dict(enumerate(text.encode(errors="replace").decode() for text in HOSTILE_NAMES[:-1]))
    manifests = {f"claim-{number:02}": _claim(driver.protocol, text) for number, text in texts.items()}
    kubectl("create", "namespace", NAMESPACE)
    try:
        for name, manifest in manifests.items():
            kubectl.create({**manifest, "metadata": {"name": name, "namespace": NAMESPACE}})
        yield list(manifests)
    finally:
        kubectl.delete(Namespace, NAMESPACE)
        wait_until("the namespace is gone", lambda: kubectl.find(Namespace, NAMESPACE) is None, 90)


def _claim(protocol: Protocol, text: str) -> Json:
    if protocol.structured is None:
        reference = {"apiGroup": DRIVER_NAME, "kind": "FakeClaimParameters", "name": text}
        spec: Json = {"resourceClassName": RESOURCE_CLASS_NAME, "parametersRef": reference}
        kind = protocol.claims.resource
        return {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {**spec, "allocationMode": "Immediate"}}
    text = text[:OPAQUE_LIMIT]
    spec = {
        "devices": {
            "requests": [{"name": "r", "exactly": {"deviceClassName": RESOURCE_CLASS_NAME}}],
            "config": [{"opaque": {"driver": DRIVER_NAME, "parameters": {"apiVersion": "v1", "kind": text}}}],
        }
    }
    return protocol.structured.claims.model_validate({"spec": spec}).to_wire()


def test_status_on_a_terminal_of_80_columns(claims: Sequence[str]) -> None:
    lines = on_terminal("status", "--color=never").removesuffix("\n").split("\n")
    assert len(lines) < MOST_LINES
    for line in lines:
        assert_harmless(line, longest=2 * COLUMNS)  # a mark takes no column
        assert width_of(line) <= COLUMNS
        assert not line.startswith(FORGED)
    # Of many that wait the first ones are shown, each in a row of its own.
    rows = [line.split()[0] for line in lines if line.startswith(f"{NAMESPACE}/")]
    assert rows
    assert len(set(rows)) == len(rows)
    assert set(rows) <= {f"{NAMESPACE}/{claim}" for claim in claims}


def test_details_have_a_row_for_each_claim(claims: Sequence[str]) -> None:
    lines = on_terminal("status", "--color=never", "--details").removesuffix("\n").split("\n")
    for line in lines:
        assert_harmless(line, longest=2 * COLUMNS)  # a mark takes no column
        assert width_of(line) <= COLUMNS
    rows = [line.split()[0] for line in lines if line.startswith(f"{NAMESPACE}/")]
    assert sorted(rows) == [f"{NAMESPACE}/{claim}" for claim in claims]


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_status_in_a_pipe(claims: Sequence[str], output: str) -> None:
    command = (sys.executable, "-m", "fake_dra_driver", "status", "--details", f"--output={output}")
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert_harmless(text, longest=len(text), keeps_newlines=True)
    if output == "table":
        rows = [line.split()[0] for line in text.split("\n") if line.startswith(f"{NAMESPACE}/")]
        assert sorted(rows) == [f"{NAMESPACE}/{claim}" for claim in claims]
    if output == "json":
        waiting = [claim for claim in json.loads(text)["waiting"] if claim["namespace"] == NAMESPACE]
        assert [claim["name"] for claim in waiting] == list(claims)


def test_events_are_short_lines(kubectl: Kubectl, claims: Sequence[str]) -> None:
    reasons = {PARAMETERS_NOT_FOUND.name, INVALID_PARAMETERS.name}

    def told() -> Mapping[str, str]:
        events = [event for event in kubectl.list(Event, NAMESPACE) if event.reason in reasons]
        said = {event.involved_object.name: event.message for event in events}
        assert set(said) == set(claims)
        return said

    for message in wait_until("an Event about each claim", told, 60).values():
        assert_harmless(message, longest=LONGEST_EVENT)
        assert "create" in message or "must be" in message, "what can be done about it was not cut away"


def test_no_line_of_the_logs_is_long_or_forged(driver: Driver, claims: Sequence[str], begun: datetime) -> None:
    for _, line in driver.log_lines(begun):
        assert_harmless(line, longest=MAX_LINE_BYTES)
    driver.check_logs(begun, killed=False)


def on_terminal(*arguments: str) -> str:
    """What the program writes to a terminal of 80 columns and 50 lines."""
    ours, programs = pty.openpty()
    fcntl.ioctl(programs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = (sys.executable, "-m", "fake_dra_driver", *arguments)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=programs, env=environment)
    os.close(programs)
    written = b""
    while part := _read(ours):
        written += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError as error:
        if error.errno != errno.EIO:  # which Linux says once the program has ended
            raise
        return b""
