"""What all commands of this driver have in common: prefix of the variables, headings of help, settings of the log."""

from typing import Annotated, Literal

from pydantic import Field

from fake_dra_driver.settings import Flag, ForeignFlags, Settings

__all__ = [
    "CLUSTER",
    "COMPONENT",
    "DEVICES",
    "ELECTION",
    "EMBEDDED",
    "GO_ONLY_FLAGS",
    "HTTP",
    "INPUT",
    "LOGGING",
    "OUTPUT",
    "PATHS",
    "CommandSettings",
    "LoggingSettings",
]

GO_ONLY_FLAGS = {
    "--feature-gates": "it switches the logging of Kubernetes' Go libraries only",
    "--log-flush-frequency": "log lines are written at once",
    "--log-json-info-buffer-size": "log lines are written at once",
    "--log-json-split-stream": "every log line goes to stderr",
    "--log-text-info-buffer-size": "log lines are written at once",
    "--log-text-split-stream": "every log line goes to stderr",
    "--pprof-path": "it serves profiles of the Go runtime; py-spy looks into a Python process without any flag",
    "--vmodule": "it names Go source files; use -v, and filter the JSON log by component",
}
"""Flags of the Go driver that make no sense here, each with the reason."""

CLUSTER, EMBEDDED, COMPONENT, ELECTION, DEVICES, PATHS, HTTP, LOGGING, INPUT, OUTPUT = GROUPS = (
    "Kubernetes API",
    "Embedded cluster",
    "This component",
    "Leader election",
    "Devices of the node",
    "Paths on the node",
    "HTTP server",
    "Logging",
    "Input",
    "Output",
)
"""Headings of help and documentation, in their order."""


class CommandSettings(Settings):
    """Base of the settings of every command."""

    prefix = "FAKE_DRA_"
    groups = GROUPS
    foreign_flags = ForeignFlags("the Go driver", GO_ONLY_FLAGS)


class LoggingSettings(CommandSettings):
    """Base of the settings of commands that write a log."""

    logging_format: Annotated[Literal["text", "json"], Flag(LOGGING, alias="LOGGING_FORMAT", in_chart=False)] = "text"
    """Format of the log, which goes to stderr: text for people, or one JSON object a line."""
    verbosity: Annotated[int, Flag(LOGGING, "LEVEL", alias="V", name="v", short="v", in_chart=False)] = Field(
        default=0, ge=0
    )
    """How much is logged: up to 3 changes of state and problems, from 4 each step, from 6 each request, from 8 all."""
