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
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

__all__ = ["setup_logging"]

_DEBUG_FROM = 4
_LIBRARY_INFO_FROM = 6
_EVERYTHING_FROM = 8

_RESERVED = frozenset({"ts", "level", "component", "msg", "exception"})
"""Keys of our own. A value that comes under one of these names gets an underscore behind it."""
_MIN_LEVEL_WIDTH = len("WARNING")


def setup_logging(
    format: Literal["text", "json"] = "text",  # noqa: A002 - the flag's name
    verbosity: int = 0,
    *,
    least: Literal["INFO", "ERROR"] = "INFO",
    context: Mapping[str, str] | None = None,
) -> None:
    """Sends all logs of the process, those of libraries included, to stderr. Replaces what was set up before.

    Args:
        format: text for people, or one JSON object a line.
        verbosity: see above.
        least: the level at verbosity 0; ERROR for programs that talk to a person themselves.
        context: values of every line, such as the node that the process runs on.
    """
    render = _json_line if format == "json" else _text_line
    level = least if verbosity <= 0 else _level(verbosity)
    logger.remove()
    logger.configure(extra=dict(context or {}))
    logger.add(_sink(render), level=level, format="{message}", diagnose=False, backtrace=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=_library_level(verbosity), force=True)
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


def _sink(render: Callable[["Record"], str]) -> Callable[["Message"], None]:
    stream = sys.stderr

    def write(message: "Message") -> None:
        stream.write(render(message.record) + "\n")
        stream.flush()

    return write


def _fields(record: "Record") -> dict[str, Any]:
    """The values of a line, without those that have a place of their own."""
    extra = {key: value for key, value in record["extra"].items() if key != "component"}
    return {f"{key}_" if key in _RESERVED else key: value for key, value in extra.items()}


def _component(record: "Record") -> str:
    return str(record["extra"].get("component") or record["name"] or "")


def _timestamp(record: "Record") -> str:
    return record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(record: "Record") -> str:
    exception = record["exception"]
    if exception is None or exception.value is None:
        return ""
    return "".join(traceback.format_exception(exception.value)).rstrip()


def _json_line(record: "Record") -> str:
    line = {
        "ts": _timestamp(record),
        "level": record["level"].name.lower(),
        "component": _component(record),
        "msg": record["message"],
        **_fields(record),
    }
    if trace := _traceback(record):
        line["exception"] = trace
    return json.dumps(line, ensure_ascii=False, default=str)


def _text_line(record: "Record") -> str:
    level = record["level"].name.ljust(_MIN_LEVEL_WIDTH)
    message = record["message"].replace("\n", "\\n")
    values = "".join(f" {key}={_text_value(value)}" for key, value in _fields(record).items())
    line = f"{_timestamp(record)} {level} {_component(record)}: {message}{values}"
    trace = _traceback(record)
    return f"{line}\n{trace}" if trace else line


def _text_value(value: object) -> str:
    """A value as it is where it is one word, else quoted, so that a line can be taken apart again."""
    if isinstance(value, str) and value and value.isprintable() and not any(sign in value for sign in ' "='):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


class _ToLoguru(logging.Handler):
    """Hands the records of the standard library's logging on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps level, logger and traceback; the caller's place in the source is not shown anyway."""
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        logger.bind(component=record.name).opt(exception=record.exc_info).log(level, record.getMessage())
