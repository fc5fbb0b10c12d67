"""Settings of ``status``."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.dra.program.settings import CLUSTER, LOGGING, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import (
    LABEL_PATTERN,
    SUBDOMAIN_PATTERN,
    Allowed,
    DriverName,
    Flag,
    KubeconfigPath,
    Seconds,
)

__all__ = ["StatusSettings"]


def _node_names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


NodeNames = Annotated[
    tuple[Annotated[str, Field(pattern=SUBDOMAIN_PATTERN, max_length=253)], ...],
    BeforeValidator(_node_names),
    Allowed("names of nodes (RFC 1123 subdomains), separated by commas"),
]


class StatusSettings(CommandSettings):
    """Shows the devices of each node, which claims and pods hold them, and which claims wait and why. It only reads."""

    logging_format: Annotated[Literal["text", "json"], Flag(LOGGING, alias="LOGGING_FORMAT")] = "text"
    """Format of the log, which goes to stderr: text for people, or one JSON object a line."""
    verbosity: Annotated[int, Flag(LOGGING, "LEVEL", alias="V", name="v", short="v")] = Field(default=0, ge=0)
    """How much is logged: at 0 only problems that need a person, from 4 each step, from 6 each request."""
    nodes: Annotated[NodeNames, Flag(OUTPUT, "[NODE[,NODE...]]", positional=True, unset="all nodes")] = ()
    """Nodes to show, device by device."""
    output: Annotated[Literal["table", "json", "yaml"], Flag(OUTPUT, short="o")] = "table"
    """Format: a table for people, or JSON or YAML for programs, with a documented and stable shape."""
    color: Annotated[Literal["auto", "always", "never"], Flag(OUTPUT)] = "auto"
    """Whether the table has colours: auto gives it some on a terminal, or where FORCE_COLOR is set, but not where
    NO_COLOR is."""
    watch: Annotated[bool, Flag(OUTPUT, short="w")] = False
    """Keep running and show changes, until Ctrl-C. A terminal is redrawn; elsewhere each report follows the last."""
    details: Annotated[bool, Flag(OUTPUT)] = False
    """Show every device and every waiting claim, however many there are."""
    kubeconfig: Annotated[
        KubeconfigPath,
        Flag(CLUSTER, "PATH", unset="where kubectl looks, or the pod's own service account"),
    ] = ""
    """Kubeconfig file to reach the API server with, in place of those that KUBECONFIG names."""
    driver_name: Annotated[DriverName, Flag(CLUSTER, "NAME")] = DRIVER_NAME
    """Driver whose devices are shown: this one, or any driver that is made with this project's library."""
    namespace: Annotated[
        str,
        Field(pattern=r"^$|" + LABEL_PATTERN),
        Allowed("name of a namespace (RFC 1123 label)"),
        Flag(CLUSTER, "NAME", short="n", unset="detected"),
    ] = ""
    """Namespace of the driver, which holds the NodeAllocationState objects."""
    api_timeout_seconds: Annotated[Seconds, Flag(CLUSTER, "SECONDS")] = Field(default=10, ge=0.1, le=600)
    """How long one call to the API server may take, in seconds."""
