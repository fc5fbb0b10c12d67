"""Commands that the demo runs, and those that it proposes, as a person would type them."""

import sys
from pathlib import Path

import pytest

from fake_dra_driver.cluster import ClusterError
from fake_dra_driver.demo.command import Program, run_command, typed_path
from fake_dra_driver.demo.manifests import Manifests
from fake_dra_driver.demo.walk import what_next


async def test_what_a_command_prints_and_why_it_fails() -> None:
    assert await run_command(["sh", "-c", "echo out; echo problem >&2"], "a command") == "problem\nout\n"
    with pytest.raises(ClusterError, match=r"^a command failed: no such thing$"):
        await run_command(["sh", "-c", "echo no such thing >&2; exit 1"], "a command")
    with pytest.raises(ClusterError, match=r"^a command failed: status 3$"):
        await run_command(["sh", "-c", "exit 3"], "a command")


async def test_the_program_on_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=rf"(?s)^driver status failed: .*{tmp_path}/kubeconfig"):
        await Program("driver", tmp_path / "kubeconfig").run("status")


def test_paths_are_typed_from_the_working_directory_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed_path(tmp_path / "demo") == "demo"
    assert typed_path(Path("/elsewhere")) == "/elsewhere"
    assert typed_path(tmp_path / "my demo") == "'my demo'"


def test_how_the_program_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert Program.find(tmp_path).typed == ".venv/bin/python -m fake_dra_driver"
    (binaries / "fake-dra-driver").touch(0o755)
    assert Program.find(tmp_path).typed == ".venv/bin/fake-dra-driver"
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    assert Program.find(tmp_path).typed == "fake-dra-driver"


@pytest.mark.parametrize(
    ("has_kubectl", "last"),
    [
        (True, "  kubectl apply --filename=demo/fake-test4.yaml"),
        (False, "With kubectl, which is not installed here, also: kubectl apply --filename=demo/fake-test4.yaml"),
    ],
)
def test_what_can_be_typed_while_the_cluster_stays_up(has_kubectl: bool, last: str) -> None:
    driver, manifests = Program(".venv/bin/fake-dra-driver", Path("/tmp/fdd/kubeconfig")), Manifests(Path(), "demo")
    lines = what_next(driver, manifests, has_kubectl=has_kubectl).splitlines()
    assert [line for line in lines if line.startswith("  ")][:2] == [
        "  export KUBECONFIG=/tmp/fdd/kubeconfig",
        "  .venv/bin/fake-dra-driver status",
    ]
    assert lines[-1] == last
