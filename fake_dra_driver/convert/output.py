"""The text that is printed: documents one after the other, told apart as they were in their files."""

import re
from typing import Final

from fake_dra_driver.convert.rewrite import comments_of
from fake_dra_driver.convert.stream import Document
from fake_dra_driver.convert.style import Style

__all__ = ["Output"]

_START_LINE: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVE: Final = re.compile(r"^%", re.MULTILINE)
_END_LINE: Final = re.compile(r"^\.\.\.\s*\Z", re.MULTILINE)


class Output:
    """Collects the texts of documents."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._pending = ""
        """Start line and comments of documents that are left out. They go to the next one of the file."""
        self._follows_json = False
        """Whether the last document is JSON, of the same file: another may follow without a start line."""

    @property
    def text(self) -> str:
        """All that was added."""
        return "".join(self._parts)

    def add(self, document: Document, text: str | None = None) -> None:
        """Adds a document, with its own text or a changed one."""
        text = document.text if text is None else text
        if self._pending and document.head.strip() == "---" and text.startswith(document.head):
            text = self._pending + text[len(document.head) :]
        elif "#" in self._pending:
            text = self._pending + text
        self._pending = ""
        self._append(text, is_json=document.is_json)

    def remove(self, document: Document, style: Style) -> None:
        """Leaves a document out, but for its comments."""
        head = document.head.rstrip()
        if head and not (self._pending and head == "---"):
            self._pending += head + style.newline
        self._pending += "".join(f"{comment}{style.newline}" for comment in comments_of(document))

    def end_file(self) -> None:
        """What is added from now on is of another file."""
        if "#" in self._pending:
            self._append(self._pending, is_json=False)
        self._pending = ""
        self._follows_json = False

    def _append(self, text: str, *, is_json: bool) -> None:
        start = _START_LINE.search(text)
        may_follow = is_json and self._follows_json and not start
        if self._parts and not may_follow:
            if not self._parts[-1].endswith("\n"):
                self._parts.append("\n")
            is_ended = _END_LINE.search(self._parts[-1]) is not None
            if start and not is_ended and _DIRECTIVE.search(text, 0, start.start()):
                self._parts.append("...\n")
            elif not start and not is_ended:
                self._parts.append("---\n")
        self._parts.append(text)
        self._follows_json = is_json
