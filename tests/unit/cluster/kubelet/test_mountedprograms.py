"""Programs that devices mount into containers."""

from pathlib import Path

from fake_dra_driver.cluster.kubelet.containersetup.mountedprograms import link_programs


def mount(path: Path, container_path: str) -> dict[str, str]:
    return {"hostPath": str(path), "containerPath": container_path}


def test_programs_are_linked_and_nothing_else(tmp_path: Path) -> None:
    old, new, text = (tmp_path / name for name in ("old", "new", "text"))
    for path, mode in ((old, 0o755), (new, 0o755), (text, 0o644)):
        path.touch()
        path.chmod(mode)
    mounts = [
        mount(old, "/usr/bin/smi"),
        mount(new, "/usr/bin/smi"),
        mount(text, "/usr/bin/text"),
        mount(new, "/etc/smi"),
        mount(tmp_path / "missing", "/bin/missing"),
    ]
    folder = tmp_path / "a" / "programs"
    assert link_programs(mounts, folder)
    assert link_programs(mounts, folder), "again, after an attempt that got no further"
    assert {path.name: path.readlink() for path in folder.iterdir()} == {"smi": new}


def test_without_programs_there_is_no_folder(tmp_path: Path) -> None:
    assert not link_programs([mount(tmp_path, "/etc/x")], tmp_path / "programs")
    assert not (tmp_path / "programs").exists()
