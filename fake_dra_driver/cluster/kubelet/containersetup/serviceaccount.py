"""Credentials for containers that talk to the API server: a kubeconfig with a token of the pod's service account.

On a real node programs find a token at /var/run/secrets/kubernetes.io/serviceaccount, where nothing can be mounted
here: the volume that is meant for it is a folder, which only paths in the pod's spec lead to (``locality``).
"""

import base64
import json

from fake_dra_driver.cluster.kubelet.containersetup.projected import request_token
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.runtime.client import Client

__all__ = ["ServiceAccountKubeconfig"]

_LIFETIME_SECONDS = 365 * 24 * 3600
"""A container gets its token when it starts, and no other one while it runs."""


class ServiceAccountKubeconfig:
    """Makes kubeconfigs; to be called with a pod.

    Args:
        client: asks for tokens (TokenRequest), as the kubelet.
        server: address of the API server, as containers reach it.
        certificate: the certificate to trust, in PEM.
    """

    def __init__(self, client: Client, server: str, certificate: bytes) -> None:
        self._client = client
        self._server = server
        self._certificate = certificate

    async def __call__(self, pod: Pod) -> str:
        """The text of a kubeconfig. Raises NotFoundError when there is no such service account."""
        token = await request_token(self._client, pod, _LIFETIME_SECONDS)
        account = pod.spec.service_account_name or "default"
        authority = base64.b64encode(self._certificate).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pod",
            "clusters": [
                {"name": "cluster", "cluster": {"server": self._server, "certificate-authority-data": authority}}
            ],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [
                {
                    "name": "pod",
                    "context": {"cluster": "cluster", "user": account, "namespace": pod.metadata.namespace},
                }
            ],
        }
        return json.dumps(config, indent=1)
