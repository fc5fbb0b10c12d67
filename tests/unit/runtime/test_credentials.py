"""Where credentials come from: a kubeconfig where there is one, otherwise the pod's service account."""

import json
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fake_dra_driver.cluster.apiserver.http.tls import make_identity
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.errors import CredentialsError

ADDRESS = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
NEVER = 1e9


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder of a service account."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    (folder / "ca.crt").write_bytes(make_identity("kubernetes").certificate)
    (folder / "namespace").write_text("fake-system\n")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A pod's, without a kubeconfig."""
    return {**ADDRESS, "KUBECONFIG": str(tmp_path / "nowhere")}


async def load(account: Path, environment: Mapping[str, str], refresh: float = NEVER) -> Credentials:
    return await Credentials.load(service_account_dir=account, environment=environment, token_refresh_seconds=refresh)


def write_kubeconfig(path: Path) -> Path:
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": "https://elsewhere:6443/"}}],
                "users": [{"name": "c", "user": {"token": "mine"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            }
        )
    )
    return path


# --- the service account ------------------------------------------------------------------------------------------


async def test_a_pod_uses_its_service_account(account: Path, environment: dict[str, str]) -> None:
    credentials = await load(account, environment)
    assert credentials.server == "https://10.96.0.1:443"
    assert await credentials.token() == "first"
    assert credentials.namespace == credentials.default_namespace == "fake-system"
    assert (credentials.proxy, credentials.tls_server_name) == (None, None)
    assert isinstance(credentials.ssl_context, ssl.SSLContext)
    assert credentials.ssl_context.verify_mode == ssl.CERT_REQUIRED
    assert credentials.ssl_context.check_hostname
    assert len(credentials.ssl_context.get_ca_certs()) == 1, "it trusts the cluster's authority alone"


async def test_an_ipv6_address_is_bracketed(account: Path, environment: dict[str, str]) -> None:
    credentials = await load(account, {**environment, "KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert credentials.server == "https://[fd00::1]:443"


async def test_a_rotated_token_is_seen_when_the_last_reading_is_old(account: Path, environment: dict[str, str]) -> None:
    old, eager = await load(account, environment), await load(account, environment, refresh=0)
    (account / "token").write_text("second")
    assert await old.token() == "first"
    assert await eager.token() == "second"
    (account / "token").unlink()
    assert await eager.token() == "second", "what cannot be read leaves what is known"


async def test_a_refused_token_is_read_again_at_once(account: Path, environment: dict[str, str]) -> None:
    credentials = await load(account, environment)
    tls = credentials.ssl_context
    assert not await credentials.renew("first"), "there is nothing new"
    (account / "token").write_text("second")
    assert await credentials.renew("first")
    assert await credentials.token() == "second"
    assert credentials.ssl_context is tls, "connections live on"
    assert await credentials.renew("first"), "another caller has renewed it already"


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"])
async def test_a_pod_that_is_not_told_the_address_is_said_so(
    account: Path, environment: dict[str, str], missing: str
) -> None:
    del environment[missing]
    with pytest.raises(CredentialsError, match="KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT"):
        await load(account, environment)


@pytest.mark.parametrize("file", ["token", "ca.crt"])
@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
async def test_a_service_account_that_cannot_be_read_is_named(
    account: Path, environment: dict[str, str], file: str, content: bytes | None
) -> None:
    (account / file).unlink()
    if content is not None:
        (account / file).write_bytes(content)
    with pytest.raises(CredentialsError, match=str(account)):
        await load(account, environment)


async def test_a_service_account_without_a_namespace_is_fine(account: Path, environment: dict[str, str]) -> None:
    (account / "namespace").unlink()
    assert (await load(account, environment)).namespace is None


# --- a kubeconfig -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["argument", "KUBECONFIG", "second in KUBECONFIG"])
async def test_a_kubeconfig_wins_over_the_service_account(
    account: Path, environment: dict[str, str], tmp_path: Path, place: str
) -> None:
    path = write_kubeconfig(tmp_path / "config")
    given = {"argument": None, "KUBECONFIG": str(path), "second in KUBECONFIG": f"{tmp_path / 'nowhere'}:{path}"}[place]
    if given is not None:
        environment["KUBECONFIG"] = given
    credentials = await Credentials.load(
        str(path) if given is None else None, service_account_dir=account, environment=environment
    )
    assert credentials.server == "https://elsewhere:6443"
    assert await credentials.token() == "mine"
    assert credentials.namespace is None


async def test_a_kubeconfig_that_is_named_has_to_be_there(account: Path, environment: dict[str, str]) -> None:
    with pytest.raises(CredentialsError, match="/nowhere does not exist"):
        await Credentials.load("/nowhere", service_account_dir=account, environment=environment)


async def test_without_any_credentials_the_places_are_named(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(CredentialsError, match=r"no kubeconfig at .*nowhere, and no service account at .*absent"):
        await load(tmp_path / "absent", environment)


@pytest.mark.parametrize("text", ["", "{}", "kind: Config", '{"current-context": "c", "contexts": [{"name": "c"}]}'])
async def test_a_kubeconfig_that_says_nothing_of_a_server_leaves_it_to_the_pod(
    account: Path, environment: dict[str, str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "config").write_text(text)
    environment["KUBECONFIG"] = str(tmp_path / "config")
    for named in (None, str(tmp_path / "config")):
        credentials = await Credentials.load(named, service_account_dir=account, environment=environment)
        assert credentials.server == "https://10.96.0.1:443"


async def test_a_kubeconfig_that_cannot_be_read_is_an_error_also_in_a_pod(
    account: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[]")
    environment["KUBECONFIG"] = str(tmp_path / "config")
    with pytest.raises(CredentialsError, match=f"kubeconfig {tmp_path}/config cannot be used: it is not a mapping"):
        await load(account, environment)


# --- what it costs ------------------------------------------------------------------------------------------------


def test_a_pod_loads_kr8s_only_when_it_is_asked_for(account: Path, environment: dict[str, str]) -> None:
    """It brings 17 MiB along, which would be there on every node."""
    program = """
import asyncio, sys
from pathlib import Path
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpTransport

def loaded():
    return sorted({'kr8s', 'httpx', 'cryptography', 'rich', 'yaml', 'python_socks'} & sys.modules.keys())

async def main():
    credentials = await Credentials.load(service_account_dir=Path(sys.argv[1]))
    client = Client(Session(HttpTransport(credentials), credentials, user_agent="test"), credentials=credentials)
    before = loaded()
    print(before, client.api.namespace, client.api.auth.server, 'kr8s' in loaded())
    await client.close()

asyncio.run(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(account)], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[] fake-system https://10.96.0.1:443 True"
