"""Files in folders that others write to: what is read and written there, and what is refused without being touched."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fake_dra_driver.regularfile import make_folder, read_bytes, replace, temporary_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "file"


@pytest.fixture
def victim(tmp_path: Path, path: Path) -> Path:
    """A file outside, to which a link may lead."""
    path.parent.mkdir()
    outside = tmp_path / "victim"
    outside.write_bytes(b"precious")
    outside.chmod(0o640)
    return outside


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def a_link_to(victim: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(victim)


STRANGE: dict[str, Callable[[Path], None]] = {
    "a FIFO": lambda path: os.mkfifo(path),
    "a dangling link": lambda path: path.symlink_to(path.with_name("nowhere")),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a folder": lambda path: path.mkdir(),
}
strange = pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE.keys())


@strange
def test_what_is_no_regular_file_is_refused_at_once(path: Path, victim: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(OSError, match=r"regular file|symbolic link|Is a directory"):
        read_bytes(path)


@pytest.mark.parametrize("name", ["a FIFO", "a link to a device", "a link to itself", "a folder"])
def test_a_link_that_may_be_followed_has_to_end_at_a_regular_file(path: Path, victim: Path, name: str) -> None:
    target = path.with_name("target")
    STRANGE[name](target)
    path.symlink_to(target)
    with pytest.raises(OSError, match=r"regular file|symbolic link|Is a directory"):
        read_bytes(path, follow_link=True)


def test_a_link_is_followed_only_where_that_was_asked_for(path: Path, victim: Path) -> None:
    path.symlink_to(victim)
    assert read_bytes(path, follow_link=True) == b"precious"
    with pytest.raises(OSError, match="It is a symbolic link, which is not followed"):
        read_bytes(path)


def test_no_more_is_read_than_the_limit_allows(path: Path, victim: Path) -> None:
    path.write_bytes(b"12345")
    assert read_bytes(path, limit_bytes=5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bytes(path, limit_bytes=4)


def test_a_missing_file_is_told_apart(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bytes(path)


@pytest.mark.parametrize("place", [lambda path: path, temporary_of], ids=["the file", "the temporary file"])
def test_a_link_is_never_written_through(path: Path, victim: Path, place: Callable[[Path], Path]) -> None:
    place(path).symlink_to(victim)
    replace(path, b"new", 0o600)
    assert (victim.read_bytes(), stat.S_IMODE(victim.stat().st_mode)) == (b"precious", 0o640)
    assert read_bytes(path) == b"new"
    assert list(path.parent.iterdir()) == [path]


@strange
def test_a_leftover_of_any_kind_is_removed_or_refused(path: Path, victim: Path, make: Callable[[Path], None]) -> None:
    make(temporary_of(path))
    if temporary_of(path).is_dir():
        with pytest.raises(OSError, match=r"directory|permitted"):
            replace(path, b"new", 0o600)
        assert not path.exists()
    else:
        replace(path, b"new", 0o600)
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_a_file_has_the_mode_that_was_asked_for_whatever_was_there(path: Path, victim: Path, mask: int) -> None:
    temporary_of(path).touch()
    temporary_of(path).chmod(0o666)
    for mode in (0o600, 0o644):
        with umask(mask):
            replace(path, b"new", mode)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_process_that_has_a_leftover_open_does_not_see_what_is_written(path: Path, victim: Path) -> None:
    with temporary_of(path).open("w+b") as spy:
        replace(path, b"secret", 0o600)
        assert spy.read() == b""


def test_the_contents_are_closed_to_others_while_they_are_written(path: Path, victim: Path) -> None:
    seen = []

    def look(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_mode & 0o777, path.exists(), temporary_of(path).read_bytes()))

    with umask(0):
        replace(path, b"new", 0o600, look)
    assert seen == [(0o600, False, b"new")]


def test_folders_that_are_missing_are_closed_to_others_all_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    with umask(0):
        make_folder(folder, 0o750)
        make_folder(folder, 0o777)
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.parents[:2])} == {0o750}


def test_what_has_the_name_of_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            make_folder(tmp_path / name, 0o750)
    assert not (tmp_path / "nowhere").exists()
