"""Standard streams that are closed, full, or no longer read: no command ends with a traceback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

import fake_dra_driver
from fake_dra_driver import cli
from fake_dra_driver.dra.program.commandline import EXIT_READER_GONE, Command
from fake_dra_driver.settings import Settings
from fake_dra_driver.standardstreams import ReaderGoneError, standard_streams, until_reader_gone

SOURCE = Path(fake_dra_driver.__file__).parents[1]
MANIFEST = SOURCE / "demo" / "fake-test1.yaml"
COMMANDS = [["--help"], ["--version"], ["status", "--help"], ["convert", f"--filename={MANIFEST}"]]


def run(shell: str, *arguments: str, folder: Path = SOURCE) -> tuple[int, str]:
    """Exit status and stderr of a command, which ``shell`` has as ``"$@"``."""
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-m", "fake_dra_driver", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_stream_loses_what_is_written(arguments: list[str]) -> None:
    assert run('"$@" >&-', *arguments) == (0, "")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_ends_it_quietly(arguments: list[str]) -> None:
    # The reader of the pipe has ended before the command starts, so that this does not depend on which is faster.
    shell = 'exec 3> >(exit) && wait "$!"; "$@" >&3'
    assert run(shell, *arguments) == (141, "")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told(arguments: list[str]) -> None:
    assert run('"$@" >/dev/full', *arguments) == (
        1,
        "fake-dra-driver: cannot write to standard output: No space left on device\n",
    )


def test_a_closed_standard_input_is_empty() -> None:
    assert run('"$@" <&-', "convert") == (0, "")


def test_streams_that_are_all_closed_are_no_files_of_the_program(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_bytes(MANIFEST.read_bytes())
    assert run('"$@" <&- >&- 2>&-', "convert", f"--filename={copy}") == (0, "")
    assert copy.read_bytes() == MANIFEST.read_bytes()


def test_characters_that_the_terminal_does_not_have_are_question_marks(tmp_path: Path) -> None:
    script = "from fake_dra_driver.standardstreams import *\nwith standard_streams():\n    print('└─')\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=SOURCE,
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"??\n", b"")


def test_a_command_that_writes_in_a_task_ends_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tasks wrap what they raise into groups."""

    def run(_: Settings) -> int:
        raise BaseExceptionGroup("", [ExceptionGroup("", [ReaderGoneError(32, "Broken pipe")])])

    command = cli.COMMAND_LINE.commands["generate"]
    monkeypatch.setitem(cli.COMMAND_LINE.commands, "generate", Command("generate", command.settings, run))
    assert cli.main(["generate"]) == EXIT_READER_GONE
    assert capsys.readouterr().err == ""


def test_a_stream_that_a_test_reads_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with standard_streams():
        assert sys.stdout is before
    assert sys.stdout is before


@pytest.fixture
def pipe() -> Iterator[tuple[Callable[[], None], TextIO]]:
    """A pipe: what ends its reader, and the end to write to."""
    reading, writing = os.pipe()
    reader = os.fdopen(reading)
    with reader, os.fdopen(writing, "w") as stream:
        yield reader.close, stream


async def test_the_end_of_a_reader_is_noticed_without_writing(pipe: tuple[Callable[[], None], TextIO]) -> None:
    end_reader, stream = pipe
    waiting = asyncio.ensure_future(until_reader_gone(stream))
    await asyncio.sleep(0)
    end_reader()
    async with asyncio.timeout(30):
        with pytest.raises(ReaderGoneError):
            await waiting


async def test_a_file_always_has_room(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as stream:
        waiting = asyncio.ensure_future(until_reader_gone(stream))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
