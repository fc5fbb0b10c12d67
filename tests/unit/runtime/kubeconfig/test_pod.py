"""The service account of a pod, and that it gives way to a kubeconfig."""

import pytest

from fake_dra_driver.runtime.errors import CredentialsError
from tests.integration.kubeconfig.authority import Authority
from tests.unit.runtime.kubeconfig.home import Home, row


@pytest.fixture
def pod(home: Home) -> Home:
    """A pod with a service account."""
    home.write("serviceaccount/token", "mounted\n")
    home.write("serviceaccount/ca.crt", Authority("cluster").certificate)
    home.write("serviceaccount/namespace", "fake-system\n")
    home.environment |= {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    return home


@row("The service account of a pod")
async def test_a_pod_uses_its_service_account(pod: Home) -> None:
    credentials = await pod.load()
    assert (credentials.server, credentials.namespace) == ("https://10.96.0.1:443", "fake-system")
    assert await pod.headers() == {"Authorization": ["Bearer mounted"]}
    pod.environment["POD_NAMESPACE"] = "mine"
    assert (await pod.load()).namespace == "mine"
    pod.config()
    assert (await pod.load()).server == "https://api.example:6443"


@row("The service account of a pod")
async def test_the_authority_of_the_service_account_has_to_be_there(pod: Home) -> None:
    pod.write("serviceaccount/ca.crt", "nonsense")
    with pytest.raises(
        CredentialsError, match="serviceaccount cannot be used: The certificate authority holds no cert"
    ):
        await pod.load()


@row("`KUBERNETES_SERVICE_HOST` of IPv6")
@pytest.mark.parametrize("host", ["::1", "fd00:0::1"])
async def test_an_address_of_ipv6_gets_brackets(pod: Home, host: str) -> None:
    pod.environment["KUBERNETES_SERVICE_HOST"] = host
    assert (await pod.load()).server == f"https://[{host.replace(':0:', ':')}]:443"


@row("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`")
async def test_a_pod_has_the_proxy_of_its_environment_too(pod: Home) -> None:
    pod.environment["HTTPS_PROXY"] = "http://proxy.example:3128"
    assert (await pod.load()).proxy == "http://proxy.example:3128"
    pod.environment["NO_PROXY"] = "10.0.0.0/8"
    assert (await pod.load()).proxy is None
