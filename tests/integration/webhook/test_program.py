"""The program: reviews over HTTPS, probes and metrics beside them, and mistakes that end it with a sentence."""

import asyncio
import json
import signal
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.webhook.conftest import STOP_SECONDS, RunningWebhook, start
from tests.support.apiserver import free_ports
from tests.support.certificate import write_certificate
from tests.support.structuredworld import opaque, parameters

PATH = "/validate-resource-claim-parameters"


def review(split: int) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "0d9a",
            "operation": "CREATE",
            "namespace": "default",
            "name": "c",
            "resource": {"group": "resource.k8s.io", "version": "v1", "resource": "resourceclaims"},
            "object": {"metadata": {"name": "c"}, "spec": {"devices": {"config": [opaque(parameters(split=split))]}}},
        },
    }


async def test_it_reviews_and_says_how_it_is(running: RunningWebhook) -> None:
    context = ssl.create_default_context(cafile=str(running.files.certificate))
    plain = f"http://127.0.0.1:{running.http_port}"
    async with aiohttp.ClientSession() as session:

        async def posted(path: str, body: bytes) -> tuple[int, str]:
            url = f"https://localhost:{running.port}{path}"
            async with session.post(url, data=body, ssl=context) as answer:
                return answer.status, await answer.text()

        async def got(path: str) -> tuple[int, str]:
            async with session.get(f"{plain}{path}") as answer:
                return answer.status, await answer.text()

        status, body = await posted(PATH, json.dumps(review(split=2)).encode())
        assert (status, json.loads(body)["response"]) == (200, {"uid": "0d9a", "allowed": True})
        status, body = await posted(PATH, json.dumps(review(split=65)).encode())
        assert (status, json.loads(body)["response"]["allowed"]) == (200, False)
        assert await posted(PATH, b"nonsense") == (
            400,
            "the body is not JSON: Expecting value: line 1 column 1 (char 0)\n",
        )
        assert (await posted("/other", b""))[0] == 404
        assert await got("/healthz") == (200, "ok")
        assert await got("/readyz") == (200, "ok")
        _, metrics = await got("/metrics")
        for result, count in (("allowed", 1), ("refused", 1), ("ignored", 0), ("invalid", 1)):
            assert f'fake_dra_admission_review_duration_seconds_count{{result="{result}"}} {count}.0' in metrics
        assert 'fake_dra_build_info{component="webhook"' in metrics


async def test_it_goes_on_answering_for_a_moment_after_a_signal(running: RunningWebhook) -> None:
    """API servers take a moment until they know that it is gone, and must not meet a closed port meanwhile."""
    context = ssl.create_default_context(cafile=str(running.files.certificate))
    url = f"https://localhost:{running.port}{PATH}"
    async with aiohttp.ClientSession() as session:
        running.process.send_signal(signal.SIGTERM)
        line = ""
        while "Stopping on a signal" not in line:
            line = await asyncio.to_thread(running.process.stderr.readline) if running.process.stderr else ""
            assert line, "it has ended"
        async with session.get(f"http://127.0.0.1:{running.http_port}/readyz") as answer:
            assert (answer.status, "the program is stopping" in await answer.text()) == (500, True)
        async with session.post(url, data=json.dumps(review(split=2)), ssl=context) as answer:
            assert answer.status == 200
    assert await asyncio.to_thread(running.process.wait, STOP_SECONDS) == 0


@pytest.mark.parametrize(("missing", "setting"), [("certificate", "cert"), ("key", "key")])
def test_without_a_certificate_it_ends_with_a_sentence(tmp_path: Path, missing: str, setting: str) -> None:
    files = write_certificate(tmp_path)
    file: Path = getattr(files, missing)
    file.unlink()
    with start(files, *free_ports(2)) as process:
        _, said = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 1
    assert said == (
        f"fake-dra-driver webhook: cannot read {missing} {file}: No such file or directory; "
        f"see --tls-{setting}-file (FAKE_DRA_TLS_{setting.upper()}_FILE)\n"
    )
