"""What only a process of its own can show: the second signal, and how asyncio.run ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAM = """
import asyncio, sys
from fake_dra_driver.runtime.manager import Manager

class Client:
    async def close(self):
        print("client closed", flush=True)

class Cache:
    async def run(self):
        await asyncio.Event().wait()
    async def wait_for_sync(self):
        pass
    def unsynced(self):
        return []

async def runnable():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("stopping", flush=True)
        if sys.argv[1] == "stubborn":
            await asyncio.sleep(3600)

async def main():
    manager = Manager(Client(), Cache(), grace_period_seconds=3600)
    manager.add_runnable("runnable", runnable)
    await manager.run()
    print("returned", flush=True)

asyncio.run(main())
"""


@contextmanager
def program(manner: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_is_a_clean_end(number: signal.Signals) -> None:
    with program("willing") as process:
        assert line(process) == "started"
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert output.split("\n") == ["stopping", "client closed", "returned", ""]
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(second: signal.Signals) -> None:
    with program("stubborn") as process:
        assert line(process) == "started"
        process.send_signal(signal.SIGTERM)
        assert line(process) == "stopping"
        process.send_signal(second)
        output, _ = process.communicate(timeout=60)
    assert output == ""
    assert process.returncode == -second, "ended by the signal itself"
