"""Sets up logging: loguru to stderr, as text for people or as one JSON object a line; the only place with sinks.

Keys of a JSON line, in this order: ``ts`` (RFC 3339, UTC, milliseconds), ``level``, ``component`` (the part of the
program, or the name of a library's logger), ``msg`` (the same text each time for the same thing, except from
libraries), then the values of this line, such as ``controller``, ``object`` and ``reconcile_id`` in a reconcile, and
``exception`` with the traceback, if there is one. Text has the same, as ``key=value``.

Verbosity, after the Kubernetes convention for ``-v``:

=========  ========================================================
0 to 3     INFO: changes of state and problems
4, 5       DEBUG: each step
6, 7       and what libraries tell at INFO, such as each HTTP request
8 or more  everything, also what libraries tell at DEBUG
=========  ========================================================

Values of variables never get into tracebacks (loguru's ``diagnose`` is off), since they may hold tokens.

Messages and values hold what others wrote. Whatever that is, a line is one line, no longer than MAX_LINE_BYTES, without
what a terminal obeys: text is escaped as ``untrustedtext`` has it, JSON as JSON has it, so that a reader gets the very
value. A traceback is lines of its own in text, each with blanks before it, so that none can pass for a line of the log.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

from loguru import logger

from fake_dra_driver.hosting.process import shared_process
from fake_dra_driver.untrustedtext import cut, escape, json_escape, one_line

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ["MAX_LINE_BYTES", "setup_logging"]

_DEBUG_FROM = 4
_LIBRARY_INFO_FROM = 6
_EVERYTHING_FROM = 8

_RESERVED = frozenset({"ts", "level", "component", "msg", "exception"})
"""Keys of our own. A value that comes under one of these names gets an underscore behind it."""
_NEEDS_QUOTES = re.compile(r"[^!#-<>-~]")
"""In text: what parts values from each other, and whatever may have to be escaped."""
_MIN_LEVEL_WIDTH = len("WARNING")
MAX_LINE_BYTES: Final = 16 * 1024
"""containerd and CRI-O split longer ones (the CRI's maxLogLineSize), and a reader of JSON finds two halves."""
_MAX_BYTES_OF_A_CHARACTER: Final = 4
"""In UTF-8."""
_LIMITS: Final = (MAX_LINE_BYTES, 4096, 512, 128, 32)
"""Characters of the message and of each value: the first with which a line is not too long. The first one cuts only
what fits into no line, before it is escaped, which would take seconds for a megabyte. The last always is one, with some
dozens of values that are all escapes."""
_TRACEBACK: Final = 4
"""How many times as long a traceback may be."""


def setup_logging(
    format: Literal["text", "json"] = "text",  # noqa: A002 - the flag's name
    verbosity: int = 0,
    *,
    least: Literal["INFO", "ERROR"] = "INFO",
    context: Mapping[str, str] | None = None,
) -> None:
    """Sends all logs of the program, those of libraries included, to stderr. Replaces what was set up before.

    Of several programs in one process, each has its own (``hosting``).

    Args:
        format: text for people, or one JSON object a line.
        verbosity: see above.
        least: the level at verbosity 0; ERROR for programs that talk to a person themselves.
        context: values of every line, such as the node that the process runs on.
    """
    render = _json_line if format == "json" else _text_line
    level = logger.level(least if verbosity <= 0 else _level(verbosity)).no
    own = _Setup(render, level, _library_level(verbosity), dict(context or {}))
    if shared_process.get() is None:
        _set_up(own)
        return
    _setup_here.set(own)
    _let_through(own)


@dataclass(frozen=True, slots=True)
class _Setup:
    """What one program logs, and how."""

    render: Callable[["Record", int], str]
    level: int
    library_level: int
    context: Mapping[str, str]


_shared: _Setup | None = None
"""Of a process that several programs share: lets through what the most talkative of them wants."""
_setup_here: ContextVar[_Setup | None] = ContextVar("setup", default=None)
"""Of the program that runs, in a process that it shares."""


def _let_through(wanted: _Setup) -> None:
    """Sees to it that the one sink of a shared process gets all that this program wants."""
    global _shared
    if _shared is None or wanted.level < _shared.level or wanted.library_level < _shared.library_level:
        before = _shared or wanted
        least = min(wanted.level, before.level), min(wanted.library_level, before.library_level)
        _shared = _Setup(wanted.render, *least, {})
        _set_up(_shared)


def _set_up(setup: _Setup) -> None:
    logger.remove()
    logger.configure(extra=dict(setup.context))
    logger.add(_sink(setup), level=setup.level, format="{message}", diagnose=False, backtrace=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=setup.library_level, force=True)
    logging.captureWarnings(capture=True)


def _level(verbosity: int) -> str:
    if verbosity >= _EVERYTHING_FROM:
        return "TRACE"
    return "DEBUG" if verbosity >= _DEBUG_FROM else "INFO"


def _library_level(verbosity: int) -> int:
    """Libraries count each request and each event of the loop as news, which at INFO would bury ours."""
    if verbosity >= _EVERYTHING_FROM:
        return logging.DEBUG
    return logging.INFO if verbosity >= _LIBRARY_INFO_FROM else logging.WARNING


def _sink(of_process: _Setup) -> Callable[["Message"], None]:
    stream = sys.stderr

    def write(message: "Message") -> None:
        record, setup = message.record, _setup_here.get()
        if setup is not None:
            if record["level"].no < setup.level:
                return
            record["extra"] = {**setup.context, **record["extra"]}
        stream.write(_short_enough((setup or of_process).render, record) + "\n")
        stream.flush()

    return write


def _short_enough(render: Callable[["Record", int], str], record: "Record") -> str:
    line = ""
    for limit in _LIMITS:
        line = render(record, limit)
        if len(line) * _MAX_BYTES_OF_A_CHARACTER <= MAX_LINE_BYTES or len(line.encode()) <= MAX_LINE_BYTES:
            break
    return line


def _fields(record: "Record", limit: int) -> dict[str, Any]:
    """The values of a line, without those that have a place of their own."""
    return {
        f"{key}_" if key in _RESERVED else key: _bounded(value, limit)
        for key, value in record["extra"].items()
        if key != "component"
    }


def _component(record: "Record") -> str:
    return str(record["extra"].get("component") or record["name"] or "")


def _timestamp(record: "Record") -> str:
    return record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: "Record", limit: int) -> Sequence[str]:
    """The lines of the traceback; the ones in the middle are left out where there are too many."""
    exception = record["exception"]
    if exception is None or exception.value is None:
        return ()
    lines = [cut(line, limit) for line in "".join(traceback.format_exception(exception.value)).rstrip().split("\n")]
    left_out = 0
    # The first lines tell where it began, the last ones what it was.
    length = sum(map(len, lines))
    while len(lines) > 2 and length > _TRACEBACK * limit:
        length -= len(lines.pop(len(lines) // 2))
        left_out += 1
    if left_out:
        lines.insert((len(lines) + 1) // 2, f"… ({left_out} more lines)")
    return lines


def _bounded(value: object, limit: int) -> object:
    """The value, or, where it is too long, the beginning of what it is as text."""
    if value is None or isinstance(value, bool | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= limit else cut(text, limit)


def _json_line(record: "Record", limit: int) -> str:
    line = {
        "ts": _timestamp(record),
        "level": record["level"].name.lower(),
        "component": cut(_component(record), limit),
        "msg": cut(record["message"], limit),
        **_fields(record, limit),
    }
    if trace := _traceback(record, limit):
        line["exception"] = "\n".join(trace)
    return json_escape(json.dumps(line, ensure_ascii=False, default=str))


def _text_line(record: "Record", limit: int) -> str:
    level = record["level"].name.ljust(_MIN_LEVEL_WIDTH)
    message = one_line(record["message"], limit)
    values = "".join(f" {key}={_text_value(value)}" for key, value in _fields(record, limit).items())
    line = f"{_timestamp(record)} {level} {one_line(_component(record), limit)}: {message}{values}"
    return "\n".join((line, *(f"  {escape(each)}" for each in _traceback(record, limit))))


def _text_value(value: object) -> str:
    """A value as it is where it is one word, else quoted, so that a line can be taken apart again."""
    if isinstance(value, str) and value and not _NEEDS_QUOTES.search(value):
        return value
    return json_escape(json.dumps(value, ensure_ascii=False, default=str))


class _ToLoguru(logging.Handler):
    """Hands the records of the standard library's logging on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps level, logger and traceback; the caller's place in the source is not shown anyway."""
        setup = _setup_here.get()
        if setup is not None and record.levelno < setup.library_level:
            return
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        logger.bind(component=record.name).opt(exception=record.exc_info).log(level, record.getMessage())
