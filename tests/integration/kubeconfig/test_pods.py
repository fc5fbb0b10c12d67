"""A program in a pod asks the API server that the kubelet names, as one outside does that has the same credentials.

kubectl cannot be compared here: it finds the service account of a pod at one path alone. What it sends with the same
credentials in a kubeconfig is in the other tests.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpTransport
from tests.integration.kubeconfig.lab import Lab
from tests.integration.kubeconfig.records import Call, Outcome, ProxyCall
from tests.integration.kubeconfig.servers import Listener


@pytest.fixture
def account(lab: Lab, tmp_path: Path) -> Path:
    """The folder of a service account."""
    for name, content in {"token": b"of the pod", "ca.crt": lab.authority.certificate, "namespace": b"here"}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


async def ask(lab: Lab, account: Path, host: str, server: Listener, **environment: str) -> Outcome:
    """What the first request of ``status`` comes to."""
    lab.recorder.clear()
    address = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(server.port)}
    found: Mapping[str, str] = {"HOME": "/nowhere", **address, **environment}
    credentials = await Credentials.load(service_account_dir=account, environment=found)
    client = Client(Session(HttpTransport(credentials), credentials, user_agent="test"), credentials=credentials)
    try:
        await client.discovery.group(v1.GROUP)
    finally:
        await client.close()
    return lab.recorder.outcome()


def called(server: Listener, host: str) -> Call:
    return Call(server.name, "", f"{host}:{server.port}", "Bearer of the pod", (), None)


async def test_a_pod_has_an_ipv6_address_for_the_api_server(lab: Lab, account: Path) -> None:
    outcome = await ask(lab, account, "::1", lab.tls6)
    assert outcome.call == called(lab.tls6, "[::1]")
    assert outcome.proxy_call is None


async def test_a_pod_has_an_ipv4_address_for_the_api_server(lab: Lab, account: Path) -> None:
    outcome = await ask(lab, account, "127.0.0.1", lab.tls)
    assert outcome.call == called(lab.tls, "127.0.0.1")


async def test_a_pod_uses_the_proxy_of_its_environment(lab: Lab, account: Path) -> None:
    outcome = await ask(lab, account, "0.0.0.0", lab.tls, HTTPS_PROXY=lab.proxy.url)
    assert outcome.proxy_call == ProxyCall("proxy", "CONNECT", f"0.0.0.0:{lab.tls.port}")
    assert outcome.call == called(lab.tls, "0.0.0.0")


async def test_a_pod_uses_no_proxy_where_the_environment_excepts_the_api_server(lab: Lab, account: Path) -> None:
    outcome = await ask(lab, account, "0.0.0.0", lab.tls, HTTPS_PROXY=lab.proxy.url, NO_PROXY="0.0.0.0/8,.svc")
    assert outcome.proxy_call is None
    assert outcome.call == called(lab.tls, "0.0.0.0")
