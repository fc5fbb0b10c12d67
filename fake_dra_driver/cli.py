"""The program: ``fake-dra-driver <command>``, and the Go driver's three command names as entry points of their own.

What a command needs is imported when it runs (``dra.program.commandline``).
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from fake_dra_driver import __version__
from fake_dra_driver.convert.settings import ConvertSettings
from fake_dra_driver.demo.clustersettings import (
    NODE_COMMANDS,
    ClusterDownSettings,
    ClusterStatusSettings,
    NodeCommandSettings,
)
from fake_dra_driver.demo.settings import FAULTS, ClusterUpSettings, DemoSettings, FaultSettings
from fake_dra_driver.devicefault.settings import FaultSettings as DeviceFaultSettings
from fake_dra_driver.devicefault.settings import HealSettings as DeviceHealSettings
from fake_dra_driver.devicefault.settings import ListSettings as DeviceListSettings
from fake_dra_driver.dra.program.commandline import EXIT_FAILURE, Command, CommandLine
from fake_dra_driver.driver.programs.settings import (
    ControllerSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.newproject.settings import NewSettings
from fake_dra_driver.packaging.settings import GenerateSettings
from fake_dra_driver.preset.settings import PresetListSettings, PresetShowSettings
from fake_dra_driver.profile.settings import ProfileCheckSettings, ProfileRenderSettings
from fake_dra_driver.settings import Settings
from fake_dra_driver.status.settings import StatusSettings
from fake_dra_driver.why.settings import WhySettings

__all__ = ["COMMAND_LINE", "REFERENCE", "controller", "kubelet_plugin", "main", "set_nas_status"]

S = TypeVar("S", bound=Settings)


def _run_controller(settings: ControllerSettings) -> int:
    from fake_dra_driver.driver.programs.controller import run

    return asyncio.run(run(settings))


async def _kubelet_plugin(settings: KubeletPluginSettings) -> int:
    from fake_dra_driver.driver.programs.kubeletplugin import run

    return await run(settings)


def _run_webhook(settings: WebhookSettings) -> int:
    from fake_dra_driver.driver.programs.webhook import run

    return asyncio.run(run(settings))


async def _set_nas_status(settings: SetNasStatusSettings) -> int:
    from fake_dra_driver.driver.programs.nasstatus import run

    return await run(settings)


def _run_status(settings: StatusSettings) -> int:
    from fake_dra_driver.runtime.log import setup_logging
    from fake_dra_driver.status.program import run_status

    setup_logging(settings.logging_format, settings.verbosity, least="ERROR")
    return asyncio.run(run_status(settings))


def _run_why(settings: WhySettings) -> int:
    from fake_dra_driver.runtime.log import setup_logging
    from fake_dra_driver.why.program import run_why

    setup_logging(settings.logging_format, settings.verbosity, least="ERROR")
    return asyncio.run(run_why(settings))


def _run_device_fault(settings: DeviceFaultSettings) -> int:
    from fake_dra_driver.devicefault.program import run_fault

    return _run_quietly(run_fault(settings))


def _run_device_heal(settings: DeviceHealSettings) -> int:
    from fake_dra_driver.devicefault.program import run_heal

    return _run_quietly(run_heal(settings))


def _run_device_list(settings: DeviceListSettings) -> int:
    from fake_dra_driver.devicefault.program import run_list

    return _run_quietly(run_list(settings))


def _run_quietly(work: Coroutine[Any, Any, int]) -> int:
    """Runs a command that says all that it has to say on standard output, or by its error."""
    from fake_dra_driver.runtime.log import setup_logging

    setup_logging("text", 0, least="ERROR")
    return asyncio.run(work)


def _run_convert(settings: ConvertSettings) -> int:
    from fake_dra_driver.convert.program import run_convert

    return run_convert(settings)


def _run_new(settings: NewSettings) -> int:
    from fake_dra_driver.newproject.program import run_new

    return run_new(settings)


def _run_profile_check(settings: ProfileCheckSettings) -> int:
    from fake_dra_driver.profile.program import run_check

    return run_check(settings)


def _run_profile_render(settings: ProfileRenderSettings) -> int:
    from fake_dra_driver.profile.program import run_render

    return run_render(settings)


def _run_preset_list(settings: PresetListSettings) -> int:
    from fake_dra_driver.preset.program import run_preset_list

    return run_preset_list(settings)


def _run_preset_show(settings: PresetShowSettings) -> int:
    from fake_dra_driver.preset.program import run_preset_show

    return run_preset_show(settings)


def _run_generate(settings: GenerateSettings) -> int:
    from fake_dra_driver.packaging.generate import generate

    return generate(settings.output, REFERENCE, check=settings.check)


def _run_cluster_up(settings: ClusterUpSettings) -> int:
    with _needing_the_cluster_extra("cluster up"):
        from fake_dra_driver.demo.detach import run_detached
        from fake_dra_driver.demo.program import run_cluster_up

    return run_detached(settings) if settings.detach else asyncio.run(run_cluster_up(settings))


def _run_cluster_status(settings: ClusterStatusSettings) -> int:
    with _needing_the_cluster_extra("cluster status"):
        from fake_dra_driver.demo.clustercommands import run_cluster_status

    return _run_quietly(run_cluster_status(settings))


def _run_cluster_down(settings: ClusterDownSettings) -> int:
    with _needing_the_cluster_extra("cluster down"):
        from fake_dra_driver.demo.clustercommands import run_cluster_down

    return _run_quietly(run_cluster_down(settings))


def _run_cluster_node(settings: NodeCommandSettings) -> int:
    with _needing_the_cluster_extra("cluster node"):
        from fake_dra_driver.demo.clustercommands import run_cluster_node

    return _run_quietly(run_cluster_node(settings))


def _run_cluster_fault(settings: FaultSettings) -> int:
    with _needing_the_cluster_extra("cluster fault"):
        from fake_dra_driver.demo.program import run_cluster_fault

    return asyncio.run(run_cluster_fault(settings))


def _run_demo(settings: DemoSettings) -> int:
    with _needing_the_cluster_extra("demo"):
        from fake_dra_driver.demo.program import run_demo

    return asyncio.run(run_demo(settings))


@contextmanager
def _needing_the_cluster_extra(command: str) -> Iterator[None]:
    """Ends the program with a sentence where a library of the embedded cluster is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "fake_dra_driver":
            raise
        sys.stderr.write(
            f"fake-dra-driver {command}: the library {error.name} is not installed: in the source tree, run "
            "make install or pip install '.[cluster]'\n"
        )
        raise SystemExit(EXIT_FAILURE) from None


def _hostable(name: str, model: type[S], coroutine: Callable[[S], Coroutine[Any, Any, int]]) -> Command[S]:
    """A command that can run in a process of its own, or together with others in one."""
    return Command(name, model, lambda settings: asyncio.run(coroutine(settings)), coroutine)


_CONTROLLER = Command("controller", ControllerSettings, _run_controller)
_KUBELET_PLUGIN = _hostable("kubelet-plugin", KubeletPluginSettings, _kubelet_plugin)
_WEBHOOK = Command("webhook", WebhookSettings, _run_webhook)
_SET_NAS_STATUS = _hostable("set-nas-status", SetNasStatusSettings, _set_nas_status)
_STATUS = Command("status", StatusSettings, _run_status)
_WHY = Command("why", WhySettings, _run_why)
_DEVICE_FAULT = Command("device fault", DeviceFaultSettings, _run_device_fault)
_DEVICE_HEAL = Command("device heal", DeviceHealSettings, _run_device_heal)
_DEVICE_LIST = Command("device list", DeviceListSettings, _run_device_list)
_CONVERT = Command("convert", ConvertSettings, _run_convert)
_PROFILES: Sequence[Command[Any]] = (
    Command("profile check", ProfileCheckSettings, _run_profile_check),
    Command("profile render", ProfileRenderSettings, _run_profile_render),
)
_NEW = Command("new", NewSettings, _run_new)
_PRESET_LIST = Command("preset list", PresetListSettings, _run_preset_list)
_PRESET_SHOW = Command("preset show", PresetShowSettings, _run_preset_show)
_GENERATE = Command("generate", GenerateSettings, _run_generate)
_DEMO = Command("demo", DemoSettings, _run_demo)
_CLUSTER_UP = Command("cluster up", ClusterUpSettings, _run_cluster_up)
_CLUSTER_STATUS = Command("cluster status", ClusterStatusSettings, _run_cluster_status)
_CLUSTER_DOWN = Command("cluster down", ClusterDownSettings, _run_cluster_down)
_CLUSTER_NODES: Sequence[Command[Any]] = tuple(
    Command(f"cluster node {model.command}", model, _run_cluster_node) for model in NODE_COMMANDS
)
_CLUSTER_FAULTS: Sequence[Command[Any]] = tuple(
    Command(f"cluster fault {model.fault}", model, _run_cluster_fault) for model in FAULTS
)


COMMAND_LINE = CommandLine(
    "fake-dra-driver",
    __version__,
    # What people try first comes first.
    (
        _DEMO,
        _CLUSTER_UP,
        _CLUSTER_STATUS,
        *_CLUSTER_NODES,
        *_CLUSTER_FAULTS,
        _CLUSTER_DOWN,
        _CONTROLLER,
        _KUBELET_PLUGIN,
        _WEBHOOK,
        _SET_NAS_STATUS,
        _STATUS,
        _WHY,
        _DEVICE_FAULT,
        _DEVICE_HEAL,
        _DEVICE_LIST,
        _CONVERT,
        *_PROFILES,
        _PRESET_LIST,
        _PRESET_SHOW,
        _NEW,
        _GENERATE,
    ),
    {
        "": "A Dynamic Resource Allocation driver for Kubernetes that offers mock devices.",
        "profile": "Checks DeviceProfiles in a file (check), and shows what nodes get of them (render).",
        "cluster": "Runs an embedded cluster (up, status, down), changes its nodes (node), and makes something go "
        "wrong in it (fault).",
        "cluster node": "Adds nodes to an embedded cluster that runs, lists, cordons and removes them.",
        "device": "Makes mock devices fail (fault), lists what fails (list), and heals them (heal).",
        "preset": "Shows the values files of the chart that mock other vendors' drivers (list, show).",
        "cluster fault": "Makes something go wrong in a cluster that `cluster up` runs, as it does in a real one.",
    },
)

_IN_REFERENCE: Sequence[Command[Any]] = (
    _CONTROLLER,
    _KUBELET_PLUGIN,
    _WEBHOOK,
    _SET_NAS_STATUS,
    _STATUS,
    _WHY,
    _DEVICE_FAULT,
    _DEVICE_HEAL,
    _DEVICE_LIST,
    _CONVERT,
    *_PROFILES,
    _PRESET_LIST,
    _PRESET_SHOW,
    _NEW,
    _GENERATE,
    _CLUSTER_UP,
    _CLUSTER_STATUS,
    *_CLUSTER_NODES,
    *_CLUSTER_FAULTS,
    _CLUSTER_DOWN,
    _DEMO,
)

REFERENCE: Mapping[str, type[Settings]] = {command.name: command.settings for command in _IN_REFERENCE}
"""The settings of each command. In the order of docs/reference.md, which begins with what runs in a cluster."""


def main(arguments: Sequence[str] | None = None) -> int:
    """``fake-dra-driver``: the first arguments are the command. Returns the exit status."""
    return COMMAND_LINE.main(arguments)


def controller() -> int:
    """``fake-dra-controller``: the same as ``fake-dra-driver controller``."""
    return COMMAND_LINE.alone(_CONTROLLER, "fake-dra-controller")


def kubelet_plugin() -> int:
    """``fake-dra-kubeletplugin``: the same as ``fake-dra-driver kubelet-plugin``."""
    return COMMAND_LINE.alone(_KUBELET_PLUGIN, "fake-dra-kubeletplugin")


def set_nas_status() -> int:
    """``set-nas-status``: the same as ``fake-dra-driver set-nas-status``."""
    return COMMAND_LINE.alone(_SET_NAS_STATUS, "set-nas-status")
