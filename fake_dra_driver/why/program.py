"""The sub-command ``why``: one report about a pod or a claim."""

import shutil
import sys
from datetime import UTC, datetime
from typing import Final

from fake_dra_driver import __version__
from fake_dra_driver.documenttext import json_text, yaml_text
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.settings import colors_wanted
from fake_dra_driver.tablelayout import Layout
from fake_dra_driver.why.build import explain
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.settings import WhySettings
from fake_dra_driver.why.snapshot import find_served, read_snapshot
from fake_dra_driver.why.subject import find_subject, parse_subject
from fake_dra_driver.why.table import table

__all__ = ["ask", "run_why"]

DEFAULT_SERVER: Final = "http://localhost:8080"
"""Where kubectl looks when nothing names a server: ``kubectl proxy --port=8080`` listens there."""


async def run_why(settings: WhySettings) -> int:
    """Reports. Returns the exit status.

    Raises:
        CannotExplainError: there is no such pod or claim, or it may not be read.
        RuntimeLayerError: there are no credentials, or the API server refused.
    """
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"fake-dra-why/{__version__}",
        default_timeout_seconds=settings.api_timeout_seconds,
        default_server=DEFAULT_SERVER,
    )
    try:
        report = await ask(
            client, settings.subject, settings.namespace or client.default_namespace, each_node=settings.details
        )
    finally:
        await client.close()
    await in_thread(_write, _text(report, settings))  # writing blocks while no one reads the other end of a pipe
    return 0


async def ask(client: Client, subject: str, namespace: str, *, each_node: bool = False) -> Report:
    """Reads what there is, and explains.

    Args:
        client: of the cluster.
        subject: ``NAME``, ``pod/NAME`` or ``claim/NAME``.
        namespace: of the pod or the claim.
        each_node: whether equal nodes are reported one by one too.

    Raises:
        CannotExplainError, RuntimeLayerError: as ``run_why``.
    """
    served = await find_served(client)
    found = await find_subject(client, served.api, parse_subject(subject), namespace)
    snapshot = await read_snapshot(client, served, namespace, found.pod)
    return await in_thread(lambda: explain(found, snapshot, each_node=each_node))


def _text(report: Report, settings: WhySettings) -> str:
    if settings.output == "json":
        return json_text(report)
    if settings.output == "yaml":
        return yaml_text(report)
    is_terminal = sys.stdout.isatty()
    is_colored = settings.color == "always" or (settings.color == "auto" and colors_wanted(is_terminal=is_terminal))
    columns = shutil.get_terminal_size().columns if is_terminal else None
    return table(report, datetime.now(UTC), details=settings.details, layout=Layout(columns, is_colored))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
