"""The demo scripts, with stand-ins for docker, kind and git that write down how they are called."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver import __version__

PROJECT = Path(__file__).parents[2]
SCRIPTS = sorted([*PROJECT.glob("demo/*.sh"), *PROJECT.glob("demo/scripts/*.sh"), *PROJECT.glob("hack/*.sh")])

STAND_IN = """#!/usr/bin/env python3
import json, os, pathlib, sys
state = pathlib.Path(os.environ["STAND_IN_STATE"])
call = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with (state / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
if call[-1] == "-":
    (state / "input").write_text(sys.stdin.read())
for words, (code, text) in json.loads((state / "answers").read_text()).items():
    if " ".join(call).startswith(words):
        print(text, end="", file=sys.stderr if code else sys.stdout)
        sys.exit(code)
"""


class Machine:
    """A PATH on which docker, kind and git only write down what they are asked to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, tuple[int, str]] = {}
        """By the beginning of a call: exit status and output. The default is 0 and nothing."""
        self._binaries = folder / "bin"
        self._binaries.mkdir()
        for name in ("docker", "kind", "git"):
            (self._binaries / name).write_text(STAND_IN)
            (self._binaries / name).chmod(0o755)
        self.environment = {
            "PATH": f"{self._binaries}:{os.environ['PATH']}",
            "STAND_IN_STATE": str(folder),
            "SOURCE_DATE_EPOCH": "1700000000",
        }

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a script from a folder that is not the project's."""
        (self.folder / "answers").write_text(json.dumps(self.answers))
        (self.folder / "calls").write_text("")
        return subprocess.run(
            [PROJECT / "demo" / script],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def remove(self, *programs: str) -> None:
        """Makes a machine without these programs, which has nothing else but what scripts need."""
        for name in programs:
            (self._binaries / name).unlink()
        for name in ("bash", "basename", "dirname", "env", "git", "grep", "sed"):
            found = shutil.which(name)
            assert found is not None
            (self._binaries / name).unlink(missing_ok=True)
            (self._binaries / name).symlink_to(found)
        self.environment["PATH"] = str(self._binaries)

    def input(self) -> Any:
        """What the last call that reads standard input got there."""
        return yaml.safe_load((self.folder / "input").read_text())

    def calls(self, *programs: str) -> list[list[str]]:
        """The calls of these programs that change something, in order."""
        asking = ("images", "info", "manifest", "get", "rev-parse", "log")
        calls = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        return [call for call in calls if call[0] in programs and call[1] not in asking]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


CREATE = [
    "kind",
    "create",
    "cluster",
    "--retain",
    "--name",
    "fake-dra-driver-cluster",
    "--image",
    "kindest/node:v1.36.1",
]
IMAGE = f"fake-dra-driver:v{__version__}"
LOAD = ["kind", "load", "docker-image", "--name", "fake-dra-driver-cluster", IMAGE]


CLUSTER = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}


def green(text: str) -> str:
    return f"\033[0;32m{text}\033[0m\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_scripts_are_clean_and_runnable(script: Path) -> None:
    runnable = bool(script.stat().st_mode & stat.S_IXUSR)
    assert runnable is script.read_text().startswith("#!"), "files without an interpreter are sourced"
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", "-x", script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_build_driver_builds_the_image(machine: Machine) -> None:
    done = machine.run("build-driver.sh")
    assert done.returncode == 0, done.stderr
    (build,) = machine.calls("docker", "kind")
    assert build[:2] == ["docker", "build"]
    assert build[build.index("--tag") + 1] == IMAGE
    assert "SOURCE_DATE_EPOCH=1700000000" in build
    assert "--platform" not in build
    assert build[-1] == "."
    assert done.stdout == green(f"Driver build complete: {IMAGE}")


def test_build_driver_loads_the_image_into_the_cluster_that_exists(machine: Machine) -> None:
    machine.answers["kind get clusters"] = (0, "other\nfake-dra-driver-cluster\n")
    assert machine.run("build-driver.sh").returncode == 0
    assert machine.calls("kind") == [LOAD]


def test_build_driver_is_not_fooled_by_a_cluster_of_a_similar_name(machine: Machine) -> None:
    machine.answers["kind get clusters"] = (0, "my-fake-dra-driver-cluster\nfake-dra-driver-cluster2\n")
    assert machine.run("build-driver.sh").returncode == 0
    assert machine.calls("kind") == []


def test_build_driver_takes_its_settings_from_the_environment(machine: Machine) -> None:
    machine.answers["kind get clusters"] = (0, "c\n")
    done = machine.run(
        "build-driver.sh",
        DRIVER_IMAGE_NAME="registry.example.com/fake",
        DRIVER_IMAGE_TAG="v9",
        DRIVER_IMAGE_PLATFORM="linux/arm64",
        KIND_CLUSTER_NAME="c",
        BASE_IMAGE="python:3.12-slim",
        PIP_INDEX_URL="https://mirror.example.com/simple",
    )
    assert done.returncode == 0, done.stderr
    build, load = machine.calls("docker", "kind")
    assert build[build.index("--tag") + 1] == "registry.example.com/fake:v9"
    assert build[build.index("--platform") + 1] == "linux/arm64"
    assert {"BASE_IMAGE", "PIP_INDEX_URL"} <= set(build), "docker takes the values from the environment"
    assert load == ["kind", "load", "docker-image", "--name", "c", "registry.example.com/fake:v9"]
    assert done.stdout == green("Driver build complete: registry.example.com/fake:v9")


def test_a_failed_build_is_a_failure(machine: Machine) -> None:
    machine.answers["docker build"] = (3, "")
    machine.answers["kind get clusters"] = (0, "fake-dra-driver-cluster\n")
    done = machine.run("build-driver.sh")
    assert done.returncode == 3
    assert machine.calls("kind") == []
    assert "complete" not in done.stdout


def test_create_cluster_takes_the_published_node_image(machine: Machine) -> None:
    done = machine.run("create-cluster.sh")
    assert done.returncode == 0, done.stderr
    (create,) = machine.calls("kind", "docker", "git")
    assert create[: len(CREATE)] == CREATE
    assert create[-2:] == ["--config", "-"]
    assert machine.input() == {**CLUSTER, "nodes": [{"role": "control-plane"}, {"role": "worker"}]}
    assert done.stdout == green("Cluster creation complete: fake-dra-driver-cluster")


@pytest.mark.parametrize(
    ("tag", "served"),
    [
        ("v1.27.16", ["v1alpha2"]),
        ("v1.30.13", ["v1alpha2"]),
        ("v1.32.2", ["v1beta1"]),
        ("v1.33.1", ["v1beta1", "v1beta2"]),
    ],
)
def test_create_cluster_switches_dra_on_where_it_is_off(machine: Machine, tag: str, served: list[str]) -> None:
    done = machine.run("create-cluster.sh", KIND_K8S_TAG=tag)
    assert done.returncode == 0, done.stderr
    (create,) = machine.calls("kind")
    assert f"kindest/node:{tag}" in create
    config = machine.input()
    assert config["featureGates"] == {"DynamicResourceAllocation": True}
    assert config["runtimeConfig"] == {f"resource.k8s.io/{version}": "true" for version in served}
    (containerd,) = config["containerdConfigPatches"]
    assert containerd.count("enable_cdi = true") == 2


@pytest.mark.parametrize("tag", ["v1.34.0", "v1.37.2", "v1.40.0"])
def test_create_cluster_leaves_alone_what_has_dra_on(machine: Machine, tag: str) -> None:
    assert machine.run("create-cluster.sh", KIND_K8S_TAG=tag).returncode == 0
    assert machine.input().keys() == {"kind", "apiVersion", "nodes"}


@pytest.mark.parametrize("tag", ["v1.26.15", "v1.31.0", "1.34.0", "latest"])
def test_create_cluster_says_for_which_versions_it_is(machine: Machine, tag: str) -> None:
    done = machine.run("create-cluster.sh", KIND_K8S_TAG=tag)
    assert done.returncode == 1
    assert (
        f"There is no DRA for this driver in KIND_K8S_TAG={tag}: take v1.27 to v1.30, or v1.32 or later.\n"
        in done.stderr
    )
    assert machine.calls("kind") == []


def test_create_cluster_takes_a_configuration_of_ones_own(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Cluster\nname: mine\n")
    done = machine.run("create-cluster.sh", KIND_CLUSTER_CONFIG_PATH=str(tmp_path / "mine.yaml"))
    assert done.returncode == 0, done.stderr
    assert machine.input() == {"kind": "Cluster", "name": "mine"}


def test_create_cluster_loads_an_image_that_was_built_before(machine: Machine) -> None:
    machine.answers[f"docker images --quiet -- {IMAGE}"] = (0, "0123456789ab\n")
    assert machine.run("create-cluster.sh").returncode == 0
    create, load = machine.calls("kind")
    assert create[: len(CREATE)] == CREATE
    assert load == LOAD


def test_create_cluster_builds_a_node_image_that_is_not_published(machine: Machine) -> None:
    machine.answers["docker manifest inspect"] = (1, "no such manifest: docker.io/kindest/node:v1.29.15\n")
    done = machine.run("create-cluster.sh", KIND_K8S_TAG="v1.29.15", KIND_K8S_REPO="https://git.example.com/k8s")
    assert done.returncode == 0, done.stderr
    clone, build, create = machine.calls("kind", "git")
    assert clone[:6] == ["git", "clone", "--depth", "1", "--branch", "v1.29.15"]
    assert clone[-2] == "https://git.example.com/k8s"
    assert build == ["kind", "build", "node-image", "--image", "kindest/node:v1.29.15", clone[-1]]
    assert not Path(clone[-1]).parent.exists(), "the sources are gone"
    assert "kindest/node:v1.29.15" in create


def test_a_registry_that_cannot_be_reached_is_no_reason_to_build_kubernetes(machine: Machine) -> None:
    machine.answers["docker manifest inspect"] = (1, "error pinging v2 registry: dial tcp: no such host\n")
    assert machine.run("create-cluster.sh").returncode == 0
    assert [call[:2] for call in machine.calls("kind", "git")] == [["kind", "create"]]


@pytest.mark.parametrize("script", ["build-driver.sh", "create-cluster.sh", "delete-cluster.sh"])
def test_says_which_tools_are_missing_and_where_to_get_them(machine: Machine, script: str) -> None:
    machine.remove("docker", "kind")
    done = machine.run(script)
    assert done.returncode == 1
    missing = {
        "docker is not installed. Get it from https://docs.docker.com/engine/install/",
        "kind is not installed. Get it from https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    }
    if script == "build-driver.sh":
        missing = {line for line in missing if line.startswith("docker")}
    assert set(done.stderr.splitlines()) == missing
    assert machine.calls("docker", "kind", "git") == []


def test_says_that_docker_does_not_run(machine: Machine) -> None:
    machine.answers["docker info"] = (1, "Cannot connect to the Docker daemon\n")
    done = machine.run("create-cluster.sh")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "docker is installed, but its daemon does not answer: start it, or see what 'docker info' says\n"
    )
    assert machine.calls("docker", "kind", "git") == []


def test_a_base_image_of_ones_own_means_building_the_node_image(machine: Machine) -> None:
    assert machine.run("create-cluster.sh", KIND_IMAGE_BASE="base:1", KIND_IMAGE="node:1").returncode == 0
    _, build, _ = machine.calls("kind", "git")
    assert build[:7] == ["kind", "build", "node-image", "--image", "node:1", "--base-image", "base:1"]


def test_a_node_image_that_is_here_is_neither_built_nor_looked_for(machine: Machine) -> None:
    machine.answers["docker images --quiet -- node:1"] = (0, "0123456789ab\n")
    machine.answers["docker manifest inspect"] = (1, "no such manifest: docker.io/library/node:1\n")
    assert machine.run("create-cluster.sh", KIND_IMAGE="node:1", KIND_IMAGE_BASE="base:1").returncode == 0
    ((program, verb, *_),) = machine.calls("kind", "git")
    assert (program, verb) == ("kind", "create")


def test_a_cluster_that_cannot_be_created_is_a_failure(machine: Machine) -> None:
    machine.answers["kind create cluster"] = (1, "")
    machine.answers[f"docker images --quiet -- {IMAGE}"] = (0, "0123456789ab\n")
    done = machine.run("create-cluster.sh")
    assert done.returncode == 1
    assert len(machine.calls("kind")) == 1
    assert "complete" not in done.stdout


def test_delete_cluster_deletes_it(machine: Machine) -> None:
    done = machine.run("delete-cluster.sh", KIND_CLUSTER_NAME="c")
    assert done.returncode == 0, done.stderr
    assert machine.calls("kind", "docker") == [["kind", "delete", "cluster", "--name", "c"]]
    assert done.stdout == green("Cluster deletion complete: c")
