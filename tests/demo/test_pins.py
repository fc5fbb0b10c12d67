"""What is fetched from elsewhere is named so that it cannot become another: by commit, digest, version or hash."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
WORKFLOWS = sorted((PROJECT / ".github/workflows").iterdir())
COMMANDS = [
    PROJECT / name
    for name in ("Dockerfile", "Makefile", ".ci/run", "README.md", "CONTRIBUTING.md", "SECURITY.md")
    if (PROJECT / name).exists()
]
SCRIPTS = sorted(path for folder in ("hack", "demo") for path in (PROJECT / folder).rglob("*.sh"))
COMMANDS += [*WORKFLOWS, *SCRIPTS, *sorted((PROJECT / "docs").glob("*.md"))]

FILES_THAT_INSTALL = [*WORKFLOWS, *SCRIPTS, PROJECT / "Dockerfile", PROJECT / "Makefile"]

ACTION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
VERSION = re.compile(r"v\d+\.\d+\.\d+(-[\w.]+)?")
BY_TAG = {"busybox:1.37", "kindest/node", "fake-dra-driver"}
"""Images that are named by tag: what the demo's pods run, which works with any busybox; kind's node image, whose tag
people choose, and which the workflow names by digest; and the image that is built here."""

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
every_command = pytest.mark.parametrize("file", COMMANDS, ids=lambda path: str(path.relative_to(PROJECT)))


@every_workflow
def test_actions_are_named_by_commit_with_the_version_beside_it(workflow: Path) -> None:
    used = re.findall(r"^ *(?:- )?uses: *(.*)$", workflow.read_text(), re.MULTILINE)
    assert used
    for each in used:
        assert ACTION.fullmatch(each), each


def test_an_action_has_one_commit_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for workflow in WORKFLOWS:
        for name, pin in re.findall(r"uses: ([^@\s]+)@(.*)", workflow.read_text()):
            pins.setdefault(name, set()).add(pin)
    assert {name: pin for name, pin in pins.items() if len(pin) > 1} == {}


@every_workflow
def test_images_in_a_workflow_are_named_by_digest(workflow: Path) -> None:
    text = workflow.read_text()
    for image in re.findall(r"(?:image[=:] ?|generator=|docker://)((?:[\w.-]+/)+[\w.-]+(?::[\w.-]+)?(?:@\S+)?)", text):
        assert re.search(r"@sha256:[0-9a-f]{64}$", image), image
    for job in yaml.safe_load(text)["jobs"].values():
        assert "container" not in job
        assert "services" not in job
        for version in job.get("strategy", {}).get("matrix", {}).get("include", ()):
            if "digest" in version:
                assert re.fullmatch("sha256:[0-9a-f]{64}", version["digest"])
        if "KIND_IMAGE" in job.get("env", {}):
            assert job["env"]["KIND_IMAGE"].endswith("@${{ matrix.digest }}")


def test_the_base_image_is_named_by_digest() -> None:
    [base] = re.findall(r"^ARG BASE_IMAGE=(.*)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.13-slim@sha256:[0-9a-f]{64}", base)


def images_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("image"), str):
            yield value["image"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from images_of(each)


@pytest.mark.parametrize("manifest", sorted((PROJECT / "demo").rglob("fake-test*.yaml")), ids=lambda path: path.stem)
def test_images_of_the_demo_have_a_version(manifest: Path) -> None:
    found = {image for each in yaml.safe_load_all(manifest.read_text()) for image in images_of(each)}
    assert found
    assert found <= BY_TAG


@every_command
def test_programs_of_go_are_installed_by_version(file: Path) -> None:
    for version in re.findall(r"\bgo (?:install|run|get) [^\s@`\"']+@([^\s`\"')]+)", file.read_text()):
        assert VERSION.fullmatch(version) or version.startswith(("$", "v$")), version


@every_command
def test_no_script_from_the_network_is_run(file: Path) -> None:
    text = re.sub(r"\\\n", " ", file.read_text())
    assert not re.search(r"(curl|wget)[^\n|]*\|\s*(sudo )?(ba|z|da)?sh\b", text)
    assert not re.search(r"(ba)?sh <\(\s*(curl|wget)", text)


INSTALLS = re.compile(r"-m pip\b.* install\b|\bpip install\b|\bpip_install -")


@pytest.mark.parametrize("file", FILES_THAT_INSTALL, ids=lambda path: path.name)
def test_pip_installs_only_what_has_a_hash_or_is_here(file: Path) -> None:
    lines = re.sub(r"\\\n\s*", "", file.read_text()).splitlines()
    calls = [call for line in lines if not line.startswith("#") for call in re.split("&&|;", line)]
    for call in filter(INSTALLS.search, calls):
        begins_a_call = "install=(" in call  # hack/venv.sh: what pip_install adds its arguments to
        assert begins_a_call or "--require-hashes" in call or "--no-index" in call, call


def test_tools_that_ci_fetches_have_a_version() -> None:
    jobs = [job for file in WORKFLOWS for job in yaml.safe_load(file.read_text())["jobs"].values()]
    assert {job["runs-on"] for job in jobs} == {"ubuntu-24.04"}
    for step in (step for job in jobs for step in job["steps"]):
        settings, action = step.get("with", {}), step.get("uses", "").partition("@")[0]
        if action == "helm/kind-action":
            assert VERSION.fullmatch(settings["version"])
        if action == "actions/setup-go":
            assert re.fullmatch(r"\d+\.\d+(\.\d+)?", settings["go-version"])


# --- What renews and audits them -------------------------------------------------------------------------------------


def stub(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def a_copy(folder: Path, *names: str) -> Path:
    """A source tree with only these files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    return folder


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{script.parent}:/usr/bin:/bin"}
    return subprocess.run([script, *arguments], env=path | environment, capture_output=True, text=True, check=False)


def test_a_vulnerability_is_accepted_only_until_its_day(tmp_path: Path) -> None:
    tree = a_copy(tmp_path, "hack/audit.sh", "requirements.lock", "requirements-build.lock")
    accepted = ("# comment", "", "PYSEC-1 2999-01-01 no fix yet", "PYSEC-2 2001-01-01 was late")
    (tree / "hack/audit-accepted.txt").write_text("\n".join(accepted) + "\n")
    audit = stub(tmp_path / "pip-audit", 'echo "$@"; case "$*" in *build.lock) exit 1 ;; esac')
    done = run(tree / "hack/audit.sh", PIP_AUDIT=str(audit))
    calls = [line for line in done.stdout.splitlines() if line.startswith("--")]
    assert [call.split()[-1] for call in calls] == ["requirements-build.lock", "requirements.lock"]
    assert all("--strict" in call and "--ignore-vuln PYSEC-1" in call and "PYSEC-2" not in call for call in calls)
    assert "PYSEC-2 was accepted until 2001-01-01 (was late), and is a finding again." in done.stdout
    assert done.returncode == 1, "a finding in one of the files"
    (tree / "hack/audit-accepted.txt").write_text("PYSEC-1\n")
    assert "PYSEC-1 has no day and no reason" in run(tree / "hack/audit.sh", PIP_AUDIT=str(audit)).stderr


def test_the_digest_of_the_base_image_is_renewed(tmp_path: Path) -> None:
    tree = a_copy(tmp_path, "hack/base-image.sh", "Dockerfile")
    digest = f"sha256:{'0' * 64}"
    stub(tree / "hack/docker", f"echo {digest}")
    checked = run(tree / "hack/base-image.sh", "--check")
    assert checked.returncode == 1
    assert f"python:3.13-slim has been renewed, and is {digest} now" in checked.stderr
    assert run(tree / "hack/base-image.sh").returncode == 0
    changed = (tree / "Dockerfile").read_text().splitlines()
    assert set(changed) - set((PROJECT / "Dockerfile").read_text().splitlines()) == {
        f"ARG BASE_IMAGE=docker.io/library/python:3.13-slim@{digest}"
    }
    assert run(tree / "hack/base-image.sh", "--check").returncode == 0
    stub(tree / "hack/docker", "echo nonsense")
    assert run(tree / "hack/base-image.sh").returncode == 1


def test_a_released_chart_names_the_image_by_its_digest(tmp_path: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    helm = stub(tmp_path / "helm", 'cp -R "$4" "$3/chart"; touch "$3/fake-dra-driver-1.tgz"; echo packaged')
    script = PROJECT / "hack/package-chart.sh"
    done = run(script, "ghcr.io/example/fake-dra-driver", digest, str(tmp_path), HELM=str(helm))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/fake-dra-driver-1.tgz\n")
    image = yaml.safe_load((tmp_path / "chart/values.yaml").read_text())["image"]
    assert (image["repository"], image["digest"]) == ("ghcr.io/example/fake-dra-driver", digest)
    assert run(script, "x", "sha256:1", str(tmp_path), HELM=str(helm)).returncode == 1
