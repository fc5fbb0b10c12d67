"""Files on a disk: whole or not at all, and still there after a power cut."""

import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_dra_driver.dra.node.files import DiskFiles, set_aside
from fake_dra_driver.regularfile import target_of
from tests.support.disk import Crash, ForgetfulDisk

OLD, NEW = b"the old contents", b"the new contents, which are longer"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.json"


def crashes(folder: Path, work: Callable[[], None]) -> list[ForgetfulDisk]:
    """The disk after a stop at each step of the work, which begins each time with what is in the folder now."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    disks = []
    for step in itertools.count():
        for path in folder.iterdir():
            path.unlink()
        for name, data in before.items():
            (folder / name).write_bytes(data)
        disk = ForgetfulDisk(folder)
        try:
            with disk.watching(stop_at=step):
                work()
        except Crash:
            disks.append(disk)
        else:
            assert len(disks) >= 4, "the work was not seen"
            return disks
    raise AssertionError("unreachable")


@pytest.mark.parametrize("old", [OLD, None])
def test_a_stop_at_any_step_of_a_write_leaves_the_old_or_the_new_contents(path: Path, old: bytes | None) -> None:
    if old is not None:
        path.write_bytes(old)
    seen = set()
    for disk in crashes(path.parent, lambda: DiskFiles().write(path, NEW, 0o600)):
        assert disk.possible(path) <= {old, NEW}
        seen |= disk.possible(path)
    assert seen == {old, NEW}


@pytest.mark.parametrize("old", [OLD, None])
def test_a_completed_write_survives_a_power_cut(path: Path, old: bytes | None) -> None:
    if old is not None:
        path.write_bytes(old)
    disk = ForgetfulDisk(path.parent)
    with disk.watching():
        DiskFiles().write(path, NEW, 0o600)
    assert disk.possible(path) == {NEW} == {path.read_bytes()}


def test_removals_and_renames_survive_a_power_cut(path: Path) -> None:
    other = path.with_name("other.json")
    path.write_bytes(OLD)
    disk = ForgetfulDisk(path.parent)
    with disk.watching():
        DiskFiles().rename(path, other)
    assert (disk.possible(path), disk.possible(other)) == ({None}, {OLD})
    with disk.watching():
        DiskFiles().remove(other)
    assert disk.possible(other) == {None}


def test_leftovers_of_an_interrupted_write_do_not_hinder_the_next(path: Path) -> None:
    path.write_bytes(OLD)
    steps = len(crashes(path.parent, lambda: DiskFiles().write(path, NEW, 0o600)))
    for step in range(steps):
        disk = ForgetfulDisk(path.parent)
        with pytest.raises(Crash), disk.watching(stop_at=step):
            DiskFiles().write(path, b"x" * 1000, 0o600)
        DiskFiles().write(path, NEW, 0o600)
        assert path.read_bytes() == NEW
        assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_no_half_written_file_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path.write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        DiskFiles().write(path, NEW, 0o600)
    assert {found.name: found.read_bytes() for found in path.parent.iterdir()} == {path.name: OLD}


def test_a_file_has_the_mode_that_was_asked_for(path: Path) -> None:
    DiskFiles().write(path, NEW, 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mask", [0, 0o777])
def test_neither_a_leftover_nor_the_umask_changes_the_mode_of_a_file(path: Path, mask: int) -> None:
    leftover = path.with_name(f".{path.name}.tmp")
    leftover.touch()
    leftover.chmod(0o666)
    before = os.umask(mask)
    try:
        DiskFiles().write(path, NEW, 0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_a_file_or_of_its_leftover_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "folder", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(OLD)
    path = folder / "file.json"
    for link in (path, folder / ".file.json.tmp"):
        link.symlink_to(victim)
        DiskFiles().write(path, NEW, 0o600)
        assert victim.read_bytes() == OLD
        assert [each for each in folder.iterdir() if not each.is_symlink()] == [path]


def test_a_fifo_in_the_place_of_a_file_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        DiskFiles().read(path)


def test_a_link_in_the_place_of_a_file_is_not_read(path: Path) -> None:
    path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="symbolic link"):
        DiskFiles().read(path)


def test_while_it_is_written_a_file_has_a_name_that_no_container_runtime_reads(path: Path) -> None:
    with pytest.raises(Crash), ForgetfulDisk(path.parent).watching(stop_at=2):
        DiskFiles().write(path, NEW, 0o600)
    (left,) = path.parent.iterdir()
    assert left.suffix not in {".json", ".yaml"}


def test_leftovers_of_an_interrupted_write_are_removed_with_its_file(path: Path) -> None:
    with pytest.raises(Crash), ForgetfulDisk(path.parent).watching(stop_at=2):
        DiskFiles().write(path, NEW, 0o600)
    (left,) = DiskFiles().names(path.parent)
    assert (target_of(left), target_of(path.name), target_of(".tmp")) == (path.name, path.name, "")
    DiskFiles().remove(path)
    assert DiskFiles().names(path.parent) == []


def test_reading_or_removing_a_missing_file_is_no_error(path: Path) -> None:
    assert DiskFiles().read(path) is None
    DiskFiles().remove(path)
    DiskFiles().remove(path / "of" / "a" / "missing" / "folder")


def test_a_folder_is_created_with_its_parents_and_an_existing_one_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    DiskFiles().make_folder(folder, 0o700)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "file").touch()
    DiskFiles().make_folder(folder, 0o750)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert DiskFiles().names(folder) == ["file"]


def test_a_folder_is_removed_with_what_is_in_it_and_no_folder_is_no_error(tmp_path: Path) -> None:
    folder, stray = tmp_path / "a", tmp_path / "stray"
    DiskFiles().make_folder(folder / "b", 0o750)
    DiskFiles().write(folder / "b" / "c", NEW, 0o600)
    DiskFiles().write(stray, OLD, 0o600)
    for path in (folder, folder, stray):
        DiskFiles().remove_folder(path)
    assert list(tmp_path.iterdir()) == [stray]


def test_names_are_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert DiskFiles().names(tmp_path) == ["a", "b", "c"]


def test_each_file_that_is_set_aside_keeps_a_name_of_its_own(path: Path) -> None:
    asides = []
    for data in (b"first", b"second"):
        path.write_bytes(data)
        asides.append(set_aside(DiskFiles(), path))
        assert not path.exists()
    assert [aside.read_bytes() for aside in asides] == [b"first", b"second"]
    assert all(aside.suffix not in {".json", ".yaml"} for aside in asides)
