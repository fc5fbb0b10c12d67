"""The command line of a program with sub-commands: overview, help, messages about mistakes, exit status.

Exit status: 0 after a clean stop, 1 when a command fails, 2 when flags or environment are wrong, 130 after Ctrl-C
before the program handles signals by itself, 141 when the reader of standard output, such as ``head``, has seen enough.
A command imports what it needs when it runs, once its settings are known to be good, so that ``--help`` and messages
about mistakes appear at once.
"""

import difflib
import sys
import textwrap
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from fake_dra_driver.flags import HELP_FLAGS, UsageError, help_text, help_width, parse
from fake_dra_driver.settings import Setting, Settings, settings_of
from fake_dra_driver.standardstreams import ReaderGoneError, StandardOutputError, standard_streams
from fake_dra_driver.untrustedtext import one_line, some_lines

__all__ = ["EXIT_FAILURE", "EXIT_READER_GONE", "EXIT_USAGE", "Command", "CommandLine"]

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
"""128 and SIGINT, as a shell reports it."""
EXIT_READER_GONE: Final = 141
"""128 and SIGPIPE, as a shell reports it of kubectl and others, which that signal ends."""

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Command(Generic[S]):
    """A sub-command."""

    name: str
    """May be of several words."""
    settings: type[S]
    run: Callable[[S], int]
    """Returns the exit status."""
    coroutine: Callable[[S], Coroutine[Any, Any, int]] | None = None
    """The same in an event loop that runs already, for a process of several programs; None: it needs its own."""

    @property
    def summary(self) -> str:
        """What it does, in a sentence."""
        return " ".join((self.settings.__doc__ or "").split())


class CommandLine:
    """A program with sub-commands.

    Args:
        program: its name.
        version: of the program.
        commands: in the order of the overview.
        groups: what is common to the commands whose names begin with these words, and with none: the empty text.
    """

    def __init__(self, program: str, version: str, commands: Sequence[Command[Any]], groups: Mapping[str, str]) -> None:
        self._program = program
        self._version = version
        self.commands: dict[str, Command[Any]] = {command.name: command for command in commands}
        self._groups = groups

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command that the first arguments name. Returns the exit status."""
        return _exit_status(self._program, partial(self._main, sys.argv[1:] if arguments is None else arguments))

    def alone(self, command: Command[S], program: str) -> int:
        """Runs one command as a program of its own, which takes all arguments. Returns the exit status."""
        return _exit_status(program, partial(self.run, command, program, sys.argv[1:]))

    def _main(self, arguments: Sequence[str]) -> int:
        rest = list(arguments)
        if rest and rest[0] in {"--version", "version"}:
            sys.stdout.write(f"{self._program} {self._version}\n")
            return 0
        if rest and rest[0] == "help":
            rest = [*rest[1:], "--help"]
        group = ""
        while rest and rest[0] in self._members(group):
            group = f"{group} {rest.pop(0)}".lstrip()
            if command := self.commands.get(group):
                return self.run(command, f"{self._program} {group}", rest)
        return self._no_command(group, rest)

    def _no_command(self, group: str, rest: Sequence[str]) -> int:
        """The words so far name a group of commands, and what follows names none of them. Returns the exit status."""
        is_flag = bool(rest) and rest[0].startswith("-")
        if not rest or (is_flag and HELP_FLAGS.intersection(rest)):
            sys.stdout.write(self._overview(group))
            # As kubectl does where a command is missing: what there is, and a status by which a script notices.
            return 0 if rest else EXIT_USAGE
        program = f"{self._program} {group}".rstrip()
        there_are = f"There are: {', '.join(self._members(group))}."
        if is_flag:
            problem = f"a command has to come before {rest[0]}. {there_are}"
        else:
            close = self._close_commands(group, rest[0])
            problem = f"there is no command {rest[0]!r}. " + (
                f"Did you mean '{self._program} {close[0]}'?" if close else there_are
            )
        sys.stderr.write(f"{program}: {one_line(problem)}\nRun '{program} --help' for what they do.\n")
        return EXIT_USAGE

    def _close_commands(self, group: str, word: str) -> Sequence[str]:
        """The command that was probably meant: one spelled like it, or one of that name in another group."""
        close = difflib.get_close_matches(word, self._members(group), n=1)
        if close:
            return [f"{group} {close[0]}".lstrip()]
        return [name for name in (*self._groups, *self.commands) if name.split()[-1:] == [word]]

    def _members(self, group: str) -> Mapping[str, str]:
        """The commands and groups in a group, by the word that follows it: what each of them does."""
        above = group.split()
        found = {}
        for name, command in self.commands.items():
            words = name.split()
            if words[: len(above)] == above:
                word = words[len(above)]
                found[word] = self._groups.get(" ".join([*above, word]), command.summary)
        return found

    def _overview(self, group: str) -> str:
        members, width = self._members(group), help_width()
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
        program = f"{self._program} {group}".rstrip()
        version = "" if group else ", --version for the version"
        more = f"Run '{program} <command> --help' for the flags of a command{version}."
        return (
            f"Usage: {program} <command> [flags]\n\n"
            f"{textwrap.fill(self._groups[group], width)}\n\n"
            f"Commands:\n{commands}\n\n"
            f"{textwrap.fill(more, width, break_on_hyphens=False)}\n"
        )

    def run(self, command: Command[S], program: str, arguments: Sequence[str]) -> int:
        """Runs one command with these arguments. Returns the exit status. Raises what is a defect of the program.

        Args:
            command: to run.
            program: what a person has called it by, in messages.
            arguments: those of the command.
        """
        settings = self._settings(command, program, arguments)
        if isinstance(settings, int):
            return settings
        try:
            return command.run(settings)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
        except (Exception, BaseExceptionGroup) as error:
            if _said(program, settings, error):
                return EXIT_FAILURE
            raise

    async def run_hosted(self, name: str, arguments: Sequence[str]) -> int:
        """Runs a command that has a coroutine, as ``main`` does; for a process that runs several programs.

        Raises:
            KeyError: there is no such command.
        """
        command, program = self.commands[name], f"{self._program} {name}"
        settings = self._settings(command, program, arguments)
        if isinstance(settings, int):
            return settings
        if command.coroutine is None:
            raise KeyError(name)
        try:
            return await command.coroutine(settings)
        except (Exception, BaseExceptionGroup) as error:
            if _said(program, settings, error):
                return EXIT_FAILURE
            raise

    def _settings(self, command: Command[S], program: str, arguments: Sequence[str]) -> S | int:
        """What a command is to run with; or the exit status where that is all there is to do."""
        if HELP_FLAGS.intersection(arguments):
            sys.stdout.write(help_text(command.settings, program))
            return 0
        if "--version" in arguments:
            sys.stdout.write(f"{program} {self._version}\n")
            return 0
        try:
            return parse(command.settings, arguments)
        except UsageError as error:
            lines = "".join(f"  {one_line(problem)}\n" for problem in error.problems)
            sys.stderr.write(f"{program}: cannot start:\n{lines}Run '{program} --help' for all settings.\n")
            return EXIT_USAGE


def _said(program: str, settings: Settings, error: BaseException) -> bool:
    """Says what has gone wrong. Returns whether it could: not where it is a defect of the program."""
    for leaf in _leaves(error):
        if isinstance(leaf, StandardOutputError):
            raise leaf from error
    sentences = _expected(error, settings)
    if sentences is None:
        return False
    sys.stderr.write("".join(f"{_told(f'{program}: {sentence}')}\n" for sentence in sentences))
    return True


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
