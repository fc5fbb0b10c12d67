"""``hack/tiers.sh``, which CI and ``make e2e-all`` share: steps that fail, what is told at the end, builds behind."""

import os
import re
import select
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 20
PASSED = "========= 3 passed, 39 deselected in 12.34s ========="


def run(script: str, kube_dir: Path) -> subprocess.CompletedProcess[str]:
    """Runs a script that has sourced the tiers, as CI does."""
    whole = f"source {ROOT}/hack/tiers.sh\n{script}\n"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(kube_dir), "KUBE_DIR": str(kube_dir)}
    return subprocess.run(["bash", "-c", whole], check=False, capture_output=True, text=True, env=environment)


def result(ended: subprocess.CompletedProcess[str]) -> str:
    """What was printed at the end."""
    return ended.stdout.partition("=== result")[2]


def test_minutes_of_every_step_and_what_pytest_said_last(tmp_path: Path) -> None:
    slowest, sample = "31.20s call     tests/a.py::test_b", "SAMPLE: 3 of 42 kills"
    ended = run(
        f"""
        step "something else" echo hello
        tier "the tests" printf '%s\\n' 'tests/a.py .' '{slowest}' '{sample}' $'\\e[32m{PASSED}\\e[0m'
        finish
        """,
        tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    told = result(ended)
    assert "".join(f"the tests: {line}\n" for line in (slowest, sample, PASSED)) in told
    assert "tests/a.py ." not in told
    assert re.findall(r"^ +\d+\.\d  (.*)$", told, re.MULTILINE) == ["something else", "the tests", "in all"]
    assert told.endswith("all passed\n")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("false", ""),
        (f"sh -c 'echo \"{PASSED}\"; exit 1'", PASSED),
        ("sh -c 'echo \"FAILED tests/a.py::test_a - boo\"; exit 1'", "FAILED tests/a.py::test_a - boo"),
        ("echo '==== 3 passed, 1 skipped in 1.23s ===='", "1 skipped"),
        ("echo '==== no tests ran in 0.01s ===='", "no tests ran"),
    ],
)
def test_a_tier_that_fails_or_leaves_out_fails_the_whole_at_its_end(tmp_path: Path, command: str, reason: str) -> None:
    ended = run(f"tier bad {command}\nstep next echo reached\nfinish", tmp_path)
    assert ended.returncode == 1
    assert "\nreached\n" in ended.stdout
    assert reason in result(ended)
    assert result(ended).endswith("FAILED: bad\n")


@pytest.mark.parametrize(
    ("command", "status"), [(f"echo '{PASSED}'", 0), ("echo '== 1 skipped in 1.23s =='", 1), ("false", 1)]
)
def test_a_tier_in_the_background_counts_like_any_other(tmp_path: Path, command: str, status: int) -> None:
    ended = run(f'behind "the tests" sh -c "{command}"\nstep next echo reached\njoin\nfinish', tmp_path)
    assert ended.returncode == status, ended.stderr
    assert re.findall(r"^ +\d+\.\d  (.*)$", result(ended), re.MULTILINE) == ["next", "the tests", "in all"]
    assert ("FAILED: the tests\n" in result(ended)) is (status != 0)
    assert (f"the tests: {PASSED}\n" in result(ended)) is (PASSED in command)


def test_kubernetes_that_cannot_be_had(tmp_path: Path) -> None:
    assert run("why_no_kubernetes 1.30.14", tmp_path).stdout == f"there is no {tmp_path}/cluster\n"


def test_end_to_end_on_a_release_with_its_flags_and_variables(tmp_path: Path) -> None:
    printing = "on_cluster() { printf '%s,' \"$@\"; echo; }"
    script = f"{printing}\ne2e_on 1.30.14\ne2e_on 1.37.2 --default-gates SAMPLE=a\nscenarios_on 1.27.4 SAMPLE=b"
    script += "\nscenarios_on 1.37.2 --default-gates"
    assert run(script, tmp_path).stdout.splitlines() == [
        "e2e on 1.30.14,1.30.14,--,make,e2e,",
        "e2e on 1.37.2 --default-gates,1.37.2,--default-gates,--,make,e2e,SAMPLE=a,",
        "scenarios on 1.27.4 --static-nodes,1.27.4,--static-nodes,--,make,scenarios,SAMPLE=b,",
        "scenarios on 1.37.2 --static-nodes --default-gates,1.37.2,--static-nodes,--default-gates,--,make,scenarios,",
    ]


@pytest.mark.parametrize(
    ("version", "dra"),
    [("1.27.4", "classic"), ("1.30.14", "classic"), ("1.32.2", "beta"), ("1.33.7", "beta"), ("1.34.4", "v1")],
)
def test_what_a_release_has_of_dra(tmp_path: Path, version: str, dra: str) -> None:
    assert run(f"dra_of {version}", tmp_path).stdout == f"{dra}\n"


def kube(folder: Path, **programs: str) -> Path:
    """A KUBE_DIR with these shell scripts in it."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_waits_for_what_is_built_in_the_background(tmp_path: Path) -> None:
    folder = kube(tmp_path, build="echo /bin/helm-of-ours", cluster='echo "/assets/$3"')
    ended = run('start_build helm 1.30.14\nuse_helm\nuse_kubernetes 1.30.14\necho "$HELM $KUBEBUILDER_ASSETS"', folder)
    assert (ended.returncode, ended.stdout) == (0, "/bin/helm-of-ours /assets/1.30.14\n"), ended.stderr


def test_a_build_is_in_no_hurry_until_it_is_waited_for(tmp_path: Path) -> None:
    folder = kube(tmp_path, build="echo /bin/helm-of-ours", cluster="true", renice='echo "$2" >>"${0%/*}/calls"')
    ended = run(f"PATH={tmp_path}:$PATH\nstart_build helm 1.30.14\nwait_for helm", folder)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "calls").read_text().split() == ["19", "0", "19"]


def test_a_build_that_fails_ends_the_waiting(tmp_path: Path) -> None:
    folder = kube(tmp_path, build="echo /bin/helm-of-ours", cluster="echo cannot be compiled >&2; exit 1")
    ended = run('start_build helm 1.30.14\nuse_helm\nstep "waiting" use_kubernetes 1.30.14\nfinish', folder)
    assert ended.returncode == 1
    assert "cannot be compiled" in ended.stdout
    assert ended.stdout.endswith("FAILED: waiting\n")


@pytest.mark.parametrize("begin", ["start_build helm", 'behind "the tests" {folder}/build'])
def test_what_is_in_the_background_is_stopped_on_the_way_out(tmp_path: Path, begin: str) -> None:
    """What went on after its CI has ended would take the machine from the next one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        folder = kube(tmp_path, build=f"exec 3>{pipe}; echo started >&3; exec sleep 600")
        ended = run(f'{begin.format(folder=folder)}\nread -r line <{pipe}\necho "> $line"', folder)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.endswith("> started\n")
        readable, _, _ = select.select([descriptor], [], [], STOP_SECONDS)
        assert readable, "it still holds its end of the pipe"
        assert os.read(descriptor, 1) == b""
    finally:
        os.close(descriptor)
