"""The program that sets the status of one node's object: ``set-nas-status``."""

from typing import Any

from loguru import logger

from fake_dra_driver import __version__
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
from fake_dra_driver.dra.nodestate.state import set_status
from fake_dra_driver.dra.program.settings import SetNasStatusSettings
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.log import setup_logging

__all__ = ["run_set_nas_status"]

log = logger.bind(component="program")


async def run_set_nas_status(settings: SetNasStatusSettings, layout: NodeStateLayout[Any, Any, Any, Any]) -> int:
    """Sets the status of a node's object once. Returns the exit status.

    Args:
        settings: of the program.
        layout: of the object.

    Raises:
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"set-nas-status/{__version__}",
        default_timeout_seconds=settings.api_timeout_seconds,
    )
    try:
        await set_status(client, layout, NamespacedName(settings.namespace, settings.node_name), settings.status)
    finally:
        await client.close()
    log.info("Status set", node=settings.node_name, status=settings.status)
    return 0
