"""The sub-command ``convert``: manifests from files or standard input, converted to standard output."""

import sys
from collections.abc import Iterator, Sequence

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.convert.conversion import Source, convert
from fake_dra_driver.convert.settings import STANDARD_INPUT, ConvertSettings, files_of
from fake_dra_driver.untrustedtext import one_line

__all__ = ["run_convert"]


def run_convert(settings: ConvertSettings) -> int:
    """Prints the converted manifests, and says on standard error what there is to say. Returns the exit status.

    Raises:
        OSError: a file cannot be read.
    """
    sources, failed = [], False
    for name, content in _contents(settings.filename or (STANDARD_INPUT,)):
        try:
            sources.append(Source(name, content.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            sys.stderr.write(f"{one_line(name)}:{line}: error: the file is not UTF-8, and is left out\n")
            failed = True
    conversion = convert(sources, RESOURCE_APIS[settings.output_version])
    for message in conversion.messages:
        sys.stderr.write(f"{one_line(str(message))}\n")
    _write(conversion.text)
    return 1 if failed or conversion.failed else 0


def _contents(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == STANDARD_INPUT:
            yield "standard input", sys.stdin.buffer.read()
        else:
            yield from ((str(path), path.read_bytes()) for path in files_of(name))


def _write(text: str) -> None:
    # As bytes, since line ends stay as they are. JSON can have halves of characters, which go out as it writes them.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
