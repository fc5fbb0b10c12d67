"""The webhook, running as a process of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.apiserver import free_ports
from tests.support.certificate import CertificateFiles, write_certificate

__all__ = ["RunningWebhook", "running_webhook", "start"]

START_SECONDS = 60
STOP_SECONDS = 60


class RunningWebhook(NamedTuple):
    """Where it is reached."""

    process: subprocess.Popen[str]
    port: int
    http_port: int
    """Of probes and metrics."""
    files: CertificateFiles


def start(
    files: CertificateFiles, port: int, http_port: int, *, more: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """The program, as the chart starts it, with more variables."""
    settings = {
        "FAKE_DRA_LISTEN": f"127.0.0.1:{port}",
        "FAKE_DRA_TLS_CERT_FILE": str(files.certificate),
        "FAKE_DRA_TLS_KEY_FILE": str(files.key),
        "FAKE_DRA_HTTP_ENDPOINT": f"127.0.0.1:{http_port}",
    }
    command = [sys.executable, "-m", "fake_dra_driver", "webhook"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings, **(more or {})})


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningWebhook]:
    """A webhook that answers."""
    async with running_webhook(tmp_path) as found:
        yield found


@asynccontextmanager
async def running_webhook(folder: Path, more: Mapping[str, str] | None = None) -> AsyncIterator[RunningWebhook]:
    """A webhook that answers, with more variables."""
    files = await asyncio.to_thread(write_certificate, folder)
    port, http_port = free_ports(2)
    with start(files, port, http_port, more=more) as process:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _is_listening(http_port):  # noqa: ASYNC110 - it is another program that is waited for
                    await asyncio.sleep(0.02)
            yield RunningWebhook(process, port, http_port, files)
        finally:
            process.kill()


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
