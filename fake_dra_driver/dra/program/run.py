"""``run_driver``: from an author's class to a program."""

import asyncio
import sys
from pathlib import Path
from typing import Any, NoReturn

from fake_dra_driver.dra.driver.checks import DriverClassError, check_driver
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.commandline import EXIT_FAILURE, Command, CommandLine
from fake_dra_driver.dra.program.driversettings import DriverSettings, added_problems
from fake_dra_driver.dra.program.settings import (
    ControllerSettings,
    GenerateSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.untrustedtext import one_line

__all__ = ["command_line_of", "run_driver"]


def run_driver(driver: Driver[Any]) -> NoReturn:
    """Runs the command that the arguments of the process name, and ends the process with its exit status.

    The commands are those of the pods that the driver's chart makes (``controller``, ``kubelet-plugin``, ``webhook``,
    ``set-nas-status``), and ``generate``, which makes the chart. ``--help`` says more about each.
    """
    try:
        command_line = command_line_of(driver)
    except DriverClassError as error:
        sys.exit(_refused(error))
    sys.exit(command_line.main())


def command_line_of(driver: Driver[Any]) -> CommandLine:
    """The program of a driver.

    Raises:
        DriverClassError: no driver can be made of its class.
    """
    check_driver(driver)
    if problems := [f"{type(driver).__name__}.settings: {problem}" for problem in added_problems(driver.settings)]:
        raise DriverClassError(problems)
    names, commands = DriverNames.of(driver.name), _Commands(driver)
    settings = DriverSettings.of(names, driver.settings)
    return CommandLine(
        names.program,
        driver.version,
        (
            Command("kubelet-plugin", settings.kubelet_plugin, commands.kubelet_plugin),
            Command("controller", settings.controller, commands.controller),
            Command("webhook", settings.webhook, commands.webhook),
            Command("set-nas-status", settings.set_nas_status, commands.set_nas_status),
            Command("generate", settings.generate, commands.generate),
        ),
        {"": driver.description()},
    )


class _Commands:
    """What the commands run. Each imports what it needs, once its settings are known to be good."""

    def __init__(self, driver: Driver[Any]) -> None:
        self._driver = driver

    def kubelet_plugin(self, settings: KubeletPluginSettings) -> int:
        from fake_dra_driver.dra.program.driverdevices import DriverDevices
        from fake_dra_driver.dra.program.kubeletplugin import run_kubelet_plugin

        async def run() -> int:
            return await run_kubelet_plugin(settings, DriverDevices(self._driver, settings))

        return asyncio.run(run())

    def controller(self, settings: ControllerSettings) -> int:
        from fake_dra_driver.dra.program.controller import run_controller
        from fake_dra_driver.dra.program.drivercontrollers import AuthorControllers

        return asyncio.run(run_controller(settings, AuthorControllers(self._driver)))

    def webhook(self, settings: WebhookSettings) -> int:
        from fake_dra_driver.dra.driver.calls import AuthorCalls
        from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
        from fake_dra_driver.dra.program.webhook import run_webhook

        check = DriverConfigs(AuthorCalls(self._driver)).check
        return asyncio.run(run_webhook(settings, DriverNames.of(self._driver.name), check))

    def set_nas_status(self, settings: SetNasStatusSettings) -> int:
        from fake_dra_driver.dra.driver.state import DriverStateLayout
        from fake_dra_driver.dra.program.nasstatus import run_set_nas_status

        return asyncio.run(run_set_nas_status(settings, DriverStateLayout(self._driver.name)))

    def generate(self, settings: GenerateSettings) -> int:
        from fake_dra_driver.dra.program.project import project_of

        try:
            project = project_of(self._driver)
        except DriverClassError as error:
            return _refused(error)
        return project.generate(settings.output, check=settings.check)


def _refused(error: DriverClassError) -> int:
    """Says what is wrong with the class. Returns the exit status."""
    lines = "".join(f"  {one_line(problem)}\n" for problem in error.problems)
    sys.stderr.write(f"{Path(sys.argv[0]).name}: no driver can be made of this class:\n{lines}")
    return EXIT_FAILURE
