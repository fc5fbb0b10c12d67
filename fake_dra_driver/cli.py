"""The program: ``fake-dra-driver <command>``, and the Go driver's three command names as entry points of their own.

Exit status: 0 after a clean stop, 1 when a command fails, 2 when flags or environment are wrong, 130 after Ctrl-C
before the program handles signals by itself, 141 when the reader of standard output, such as ``head``, has seen enough.
What a command needs is imported only once its settings are known to be good, so that ``--help`` and messages about
mistakes appear at once.
"""

import asyncio
import difflib
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from fake_dra_driver import __version__
from fake_dra_driver.convert.settings import ConvertSettings
from fake_dra_driver.demo.settings import FAULTS, ClusterUpSettings, DemoSettings, FaultSettings
from fake_dra_driver.driver.programs.settings import (
    ControllerSettings,
    KubeletPluginSettings,
    SetNasStatusSettings,
    WebhookSettings,
)
from fake_dra_driver.flags import HELP_FLAGS, UsageError, help_text, help_width, parse
from fake_dra_driver.packaging.settings import GenerateSettings
from fake_dra_driver.settings import Setting, Settings, settings_of
from fake_dra_driver.standardstreams import ReaderGoneError, StandardOutputError, standard_streams
from fake_dra_driver.status.settings import StatusSettings
from fake_dra_driver.untrustedtext import one_line, some_lines
from fake_dra_driver.why.settings import WhySettings

__all__ = ["REFERENCE", "controller", "kubelet_plugin", "main", "set_nas_status"]

_PROGRAM = "fake-dra-driver"
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
"""128 and SIGINT, as a shell reports it."""
EXIT_READER_GONE = 141
"""128 and SIGPIPE, as a shell reports it of kubectl and others, which that signal ends."""

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class _Command(Generic[S]):
    name: str
    settings: type[S]
    run: Callable[[S], int]

    @property
    def summary(self) -> str:
        return " ".join((self.settings.__doc__ or "").split())


def _run_controller(settings: ControllerSettings) -> int:
    from fake_dra_driver.driver.programs.controller import run_controller

    return asyncio.run(run_controller(settings))


def _run_kubelet_plugin(settings: KubeletPluginSettings) -> int:
    from fake_dra_driver.driver.programs.kubeletplugin import run_kubelet_plugin

    return asyncio.run(run_kubelet_plugin(settings))


def _run_webhook(settings: WebhookSettings) -> int:
    from fake_dra_driver.driver.programs.webhook import run_webhook

    return asyncio.run(run_webhook(settings))


def _run_set_nas_status(settings: SetNasStatusSettings) -> int:
    from fake_dra_driver.driver.programs.nasstatus import run_set_nas_status

    return asyncio.run(run_set_nas_status(settings))


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


def _run_convert(settings: ConvertSettings) -> int:
    from fake_dra_driver.convert.program import run_convert

    return run_convert(settings)


def _run_generate(settings: GenerateSettings) -> int:
    from fake_dra_driver.packaging.generate import generate

    return generate(settings.output, REFERENCE, check=settings.check)


def _run_cluster_up(settings: ClusterUpSettings) -> int:
    with _needing_the_cluster_extra("cluster up"):
        from fake_dra_driver.demo.program import run_cluster_up

    return asyncio.run(run_cluster_up(settings))


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


_CONTROLLER = _Command("controller", ControllerSettings, _run_controller)
_KUBELET_PLUGIN = _Command("kubelet-plugin", KubeletPluginSettings, _run_kubelet_plugin)
_WEBHOOK = _Command("webhook", WebhookSettings, _run_webhook)
_SET_NAS_STATUS = _Command("set-nas-status", SetNasStatusSettings, _run_set_nas_status)
_STATUS = _Command("status", StatusSettings, _run_status)
_WHY = _Command("why", WhySettings, _run_why)
_CONVERT = _Command("convert", ConvertSettings, _run_convert)
_GENERATE = _Command("generate", GenerateSettings, _run_generate)
_DEMO = _Command("demo", DemoSettings, _run_demo)
_CLUSTER_UP = _Command("cluster up", ClusterUpSettings, _run_cluster_up)
_CLUSTER_FAULTS: Sequence[_Command[Any]] = tuple(
    _Command(f"cluster fault {model.fault}", model, _run_cluster_fault) for model in FAULTS
)


def _by_name(*commands: _Command[Any]) -> Mapping[str, _Command[Any]]:
    return {command.name: command for command in commands}


_COMMANDS = _by_name(
    _DEMO,
    _CLUSTER_UP,
    *_CLUSTER_FAULTS,
    _CONTROLLER,
    _KUBELET_PLUGIN,
    _WEBHOOK,
    _SET_NAS_STATUS,
    _STATUS,
    _WHY,
    _CONVERT,
    _GENERATE,
)
"""By name, which may be of several words. In the order of the overview, which begins with what people try first."""

_GROUPS: Mapping[str, str] = {
    "": "A Dynamic Resource Allocation driver for Kubernetes that offers mock devices.",
    "cluster": "Runs an embedded cluster (up), and makes something go wrong in it (fault).",
    "cluster fault": "Makes something go wrong in a cluster that `cluster up` runs, as it does in a real one.",
}
"""What is common to the commands whose names begin with these words, and with none."""

REFERENCE: Mapping[str, type[Settings]] = {
    name: command.settings
    for name, command in _by_name(
        _CONTROLLER,
        _KUBELET_PLUGIN,
        _WEBHOOK,
        _SET_NAS_STATUS,
        _STATUS,
        _WHY,
        _CONVERT,
        _GENERATE,
        _CLUSTER_UP,
        *_CLUSTER_FAULTS,
        _DEMO,
    ).items()
}
"""The settings of each command. In the order of docs/reference.md, which begins with what runs in a cluster."""


def main(arguments: Sequence[str] | None = None) -> int:
    """``fake-dra-driver``: the first arguments are the command. Returns the exit status."""
    return _exit_status(_PROGRAM, partial(_main, sys.argv[1:] if arguments is None else arguments))


def controller() -> int:
    """``fake-dra-controller``: the same as ``fake-dra-driver controller``."""
    return _alone(_CONTROLLER, "fake-dra-controller")


def kubelet_plugin() -> int:
    """``fake-dra-kubeletplugin``: the same as ``fake-dra-driver kubelet-plugin``."""
    return _alone(_KUBELET_PLUGIN, "fake-dra-kubeletplugin")


def set_nas_status() -> int:
    """``set-nas-status``: the same as ``fake-dra-driver set-nas-status``."""
    return _alone(_SET_NAS_STATUS, "set-nas-status")


def _alone(command: _Command[S], program: str) -> int:
    return _exit_status(program, partial(_run, command, program, sys.argv[1:]))


def _exit_status(program: str, run: Callable[[], int]) -> int:
    """What ``run`` returns, or what it means that standard output cannot be written."""
    sys.excepthook = _show_fault
    try:
        with standard_streams():
            return run()
    except ReaderGoneError:
        return EXIT_READER_GONE
    except StandardOutputError as error:
        sys.stderr.write(f"{program}: cannot write to standard output: {error.strerror}\n")
        return EXIT_FAILURE


def _main(arguments: Sequence[str]) -> int:
    rest = list(arguments)
    if rest and rest[0] in {"--version", "version"}:
        sys.stdout.write(f"{_PROGRAM} {__version__}\n")
        return 0
    if rest and rest[0] == "help":
        rest = [*rest[1:], "--help"]
    group = ""
    while rest and rest[0] in _members(group):
        group = f"{group} {rest.pop(0)}".lstrip()
        if command := _COMMANDS.get(group):
            return _run(command, f"{_PROGRAM} {group}", rest)
    return _no_command(group, rest)


def _no_command(group: str, rest: Sequence[str]) -> int:
    """The words so far name a group of commands, and what follows names none of them. Returns the exit status."""
    is_flag = bool(rest) and rest[0].startswith("-")
    if not rest or (is_flag and HELP_FLAGS.intersection(rest)):
        sys.stdout.write(_overview(group))
        # As kubectl does where a command is missing: what there is, and a status by which a script notices.
        return 0 if rest else EXIT_USAGE
    program = f"{_PROGRAM} {group}".rstrip()
    there_are = f"There are: {', '.join(_members(group))}."
    if is_flag:
        problem = f"a command has to come before {rest[0]}. {there_are}"
    else:
        close = _close_commands(group, rest[0])
        problem = f"there is no command {rest[0]!r}. " + (
            f"Did you mean '{_PROGRAM} {close[0]}'?" if close else there_are
        )
    sys.stderr.write(f"{program}: {one_line(problem)}\nRun '{program} --help' for what they do.\n")
    return EXIT_USAGE


def _close_commands(group: str, word: str) -> Sequence[str]:
    """The command that was probably meant: one spelled like it, or one of that name in another group."""
    close = difflib.get_close_matches(word, _members(group), n=1)
    if close:
        return [f"{group} {close[0]}".lstrip()]
    return [name for name in (*_GROUPS, *_COMMANDS) if name.split()[-1:] == [word]]


def _members(group: str) -> Mapping[str, str]:
    """The commands and groups in a group, by the word that follows it: what each of them does."""
    above = group.split()
    found = {}
    for name, command in _COMMANDS.items():
        words = name.split()
        if words[: len(above)] == above:
            word = words[len(above)]
            found[word] = _GROUPS.get(" ".join([*above, word]), command.summary)
    return found


def _run(command: _Command[S], program: str, arguments: Sequence[str]) -> int:
    if HELP_FLAGS.intersection(arguments):
        sys.stdout.write(help_text(command.settings, program))
        return 0
    if "--version" in arguments:
        sys.stdout.write(f"{program} {__version__}\n")
        return 0
    try:
        settings = parse(command.settings, arguments)
    except UsageError as error:
        lines = "".join(f"  {one_line(problem)}\n" for problem in error.problems)
        sys.stderr.write(f"{program}: cannot start:\n{lines}Run '{program} --help' for all settings.\n")
        return EXIT_USAGE
    try:
        return command.run(settings)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (Exception, BaseExceptionGroup) as error:
        for leaf in _leaves(error):
            if isinstance(leaf, StandardOutputError):
                raise leaf from error
        sentences = _expected(error, settings)
        if sentences is None:
            raise
        sys.stderr.write("".join(f"{_told(f'{program}: {sentence}')}\n" for sentence in sentences))
        return EXIT_FAILURE


def _told(text: str) -> str:
    """A text that may quote others, as a person's terminal gets it: all lines but the first are indented."""
    return some_lines(text).replace("\n", "\n  ")


def _show_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of a defect of this program, as Python does, but for what a terminal would obey."""
    sys.stderr.write(some_lines("".join(traceback.format_exception(kind, error, trace)).rstrip()) + "\n")


def _expected(error: BaseException, settings: Settings) -> list[str] | None:
    """What went wrong, in sentences; None when it is a defect of this program, which needs its traceback."""
    from fake_dra_driver.runtime.errors import RuntimeLayerError

    leaves = list(_leaves(error))
    if not all(isinstance(leaf, (RuntimeLayerError, OSError)) for leaf in leaves):
        return None
    return list(dict.fromkeys(_sentence(leaf, settings) for leaf in leaves))


def _sentence(error: BaseException, settings: Settings) -> str:
    """What went wrong, and which setting may have to be changed."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        text = f"cannot use {error.filename}: {error.strerror}"
    setting = _setting_behind(error, text, settings)
    return text if setting is None else f"{text}; see {setting.flag} ({', '.join(setting.variables)})"


def _setting_behind(error: BaseException, text: str, settings: Settings) -> Setting | None:
    """The setting that names the credentials, or the longest path that the text mentions; None for other errors."""
    from fake_dra_driver.runtime.errors import CredentialsError

    known = settings_of(type(settings))
    if isinstance(error, CredentialsError):
        return next((setting for setting in known if setting.name == "kubeconfig"), None)
    paths = {str(value): setting for setting in known if isinstance(value := getattr(settings, setting.name), Path)}
    named = [path for path in paths if path.startswith("/") and path in text]
    return paths[max(named, key=len)] if named else None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error


def _overview(group: str) -> str:
    members, width = _members(group), help_width()
    column = max(map(len, members))
    commands = "\n".join(
        textwrap.fill(
            summary,
            width,
            initial_indent=f"  {word:<{column}}  ",
            subsequent_indent=" " * (column + 4),
            break_on_hyphens=False,
        )
        for word, summary in members.items()
    )
    program = f"{_PROGRAM} {group}".rstrip()
    more = (
        f"Run '{program} <command> --help' for the flags of a command{'' if group else ', --version for the version'}."
    )
    return (
        f"Usage: {program} <command> [flags]\n\n"
        f"{textwrap.fill(_GROUPS[group], width)}\n\n"
        f"Commands:\n{commands}\n\n"
        f"{textwrap.fill(more, width, break_on_hyphens=False)}\n"
    )
