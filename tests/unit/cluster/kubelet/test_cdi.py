"""From CDI device names to variables, by the files that are there at that moment."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from loguru import logger

from fake_dra_driver.cluster.kubelet.containerruntime.cdi import CdiRegistry, UnresolvedDevicesError

KIND = "example.com/device"


@pytest.fixture
def static(tmp_path: Path) -> Path:
    return tmp_path / "etc/cdi"


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    return tmp_path / "var/run/cdi"


@pytest.fixture
def registry(static: Path, dynamic: Path) -> CdiRegistry:
    return CdiRegistry((static, dynamic))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), format="{message} {extra}", level="WARNING")
    yield lines
    logger.remove(sink)


def write(
    folder: Path, name: str, devices: Mapping[str, list[str]], *, env: list[str] | None = None, **more: object
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "cdiVersion": "0.3.0",
        "kind": KIND,
        "devices": [{"name": device, "containerEdits": {"env": variables}} for device, variables in devices.items()],
        **({"containerEdits": {"env": env}} if env else {}),
        **more,
    }
    path = folder / name
    path.write_text(yaml.safe_dump(spec))
    return path


async def test_nothing_is_read_for_a_container_without_devices(registry: CdiRegistry) -> None:
    assert (await registry.edits([])).env == {}


async def test_variables_come_in_order_and_a_specification_gives_its_own_once(
    registry: CdiRegistry, dynamic: Path
) -> None:
    write(dynamic, "a.yaml", {"a0": ["X=a0", "A=1"], "a1": ["X=a1"]}, env=["X=spec", "SPEC=a=b"])
    write(dynamic, "b.yaml", {"b0": ["X=b0", "B="]})
    assert (await registry.edits([f"{KIND}=a0", f"{KIND}=a1"])).env == {"X": "a1", "SPEC": "a=b", "A": "1"}
    environment = (await registry.edits([f"{KIND}=b0", f"{KIND}=a1"])).env
    assert list(environment.items()) == [("X", "a1"), ("B", ""), ("SPEC", "a=b")]


async def test_json_files_are_read_too(registry: CdiRegistry, static: Path) -> None:
    spec = write(static, "a.yaml", {"a0": ["A=1"]})
    spec.with_suffix(".json").write_text(json.dumps(yaml.safe_load(spec.read_text())))
    spec.unlink()
    assert (await registry.edits([f"{KIND}=a0"])).env == {"A": "1"}


async def test_a_name_that_no_file_defines_is_named_with_the_folders(
    registry: CdiRegistry, static: Path, dynamic: Path
) -> None:
    write(dynamic, "a.yaml", {"a": ["A=1"]})
    with pytest.raises(UnresolvedDevicesError) as raised:
        await registry.edits([f"{KIND}=a", f"{KIND}=b", "other/x=a"])
    assert str(raised.value) == (
        f"unresolvable CDI devices {KIND}=b, other/x=a: no valid file in {static} or {dynamic} defines them"
    )


async def test_two_files_of_one_folder_that_define_one_device_are_in_conflict(
    registry: CdiRegistry, dynamic: Path
) -> None:
    one = write(dynamic, "a.yaml", {"a": ["A=1"], "only": ["ONLY=1"]})
    two = write(dynamic, "b.yaml", {"a": ["A=2"]})
    with pytest.raises(UnresolvedDevicesError) as raised:
        await registry.edits([f"{KIND}=a"])
    assert str(raised.value) == f"unresolvable CDI devices {KIND}=a: {KIND}=a is in conflict: {one} and {two} define it"
    assert (await registry.edits([f"{KIND}=only"])).env == {"ONLY": "1"}


async def test_a_later_folder_wins(registry: CdiRegistry, static: Path, dynamic: Path) -> None:
    write(static, "a.yaml", {"a": ["A=static"]})
    write(static, "b.yaml", {"a": ["A=static"]})
    write(dynamic, "a.yaml", {"a": ["A=dynamic"]})
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "dynamic"}


async def test_files_are_read_again_each_time(registry: CdiRegistry, dynamic: Path) -> None:
    path = write(dynamic, "a.yaml", {"a": ["A=1"]})
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "1"}
    write(dynamic, "a.yaml", {"a": ["A=changed"]})
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "changed"}
    path.unlink()
    with pytest.raises(UnresolvedDevicesError):
        await registry.edits([f"{KIND}=a"])


BROKEN = {
    "no YAML": "cdiVersion: [",
    "not a mapping": "- a",
    "empty": "",
    "no kind": "{cdiVersion: 0.3.0, devices: []}",
    "unknown version": "{cdiVersion: 9.9.9, kind: a.com/b, devices: []}",
    "unknown field": "{cdiVersion: 0.3.0, kind: a.com/b, devices: [], more: 1}",
    "bad kind": "{cdiVersion: 0.3.0, kind: b, devices: []}",
    "bad device name": "{cdiVersion: 0.5.0, kind: a.com/b, devices: [{name: -a, containerEdits: {env: [A=1]}}]}",
    "empty edits": "{cdiVersion: 0.3.0, kind: a.com/b, devices: [{name: a, containerEdits: {}}]}",
    "bad variable": "{cdiVersion: 0.3.0, kind: a.com/b, devices: [{name: a, containerEdits: {env: [A]}}]}",
    "device twice": "{cdiVersion: 0.3.0, kind: a.com/b, devices: &d [&a {name: a, containerEdits: {env: [A=1]}}, *a]}",
    "digit before 0.5.0": "{cdiVersion: 0.4.0, kind: a.com/b, devices: [{name: 1, containerEdits: {env: [A=1]}}]}",
    "quoted digit": "{cdiVersion: 0.4.0, kind: a.com/b, devices: [{name: '1', containerEdits: {env: [A=1]}}]}",
    "class with a dot before 0.6.0": "{cdiVersion: 0.5.0, kind: a.com/b.c, devices: []}",
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_of_another_vendor_is_ignored_with_a_line_in_the_log(
    registry: CdiRegistry, dynamic: Path, logged: list[str], content: str | bytes
) -> None:
    write(dynamic, "good.yaml", {"a": ["A=1"]})
    broken = dynamic / "broken.yaml"
    broken.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "1"}
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "1"}
    (line,) = logged
    assert "Broken CDI file ignored" in line
    assert str(broken) in line


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "It is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "It is not a regular file"),
        (lambda path: path.write_bytes(bytes(5 * 1024**2)), "more than 4194304 bytes"),
    ],
    ids=["a FIFO", "a device", "a large file"],
)
async def test_a_file_that_would_be_read_for_ever_is_ignored_with_a_line_in_the_log(
    registry: CdiRegistry, dynamic: Path, logged: list[str], make: Callable[[Path], None], problem: str
) -> None:
    write(dynamic, "good.yaml", {"a": ["A=1"]})
    make(dynamic / "endless.json")
    (dynamic / "circle.yaml").symlink_to(dynamic / "circle.yaml")
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "1"}
    (line,) = logged
    assert problem in line


async def test_what_is_no_specification_by_its_name_is_not_read(
    registry: CdiRegistry, dynamic: Path, logged: list[str]
) -> None:
    write(dynamic, "good.yaml", {"a": ["A=1"]})
    (dynamic / "half-written.yaml.tmp").write_text("{")
    (dynamic / "folder.d").mkdir()
    assert (await registry.edits([f"{KIND}=a"])).env == {"A": "1"}
    assert logged == []


async def test_edits_that_a_process_cannot_have_are_noted(registry: CdiRegistry, dynamic: Path) -> None:
    edits: dict[str, list[Any]] = {
        "env": ["A=1"],
        "deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/y"}],
        "mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "bind"}],
        "hooks": [{"hookName": "createContainer", "path": "/bin/true"}],
        "additionalGids": [5],
    }
    path = write(dynamic, "a.yaml", {"a": ["A=0"]}, cdiVersion="0.7.0")
    spec = yaml.safe_load(path.read_text())
    spec["devices"][0]["containerEdits"] = edits
    path.write_text(yaml.safe_dump(spec))
    found = await registry.edits([f"{KIND}=a"])
    assert found.env == {"A": "1"}
    assert [*found.device_nodes, *found.mounts, *found.hooks] == [
        *edits["deviceNodes"],
        *edits["mounts"],
        *edits["hooks"],
    ]
