"""What all commands of this driver have in common: prefix of the variables, and flags of the Go driver."""

from collections.abc import Mapping
from typing import ClassVar, Final

from fake_dra_driver.dra import program as of_any_driver
from fake_dra_driver.settings import ForeignFlags

__all__ = ["GO_ONLY_FLAGS", "CommandSettings", "LoggingSettings", "OfThisDriver"]

GO_ONLY_FLAGS: Final = {
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


GO_VARIABLES: Final = {
    "cdi_root": "CDI_ROOT",
    "http_endpoint": "HTTP_ENDPOINT",
    "kube_api_burst": "KUBE_API_BURST",
    "kube_api_qps": "KUBE_API_QPS",
    "logging_format": "LOGGING_FORMAT",
    "metrics_path": "METRICS_PATH",
    "status": "STATUS",
    "verbosity": "V",
    "workers": "WORKERS",
}
"""By setting: the Go driver's variable, beside those of any driver's pods."""


class OfThisDriver:
    """What is the same for the settings of each command."""

    prefix: ClassVar[str] = "FAKE_DRA_"
    aliases: ClassVar[Mapping[str, str]] = GO_VARIABLES
    foreign_flags: ClassVar[ForeignFlags] = ForeignFlags("the Go driver", GO_ONLY_FLAGS)


class CommandSettings(OfThisDriver, of_any_driver.CommandSettings):
    """Base of the settings of every command."""


class LoggingSettings(OfThisDriver, of_any_driver.LoggingSettings):
    """Base of the settings of commands that write a log."""
