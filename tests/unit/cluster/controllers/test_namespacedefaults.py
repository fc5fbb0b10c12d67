"""What each namespace gets: a service account, and the certificate that containers trust."""

from collections.abc import AsyncIterator

import pytest

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.controllers.rootcertificate import root_certificate_publisher
from fake_dra_driver.cluster.controllers.serviceaccounts import service_account_controller
from fake_dra_driver.cluster.kinds import ConfigMap, Namespace, ServiceAccount
from tests.support.control_plane import ControlPlane, control_plane, ref

pytestmark = pytest.mark.looptime

CERTIFICATE = "-----BEGIN CERTIFICATE-----\n"
ACCOUNT, ROOT = ref("default", "new"), ref("kube-root-ca.crt", "new")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    making = {
        "kube-controller-manager": lambda _, client, cache, __: (
            service_account_controller(client, cache),
            root_certificate_publisher(client, cache, CERTIFICATE.encode()),
        )
    }
    async with control_plane(making, (Namespace, ServiceAccount, ConfigMap)) as plane:
        yield plane


async def test_a_new_namespace_gets_them(plane: ControlPlane) -> None:
    await plane.create(Namespace, "new")
    await plane.until(lambda: plane.find(ServiceAccount, ACCOUNT) and plane.find(ConfigMap, ROOT))
    found = plane.get(ConfigMap, ROOT)
    assert found.data == {"ca.crt": CERTIFICATE}
    assert found.metadata.annotations["kubernetes.io/description"].startswith("Contains a CA bundle")


@pytest.mark.parametrize(("kind", "key"), [(ServiceAccount, ACCOUNT), (ConfigMap, ROOT)])
async def test_what_is_deleted_comes_back(plane: ControlPlane, kind: type[KubeObject], key: NamespacedName) -> None:
    await plane.create(Namespace, "new")
    await plane.until(lambda: plane.find(kind, key))
    before = plane.get(kind, key).uid
    await plane.client.delete(kind, key)
    await plane.until(lambda: (found := plane.find(kind, key)) is not None and found.uid != before)


async def test_a_certificate_that_was_changed_is_restored(plane: ControlPlane) -> None:
    await plane.create(Namespace, "new")
    await plane.until(lambda: plane.find(ConfigMap, ROOT))
    await plane.client.merge_patch(ConfigMap, ROOT, {"data": {"ca.crt": "other"}})
    await plane.until(lambda: plane.get(ConfigMap, ROOT).data == {"ca.crt": "other"})
    await plane.until(lambda: plane.get(ConfigMap, ROOT).data == {"ca.crt": CERTIFICATE})
