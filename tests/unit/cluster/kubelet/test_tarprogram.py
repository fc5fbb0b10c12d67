"""The program that copies for ``kubectl cp``: what it extracts, and what it refuses."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fake_dra_driver.cluster.kubelet.sessions import tarprogram

PATIENCE_SECONDS = 20
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
Entry = tuple[str, bytes, str]
"""Name, type, and content or target."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A container's folder; beside it is what does not belong to it."""
    for folder in ("root", "beside"):
        (tmp_path / folder).mkdir()
    (tmp_path / "beside/secret").write_text("secret")
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def nothing_beside_changes(root: Path, tmp_path: Path) -> Iterator[None]:
    """Holds for each archive."""
    yield
    assert names(tmp_path) == ["beside", "root"]
    assert names(tmp_path / "beside") == ["secret"]
    secret = tmp_path / "beside/secret"
    assert (secret.read_text(), secret.stat().st_nlink) == ("secret", 1)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def archived(*entries: Entry) -> bytes:
    """An archive of these."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o755
            if kind in (LINK, HARD):
                entry.linkname = text
            content = text.encode() if kind == FILE else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def argv(what: str, path: Path, root: Path, first: str = "0") -> list[str]:
    """The program's command."""
    return [sys.executable, "-I", "-S", tarprogram.__file__, what, path.name, str(path), first, str(root)]


def run(what: str, path: Path, root: Path, sent: bytes = b"", first: str = "0") -> tuple[int, bytes, str]:
    """The program's exit code and outputs."""
    done = subprocess.run(argv(what, path, root, first), input=sent, capture_output=True, timeout=PATIENCE_SECONDS)
    return done.returncode, done.stdout, done.stderr.decode()


def extract(root: Path, *entries: Entry, into: str = ".") -> list[str]:
    """Extracts these, and returns what is said of it, line by line; there are lines if and only if it failed."""
    code, _, said = run("extract", root / into, root, archived(*entries))
    assert "Traceback" not in said
    assert code == (2 if said else 0)
    return said.splitlines()


def test_files_folders_and_links(root: Path) -> None:
    entries = [
        ("folder/empty", FOLDER, ""),
        ("/folder/program", FILE, "text"),
        ("folder/up", LINK, "../folder/program"),
        ("same", HARD, "folder/program"),
        ("later", LINK, "not/yet/there"),
        ("folder/through", LINK, "."),
        ("folder/through/more", FILE, "more"),
    ]
    for _ in range(2):  # what is there is replaced
        assert extract(root, *entries) == []
        assert (root / "folder/empty").is_dir()
        assert (root / "folder/program").stat().st_mode & 0o700 == 0o700
        assert (root / "folder/up").read_text() == (root / "same").read_text() == "text"
        assert (root / "same").samefile(root / "folder/program")
        assert (root / "later").readlink() == Path("not/yet/there")
        assert (root / "folder/more").read_text() == "more"


def test_a_hard_link_to_itself_changes_nothing(root: Path) -> None:
    assert extract(root, ("a", FILE, "text"), ("a", HARD, "./a")) == []
    assert (root / "a").read_text() == "text"


def test_links_that_are_there_are_followed_as_long_as_they_stay_inside(root: Path) -> None:
    (root / "releases/1").mkdir(parents=True)
    (root / "below").mkdir()
    (root / "current").symlink_to("releases/1")
    (root / "full").symlink_to(root / "releases/1")
    (root / "below/out").symlink_to("../releases")
    assert extract(root, ("current/a", FILE, "a"), ("full/b", FILE, "b")) == []
    assert extract(root, ("out/1/c", FILE, "c"), into="below") == []
    assert names(root / "releases/1") == ["a", "b", "c"]


def test_a_file_is_written_in_place_of_a_link(root: Path) -> None:
    (root / "link").symlink_to("../beside/secret")
    assert extract(root, ("link", FILE, "text")) == []
    assert not (root / "link").is_symlink()
    assert (root / "link").read_text() == "text"


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([("../beside/a", FILE, "")], "'..'"),
        ([("a/../../beside/a", FILE, "")], "'..'"),
        ([("a", LINK, "../beside")], "leads out"),
        ([("a", LINK, "/etc")], "leads out"),
        ([("s", LINK, "."), ("a", LINK, "s/s/../beside")], "leads out"),
        ([("a", LINK, "missing/../../beside")], "leads out"),
        ([("a", HARD, "../beside/secret")], "'..'"),
        ([("x/y/s", LINK, "../.."), ("a", HARD, "x/y/s")], "it is no file"),
        ([("out/a", FILE, "")], "leads out"),
        ([("out/a", FOLDER, "")], "leads out"),
        ([("full/a", FILE, "")], "leads out"),
        ([("a", HARD, "out/secret")], "leads out"),
        ([("l", LINK, "m"), ("m", LINK, "l"), ("l/a", FILE, "")], "symbolic links"),
        ([("a", tarfile.FIFOTYPE, "")], "neither"),
        ([("a", tarfile.CHRTYPE, "")], "neither"),
        ([("a", b"Z", "")], "neither"),
        ([("a", HARD, "missing")], "Cannot hard link to 'missing': No such file or directory"),
        ([("f", FOLDER, ""), ("f", FILE, "")], "directory"),
        ([("f", FILE, ""), ("f/a", FILE, "")], "Not a directory"),
        ([("a" * 300, FILE, "")], "File name too long"),
        ([("./", FILE, "")], "has no name"),
    ],
)
def test_an_entry_is_refused_and_the_others_are_extracted(root: Path, entries: Sequence[Entry], says: str) -> None:
    (root / "out").symlink_to("../beside")
    (root / "full").symlink_to(root.parent / "beside")
    said = extract(root, *entries, ("last", FILE, "text"))
    assert len(said) == 1
    assert says in said[0]
    assert str(root.parent) not in said[0]
    assert not (root / "a").is_symlink()
    assert not (root / "a").exists()
    assert (root / "last").read_text() == "text"


def test_links_whose_path_is_too_long_to_be_looked_at_lead_nowhere(root: Path) -> None:
    """As in CVE-2025-4517: the kernel follows link by link what it would not take as one path."""
    name, steps = "d" * 247, "abcdefghijklmnop"
    entries, at = list[Entry](), ""
    for step in steps:
        entries += [(f"{at}{name}", FOLDER, ""), (f"{at}{step}", LINK, name)]
        at += f"{name}/"
    top = "/".join([*steps, "l" * 254])
    entries += [(top, LINK, "../" * len(steps)), ("escape", LINK, f"{top}/../beside"), ("escape/a", FILE, "")]
    said = extract(root, *entries)
    assert [line.split(":")[1] for line in said] == [" escape"]
    (root / "left").symlink_to(f"{top}/../beside")
    assert "leads out" in extract(root, ("left/a", FILE, ""))[0]
    for what in ("create", "extract"):
        code, out, err = run(what, root / "left/secret", root)
        assert (code, out) == (2, b"")
        assert "is not copied" in err


def test_an_archive_that_is_damaged_is_read_to_its_end(root: Path) -> None:
    head = archived(("a", FILE, "a" * 5000))[:512]
    negative = archived(("a", FILE, ""))[:124] + b"\xff" * 12
    for sent in (b"", head + b"x" * 100, b"garbage" * 100_000, negative + bytes(1_000_000)):
        with subprocess.Popen(
            argv("extract", root, root), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(sent)  # it would raise BrokenPipeError
            process.stdin.close()
            said = process.stderr.read().decode()
        assert process.returncode == 2
        assert said.startswith("tar: ")
        assert "Traceback" not in said


def test_the_rest_of_an_archive(root: Path) -> None:
    (root / "file").write_bytes(os.urandom(1000))
    whole = run("create", root / "file", root)
    assert whole[0] == 0
    assert run("create", root / "file", root, first="513") == (0, whole[1][512:], "")
    assert run("create", root / "file", root, first="9" * 5000) == (0, b"", "")


def test_what_cannot_be_read_or_written(root: Path) -> None:
    (root / "file").write_text("")
    (root / "circle").symlink_to("circle")
    for what, name, says in (
        ("create", "missing", "Cannot stat: No such file or directory"),
        ("create", "circle", "is not copied"),
        ("extract", "missing", "Cannot open: No such file or directory"),
        ("extract", "file", "Cannot open: Not a directory"),
        ("extract", "../beside", "is not copied"),
    ):
        code, _, said = run(what, root / name, root, archived())
        assert code == 2
        assert says in said
