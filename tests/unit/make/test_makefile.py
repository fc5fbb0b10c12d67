"""The Makefile: its help, and what deploy and undeploy ask of kind, docker, kubectl and helm."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STAND_IN = """#!/usr/bin/env bash
printf '%s' "$(basename "$0")" >>"$CALLS"; printf ' %q' "$@" >>"$CALLS"; echo >>"$CALLS"
case "$(basename "$0") $*" in
  'kind get clusters') echo "$CLUSTERS" ;;
  'docker images '*) echo sha256:1234 ;;
esac
"""
HELM = "helm upgrade -i --wait --timeout=3m --kube-context=kind-fake-dra-driver-cluster --create-namespace"


class Machine:
    """A PATH on which the tools only write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.calls_file = folder / "calls"
        self.binaries = folder / "bin"
        self.binaries.mkdir()
        for name in ("kind", "docker", "kubectl", "helm", "git"):
            (self.binaries / name).write_text(STAND_IN)
            (self.binaries / name).chmod(0o755)

    def make(self, *arguments: str, clusters: str = "") -> str:
        """Runs make; returns what it printed."""
        environment = {
            "PATH": f"{self.binaries}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "CLUSTERS": clusters,
            "SOURCE_DATE_EPOCH": "1",
        }
        self.calls_file.write_text("")
        command = ["make", "--directory", str(ROOT), "--no-print-directory", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    def changes(self) -> list[str]:
        """The calls that change something."""
        asking = ("kind get", "docker images", "docker info", "docker manifest", "git", "kubectl --context")
        calls = [line for line in self.calls_file.read_text().splitlines() if not line.startswith(asking)]
        return [" ".join(shlex.split(call)) for call in calls]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without kind and docker."""
    return Machine(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_lists_every_target(machine: Machine, arguments: list[str]) -> None:
    printed = machine.make(*arguments)
    text = (ROOT / "Makefile").read_text()
    targets = [line.split()[1] for line in text.splitlines() if line.startswith(".PHONY:")]
    assert {"generate", "check", "test", "image", "deploy", "undeploy", "e2e", "e2e-all"} <= set(targets)
    assert all(f"\n  {target} " in f"\n{printed}" for target in targets)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("variables", "flags"),
    [([], ""), (["KEEP=1"], "--keep"), (["KUBERNETES=1.37", "KEEP=1"], "--kubernetes-version=1.37 --keep")],
)
def test_demo_has_the_cluster_that_is_asked_for(machine: Machine, variables: list[str], flags: str) -> None:
    printed = machine.make("demo", "--dry-run", "DEMO_INSTALLED=", *variables)
    assert shlex.split(printed) == [".venv/bin/fake-dra-driver", "demo", *flags.split()]


def test_deploy_makes_cluster_and_image_and_installs_the_chart(machine: Machine) -> None:
    machine.make("deploy", clusters="another-cluster")
    changes = machine.changes()
    steps = [" ".join(call.split()[:3]) for call in changes if not call.startswith("docker")]
    assert steps == ["kind create cluster", "kind load docker-image", "helm upgrade -i"]
    assert any(call.startswith("docker build ") for call in changes)


def test_deploy_into_a_cluster_that_is_there(machine: Machine) -> None:
    machine.make("deploy", "IMAGE=registry:5000/driver:v9", clusters="fake-dra-driver-cluster")
    changes = machine.changes()
    assert not [call for call in changes if call.startswith("kind create")]
    assert "kind load docker-image --name fake-dra-driver-cluster registry:5000/driver:v9" in changes
    assert changes[-1] == (
        f"{HELM} --namespace=fake-system --set=image.repository=registry:5000/driver --set=image.tag=v9 "
        "--set=controller.podAnnotations.image-id=sha256:1234 --set=kubeletPlugin.podAnnotations.image-id=sha256:1234 "
        "fake-dra-driver deployments/helm/fake-dra-driver"
    )


@pytest.mark.parametrize("target", ["deploy", "undeploy"])
def test_says_that_helm_is_missing(machine: Machine, target: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        machine.make(target, "HELM=no-helm")
    assert caught.value.stderr.startswith("no-helm is not installed. ")
    assert machine.changes() == []


def test_undeploy(machine: Machine) -> None:
    machine.make("undeploy", "KIND_CLUSTER_NAME=c", "NAMESPACE=n")
    assert machine.changes() == [
        "helm uninstall --wait --ignore-not-found --kube-context=kind-c --namespace=n fake-dra-driver"
    ]


def test_kube_tests_say_what_they_need(machine: Machine) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        machine.make("test-kube", "--assume-old=.venv/.installed", "INSTALLED=")
    assert "KUBEBUILDER_ASSETS: name the folder with etcd, kube-apiserver and kubectl" in caught.value.stderr


@pytest.mark.parametrize("target", ["e2e", "scenarios"])
def test_sample_draws_a_share(machine: Machine, target: str) -> None:
    whole = machine.make(target, "--dry-run", "INSTALLED=")
    drawn = machine.make(target, "--dry-run", "INSTALLED=", "SAMPLE=4cb6489-1.30.14")
    assert "--sample" not in whole
    assert drawn == whole.replace(f" tests/{target}", f"--sample='4cb6489-1.30.14' tests/{target}")


def test_e2e_all_takes_versions(machine: Machine) -> None:
    printed = machine.make("e2e-all", "--dry-run", "INSTALLED=", "KUBE_VERSIONS=1.27.4 1.28.0")
    assert printed == "hack/e2e-all.sh 1.27.4 1.28.0\n"
