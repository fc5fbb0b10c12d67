"""Settings of ``why``."""

from typing import Annotated, Literal

from pydantic import Field

from fake_dra_driver.dra.program.settings import CLUSTER, INPUT, LOGGING, OUTPUT
from fake_dra_driver.driver.commandline import CommandSettings
from fake_dra_driver.settings import LABEL_PATTERN, Allowed, Flag, KubeconfigPath, Seconds

__all__ = ["WhySettings"]

_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_KINDS = "|".join(
    ("pod", "pods", "po", "claim", "claims", "resourceclaim", "resourceclaims", r"resourceclaims?\.resource\.k8s\.io")
)


class WhySettings(CommandSettings):
    """Says why a pod or a claim does not get its devices, node by node and device by device, and what would help.

    For Kubernetes 1.32 and later, and the devices of any DRA driver. It only reads.
    """

    logging_format: Annotated[Literal["text", "json"], Flag(LOGGING, alias="LOGGING_FORMAT")] = "text"
    """Format of the log, which goes to stderr: text for people, or one JSON object a line."""
    verbosity: Annotated[int, Flag(LOGGING, "LEVEL", alias="V", name="v", short="v")] = Field(default=0, ge=0)
    """How much is logged: at 0 only problems that need a person, from 4 each step, from 6 each request."""
    subject: Annotated[
        str,
        Field(pattern=rf"^((?i:{_KINDS})/)?{_NAME}$"),
        Allowed("NAME, pod/NAME or claim/NAME; for a Deployment or a Job, one of its pods; for a namespace, -n"),
        Flag(INPUT, "POD|CLAIM", positional=True, joint="/"),
    ]
    """What to explain. A name alone is that of a pod, or of a claim where there is no such pod."""
    output: Annotated[Literal["table", "json", "yaml"], Flag(OUTPUT, short="o")] = "table"
    """Format: a table for people, or JSON or YAML for programs, with a documented and stable shape."""
    color: Annotated[Literal["auto", "always", "never"], Flag(OUTPUT)] = "auto"
    """Whether the table has colours: auto gives it some on a terminal, or where FORCE_COLOR is set, but not where
    NO_COLOR is."""
    details: Annotated[bool, Flag(OUTPUT)] = False
    """Show each node by itself and each device on a line of its own, however many there are."""
    kubeconfig: Annotated[
        KubeconfigPath,
        Flag(CLUSTER, "PATH", unset="where kubectl looks, or the pod's own service account"),
    ] = ""
    """Kubeconfig file to reach the API server with, in place of those that KUBECONFIG names."""
    namespace: Annotated[
        str,
        Field(pattern=r"^$|" + LABEL_PATTERN),
        Allowed("name of a namespace (RFC 1123 label)"),
        # The namespace that other commands mean is that of the driver.
        Flag(
            CLUSTER,
            "NAME",
            variable="SUBJECT_NAMESPACE",
            short="n",
            unset="that of the kubeconfig's context, or default",
        ),
    ] = ""
    """Namespace of the pod or the claim."""
    api_timeout_seconds: Annotated[Seconds, Flag(CLUSTER, "SECONDS")] = Field(default=10, ge=0.1, le=600)
    """How long one call to the API server may take, in seconds."""
