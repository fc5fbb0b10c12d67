"""The programs of a driver: what starts what, and the command line before it.

- ``commandline``: sub-commands, help, exit statuses; ``settings``: those of the programs that run in a cluster;
- ``parts``: what the long-running programs consist of; ``mode``: which protocol they work with.

The mode of DRA is chosen once, here; what the modes do comes from the seams of a driver.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.metricfamilies import Section, sections
    from fake_dra_driver.dra.program.commandline import Command, CommandLine
    from fake_dra_driver.dra.program.controller import ControllerWiring, DriverControllers, run_controller
    from fake_dra_driver.dra.program.kubeletplugin import (
        LiveDevices,
        NodeAccess,
        PluginDevices,
        run_kubelet_plugin,
    )
    from fake_dra_driver.dra.program.nasstatus import run_set_nas_status
    from fake_dra_driver.dra.program.reasons import REASONS
    from fake_dra_driver.dra.program.settings import (
        CommandSettings,
        ControllerSettings,
        GenerateSettings,
        KubeletPluginSettings,
        LoggingSettings,
        SetNasStatusSettings,
        WebhookSettings,
    )
    from fake_dra_driver.dra.program.webhook import ReviewSource, run_webhook

__all__ = [
    "REASONS",
    "Command",
    "CommandLine",
    "CommandSettings",
    "ControllerSettings",
    "ControllerWiring",
    "DriverControllers",
    "GenerateSettings",
    "KubeletPluginSettings",
    "LiveDevices",
    "LoggingSettings",
    "NodeAccess",
    "PluginDevices",
    "ReviewSource",
    "Section",
    "SetNasStatusSettings",
    "WebhookSettings",
    "run_controller",
    "run_kubelet_plugin",
    "run_set_nas_status",
    "run_webhook",
    "sections",
]

_MODULES: Final = {
    "Section": ".metricfamilies",
    "sections": ".metricfamilies",
    "Command": "commandline",
    "CommandLine": "commandline",
    "ControllerWiring": "controller",
    "DriverControllers": "controller",
    "run_controller": "controller",
    "LiveDevices": "kubeletplugin",
    "NodeAccess": "kubeletplugin",
    "PluginDevices": "kubeletplugin",
    "run_kubelet_plugin": "kubeletplugin",
    "run_set_nas_status": "nasstatus",
    "REASONS": "reasons",
    "CommandSettings": "settings",
    "ControllerSettings": "settings",
    "GenerateSettings": "settings",
    "KubeletPluginSettings": "settings",
    "LoggingSettings": "settings",
    "SetNasStatusSettings": "settings",
    "WebhookSettings": "settings",
    "ReviewSource": "webhook",
    "run_webhook": "webhook",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
