import contextvars
import io
import json
import logging
import os
import re
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from loguru import logger

from fake_dra_driver.hosting.process import shared_process
from fake_dra_driver.runtime.log import MAX_LINE_BYTES, setup_logging
from tests.crash.bounds import examples
from tests.support.logsink import log_into_what_is_captured
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, hostile_text, id_of

log = logger.bind(component="workqueue")


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """Restores the process's logging: pytest's handlers, and the sink of tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    logger.configure(extra={})
    log_into_what_is_captured()


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == "", "only stderr"
    return [json.loads(line) for line in captured.err.splitlines()]


def test_json_is_one_object_a_line_with_keys_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")
    with logger.contextualize(controller="pod", object="default/a"):
        log.info("Reconciled", after_seconds=1.5, nodes=["a", "b"], text='x "y"\nz')
    [line] = json_lines(capsys)
    assert datetime.fromisoformat(line["ts"]).utcoffset() is not None
    assert line["ts"].endswith("Z")
    del line["ts"]
    assert list(line.items()) == [
        ("level", "info"),
        ("component", "workqueue"),
        ("msg", "Reconciled"),
        ("controller", "pod"),
        ("object", "default/a"),
        ("after_seconds", 1.5),
        ("nodes", ["a", "b"]),
        ("text", 'x "y"\nz'),
    ]


def test_text_is_one_line_of_key_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("text")
    log.warning("Waiting", seconds=10, object="default/a", nothing="", error='x "y"\nz', kinds=["a b"])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    _, rest = line.rstrip("\n").split(" ", 1)
    assert rest == (
        'WARNING workqueue: Waiting seconds=10 object=default/a nothing="" error="x \\"y\\"\\nz" kinds=["a b"]'
    )


def test_values_cannot_take_the_place_of_our_own_keys(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")
    log.info("Hello", level="mine", ts=1, msg="x")
    [line] = json_lines(capsys)
    assert (line["level"], line["level_"], line["ts_"], line["msg"], line["msg_"]) == ("info", "mine", 1, "Hello", "x")


def test_values_of_any_kind_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")
    log.info("Hello", error=ValueError("{braces}"), when=datetime(2026, 1, 1))  # noqa: DTZ001
    [line] = json_lines(capsys)
    assert (line["error"], line["when"]) == ("{braces}", "2026-01-01 00:00:00")


def test_a_traceback_is_part_of_the_line_and_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")

    def fail(token: str) -> None:
        raise ValueError("bug")

    try:
        fail("secret-" + "token")
    except ValueError as error:
        log.opt(exception=error).error("Reconciler error")
    [line] = json_lines(capsys)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: bug")
    assert "secret-token" not in line["exception"]


def test_a_traceback_follows_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("text")
    log.opt(exception=ValueError("bug")).error("Reconciler error", object="a")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR   workqueue: Reconciler error object=a")
    assert rest == ["  ValueError: bug"]


def test_logs_of_libraries_and_warnings_come_along(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")
    logging.getLogger("httpx").warning("GET %s {braces}", "/api")
    logging.getLogger("asyncio").error("odd", exc_info=ValueError("bug"))
    logging.getLogger("odd").log(35, "between two levels")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", stacklevel=1)
    first, second, third, fourth = json_lines(capsys)
    assert (first["level"], first["component"], first["msg"]) == ("warning", "httpx", "GET /api {braces}")
    assert (second["component"], second["exception"]) == ("asyncio", "ValueError: bug")
    assert third["msg"] == "between two levels"
    assert (fourth["component"], "UserWarning: old" in fourth["msg"]) == ("py.warnings", True)


def lines_of(format_: Literal["text", "json"], text: str) -> list[str]:
    """What is logged when others have chosen everything that they can choose."""
    written = io.StringIO()
    with redirect_stderr(written):
        setup_logging(format_, context={"node": text})
        with logger.contextualize(object=text, wanted=[text, {text: text}]):
            try:
                try:
                    raise KeyError(text)
                except KeyError as error:
                    raise ValueError(text) from error
            except ValueError as error:
                log.opt(exception=error).error("Reconciler error", error=error, name=text, count=1)
        logging.getLogger("kr8s").warning("answer: %s", text)
    return written.getvalue().split("\n")[:-1]


@given(hostile_text())
@examples(60, 3000)
def test_what_others_write_forges_no_line_of_json(text: str) -> None:
    lines = lines_of("json", text)
    for line in lines:
        assert_harmless(line, longest=MAX_LINE_BYTES)
        assert len(line.encode()) <= MAX_LINE_BYTES
    first, second = map(json.loads, lines)
    assert list(first) == [
        "ts",
        "level",
        "component",
        "msg",
        "node",
        "object",
        "wanted",
        "error",
        "name",
        "count",
        "exception",
    ]
    assert (first["msg"], first["count"], second["component"]) == ("Reconciler error", 1, "kr8s")
    if len(text) < 20:
        # A surrogate pair is one character for a reader of JSON.
        assert first["name"] == json.loads(json.dumps(text))


@given(hostile_text())
@examples(60, 3000)
def test_what_others_write_forges_no_line_of_text(text: str) -> None:
    first, *trace, second = lines_of("text", text)
    assert_harmless(first, longest=MAX_LINE_BYTES)
    assert len("\n".join((first, *trace)).encode()) <= MAX_LINE_BYTES
    assert re.match(r"\S+ ERROR   workqueue: Reconciler error node=", first)
    assert re.match(r"\S+ WARNING kr8s: answer: ", second)
    for line in (*trace, second):
        assert_harmless(line, longest=MAX_LINE_BYTES)
    assert [line for line in trace if not line.startswith("  ")] == []


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
@pytest.mark.parametrize("format_", ["json", "text"])
def test_names_that_are_meant_to_harm(format_: Literal["text", "json"], name: str) -> None:
    for line in lines_of(format_, name):
        assert_harmless(line, longest=MAX_LINE_BYTES)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_what_does_not_fit_into_a_line_is_not_escaped(format_: Literal["text", "json"]) -> None:
    """Which took seconds, in which no Lease was renewed; what escapes take up shows it on any machine."""
    name = "\u202e" * 900_000
    setup_logging(format_)
    tracemalloc.start()
    try:
        log.error("Reconciler error", name=name)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * len(name)


def test_a_long_traceback_keeps_its_begin_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json")
    first_bug = bug = ValueError("the last bug")
    for number in range(100):
        bug.__cause__ = bug = ValueError(f"bug {number} " + "x" * 100)
    bug.__cause__ = ValueError("the first bug")
    log.opt(exception=first_bug).error("Failed")
    log.opt(exception=ValueError("x" * 900_000)).error("Failed")
    first, second = json_lines(capsys)
    assert first["exception"].startswith("ValueError: the first bug\n")
    assert first["exception"].endswith("ValueError: the last bug")
    assert re.search(r"\n… \(\d+ more lines\)\n", first["exception"])
    assert second["exception"].startswith("ValueError: xxx")
    assert second["exception"].endswith("more characters)")


@pytest.mark.parametrize(
    ("verbosity", "ours", "libraries"),
    [
        (0, ["INFO", "ERROR"], ["WARNING"]),
        (3, ["INFO", "ERROR"], ["WARNING"]),
        (4, ["DEBUG", "INFO", "ERROR"], ["WARNING"]),
        (6, ["DEBUG", "INFO", "ERROR"], ["INFO", "WARNING"]),
        (8, ["TRACE", "DEBUG", "INFO", "ERROR"], ["DEBUG", "INFO", "WARNING"]),
        (10, ["TRACE", "DEBUG", "INFO", "ERROR"], ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_verbosity(verbosity: int, ours: list[str], libraries: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json", verbosity)
    for level in ("TRACE", "DEBUG", "INFO", "ERROR"):
        log.log(level, "ours")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger("httpx").log(number, "theirs")
    lines = json_lines(capsys)
    assert [line["level"].upper() for line in lines if line["msg"] == "ours"] == ours
    assert [line["level"].upper() for line in lines if line["msg"] == "theirs"] == libraries


def test_setting_it_up_again_replaces_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("text", 8)
    setup_logging("json", 0)
    log.info("Hello")
    logging.getLogger("httpx").warning("Hello")
    assert len(json_lines(capsys)) == 2


def test_context_is_on_every_line_until_logging_is_set_up_again(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("json", context={"node": "node-7"})
    log.info("Published")
    setup_logging("json")
    log.info("Published")
    first, second = json_lines(capsys)
    assert first["node"] == "node-7"
    assert "node" not in second


def test_no_line_of_a_log_gets_between_pytests_own(tmp_path: Path) -> None:
    """As those of a cluster in a thread, which runs on while pytest prints what has become of a test."""
    plugin = "def pytest_runtest_logreport():\n    from loguru import logger\n    logger.debug('between two tests')\n"
    (tmp_path / "between.py").write_text(plugin)
    one_test = f"{__file__}::{test_setting_it_up_again_replaces_what_was_there.__name__}"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "between", "-p", "no:cacheprovider", one_test],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in ended.stdout
    assert "between two tests" not in ended.stdout + ended.stderr


class Shared:
    """A process that several programs share."""

    def __init__(self) -> None:
        self.environment: Mapping[str, str] = {}
        self.handlers: dict[int, Any] = {}
        self.releases: dict[object, Any] = {}


def test_programs_of_one_process_differ_in_format_level_and_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loud, quiet = contextvars.copy_context(), contextvars.copy_context()
    for program in (loud, quiet):
        program.run(shared_process.set, Shared())
    loud.run(setup_logging, "json", 5, context={"node": "loud"})
    quiet.run(setup_logging, "text", 0, context={"node": "quiet"})
    loud.run(log.debug, "a detail", value=1)
    quiet.run(log.debug, "nothing that anyone reads")
    quiet.run(logging.getLogger("library").info, "nothing that anyone reads")
    quiet.run(log.info, "news")
    loud_line, quiet_line = capsys.readouterr().err.splitlines()
    found = json.loads(loud_line)
    assert (found["level"], found["msg"], found["node"], found["value"]) == ("debug", "a detail", "loud", 1)
    assert re.fullmatch(r"\S+ INFO    workqueue: news node=quiet", quiet_line)
