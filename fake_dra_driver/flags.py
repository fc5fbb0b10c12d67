"""The command line of a sub-command, from its settings model: parsing, help, and messages about what is wrong.

argparse only splits the command line into flags and values; whether a value is allowed is for the model to say, for
flags and environment alike. Problems are collected: one run reports all of them, each with its flag and variables.
"""

import argparse
import difflib
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import override

from fake_dra_driver.settings import ForeignFlags, Setting, Settings, settings_of

__all__ = ["UsageError", "help_text", "help_width", "parse"]

S = TypeVar("S", bound=Settings)

HELP_FLAGS = frozenset({"-h", "--help"})
_MAX_HELP_WIDTH = 100
_FEW = 8
"""A command with no more flags than that names all of them when it gets another one."""
_PRECEDENCE = """\
A flag wins over its variables, the first variable over the second, and a variable over the default. An empty variable
counts as unset."""


class UsageError(Exception):
    """The command line or the environment cannot be used; ``problems`` has a sentence for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError([message])


class _Joined(argparse.Action):
    """Joins the values of a flag that is given several times, as its variable has them; None where one is missing."""

    @override
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: object = None
    ) -> None:
        before = getattr(namespace, self.dest, "")
        joined = None if before is None or values is None else f"{before},{values}".removeprefix(",")
        setattr(namespace, self.dest, joined)


class _Words(argparse.Action):
    """Makes one value of several words; none is no value."""

    @override
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: object = None
    ) -> None:
        if isinstance(values, list) and values:
            setattr(namespace, self.dest, str(self.const).join(values))


def parse(model: type[S], arguments: Sequence[str]) -> S:
    """Reads the settings of a sub-command from its arguments and from the environment.

    Raises:
        UsageError: with every problem that was found.
    """
    settings = settings_of(model)
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for setting in settings:
        names = [setting.flag, setting.short] if setting.short else [setting.flag]
        if setting.info.joint:
            parser.add_argument(setting.name, nargs="*", action=_Words, const=setting.info.joint)
        elif setting.info.positional:
            parser.add_argument(setting.name, nargs="?")
        elif setting.info.repeatable:
            parser.add_argument(*names, dest=setting.name, action=_Joined, nargs="?")
        elif setting.is_switch:
            parser.add_argument(*names, dest=setting.name, action="store_true")
        else:
            # --flag alone says yes where the default is yes too, as with Kubernetes' own flags.
            parser.add_argument(*names, dest=setting.name, nargs="?", const="true" if setting.default is True else None)
        if setting.negation:
            parser.add_argument(setting.negation, dest=setting.name, action="store_const", const="false")
    known, unknown = parser.parse_known_args(arguments)
    given = {name: value for name, value in vars(known).items() if value is not None}
    problems = {name: "the flag needs a value" for name, value in vars(known).items() if value is None}
    try:
        parsed = model(**given)
    except ValidationError as error:
        for detail in error.errors():
            problems.setdefault(str(detail["loc"][0]), _reason(detail))
        parsed = None
    texts = [_unknown(argument, settings, model.foreign_flags) for argument in unknown]
    texts += [_problem(setting, problems[setting.name], given) for setting in settings if setting.name in problems]
    if parsed is None or texts:
        raise UsageError(texts)
    return parsed


def _unknown(argument: str, settings: Sequence[Setting], foreign: ForeignFlags) -> str:
    flag = argument.partition("=")[0]
    if reason := foreign.reasons.get(flag):
        return f"{flag}: this flag of {foreign.program} does not exist here, since {reason}. Leave it out."
    if not argument.startswith("-"):
        takes_several = any(setting.info.positional and "," in (setting.info.metavar or "") for setting in settings)
        return f"{argument}: not expected here.{' Separate several names by commas.' if takes_several else ''}"
    known = [setting.flag for setting in settings if not setting.info.positional]
    negations = [setting.negation for setting in settings if setting.negation]
    close = difflib.get_close_matches(flag.lstrip("-"), [each.lstrip("-") for each in [*known, *negations]], n=1)
    if close:
        hint = f" Did you mean --{close[0]}?"
    elif len(known) <= _FEW:
        hint = f" There {'is only' if len(known) == 1 else 'are'} {', '.join(known)}."
    else:
        hint = ""
    return f"{argument}: there is no such flag.{hint}"


def _reason(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "must be set"
    in_words = f" ({detail['msg'].removeprefix('Value error, ')})" if detail["type"] == "value_error" else ""
    return f"is not allowed{in_words}"


def _problem(setting: Setting, reason: str, given: Mapping[str, str]) -> str:
    found = setting.in_environment()
    if setting.name in given:
        value = f'"{given[setting.name]}" '
    elif found and reason.startswith("is not"):
        value = f'"{found[1]}", from {found[0]}, '
    else:
        value = ""
    return f"{setting.flag} ({', '.join(setting.variables)}): {value}{reason}. Allowed: {setting.allowed}."


def help_width() -> int:
    """How wide lines of help are: as the terminal, where it is not too wide to read."""
    return min(_MAX_HELP_WIDTH, shutil.get_terminal_size().columns)


def help_text(model: type[Settings], command: str) -> str:
    """What ``--help`` of a sub-command prints: its settings by group, with default and variables."""
    width = help_width()
    settings = settings_of(model)
    values = [setting.flag for setting in settings if setting.info.positional]
    lines = [
        f"Usage: {' '.join([command, *values])} [flags]",
        "",
        *textwrap.wrap(" ".join((model.__doc__ or "").split()), width),
    ]
    for group in model.groups:
        members = [setting for setting in settings if setting.info.group == group]
        if members:
            lines += ["", f"{group}:"]
        for setting in members:
            lines += _setting_help(setting, width)
    lines += ["", "  -h, --help", "      Print this text.", "", *textwrap.wrap(" ".join(_PRECEDENCE.split()), width)]
    return "\n".join(lines) + "\n"


def _setting_help(setting: Setting, width: int) -> list[str]:
    names = f"{setting.short}, {setting.flag}" if setting.short else setting.flag
    if setting.is_switch:
        head, body = names, [setting.description]
    else:
        about = "Required." if setting.required else f"Default: {setting.default_text}."
        value = "" if setting.info.positional else f" {setting.metavar}"
        head = f"{names}, {setting.negation}" if setting.negation else f"{names}{value}"
        body = [setting.description, f"{about} Allowed: {setting.allowed}."]
    body.append(f"Environment: {', '.join(setting.variables)}")
    indent = " " * 6
    wrap = textwrap.TextWrapper(width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    wrapped = [wrap.wrap(part) for part in body]
    return [f"  {head}", *(line for lines in wrapped for line in lines)]
