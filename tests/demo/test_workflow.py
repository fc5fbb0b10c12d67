"""The GitHub Actions workflows run the commands of a developer's machine, and may do no more than they have to."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
FILES = {path.stem: path for path in sorted((PROJECT / ".github/workflows").iterdir())}
WORKFLOWS = {name: yaml.safe_load(path.read_text()) for name, path in FILES.items()}
CI = WORKFLOWS["ci"]

JOBS = [
    pytest.param(job, id=f"{file} {name}")
    for file, workflow in WORKFLOWS.items()
    for name, job in workflow["jobs"].items()
]
every_job = pytest.mark.parametrize("job", JOBS)
every_workflow = pytest.mark.parametrize("name", WORKFLOWS)

WRITES = {
    ("release", "image"): {"packages", "id-token", "attestations"},
    ("release", "chart"): {"packages", "id-token", "attestations"},
    ("release", "package"): {"id-token", "attestations"},
    ("release", "notes"): {"contents"},
}
"""The jobs that may write anything, by workflow and name."""


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def commands(workflow: dict[str, Any]) -> list[str]:
    return [line.strip() for step in steps(workflow) for line in step.get("run", "").splitlines()]


def test_ci_runs_every_tier() -> None:
    assert {line for line in commands(CI) if line.startswith("make ")} == {
        "make install",
        "make check",
        "make package",
        "make test",
        "make deploy",
        "make e2e",
    }


@every_workflow
def test_nothing_is_installed_beside_the_lock_files(name: str) -> None:
    assert not any("pip " in line for line in commands(WORKFLOWS[name]))


@every_workflow
def test_a_job_may_only_do_what_is_said_there(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    for job_name, job in workflow["jobs"].items():
        writes = dict.fromkeys(WRITES.get((name, job_name), ()), "write")
        assert job["permissions"] == {"contents": "read"} | writes


def test_who_can_open_a_pull_request_gets_no_secret() -> None:
    for name, workflow in WORKFLOWS.items():
        triggers = workflow[True]  # YAML 1.1 takes `on` for a truth value
        assert "pull_request_target" not in triggers
        assert "workflow_run" not in triggers
        if "pull_request" in triggers:
            assert "secrets." not in FILES[name].read_text()


def test_a_release_uses_no_cache() -> None:
    """Jobs of less trusted workflows can write to it."""
    assert "cache" not in yaml.safe_dump(WORKFLOWS["release"]["jobs"])


@every_job
def test_every_job_has_a_deadline(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 60


@every_job
def test_no_checkout_leaves_its_token_behind(job: dict[str, Any]) -> None:
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@every_job
def test_no_script_has_a_text_of_others_pasted_into_it(job: dict[str, Any]) -> None:
    """The shell would run what is in the name of a branch, say. Variables are safe."""
    assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_a_release_signs_all_that_it_pushes() -> None:
    for name in ("image", "chart"):
        *_, last = WORKFLOWS["release"]["jobs"][name]["steps"]
        assert last["uses"].startswith("actions/attest-build-provenance@")
        assert {"subject-name", "subject-digest"} <= set(last["with"])
    *_, sign, publish = WORKFLOWS["release"]["jobs"]["package"]["steps"]
    assert sign["uses"].startswith("actions/attest-build-provenance@")
    assert sign["with"] == {"subject-path": "dist/*"}
    assert publish["run"].endswith("twine upload --non-interactive dist/*")
    [build] = [step["with"] for step in steps(WORKFLOWS["release"]) if "build-push" in step.get("uses", "")]
    assert build["provenance"] == "mode=max"
    assert build["sbom"].startswith("generator=")


def test_the_package_is_published_without_a_token() -> None:
    """PyPI trusts the identity of this workflow in its environment; whoever reads a secret could not publish."""
    job = WORKFLOWS["release"]["jobs"]["package"]
    assert job["environment"] == "pypi"
    assert "secrets." not in yaml.safe_dump(job)


def test_a_release_is_checked_before_it_is_built() -> None:
    jobs = WORKFLOWS["release"]["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "check": None,
        "image": "check",
        "chart": "image",
        "package": "check",
        "notes": ["chart", "package"],
    }
    assert {"make check", "make test"} <= {step.get("run") for step in jobs["check"]["steps"]}


def test_the_audit_is_no_part_of_what_needs_no_network() -> None:
    assert set(WORKFLOWS["audit"][True]) == {"schedule", "workflow_dispatch"}
    assert "audit" not in (PROJECT / "Makefile").read_text() + (PROJECT / "hack/check.sh").read_text()


def test_dependabot_renews_the_actions_together() -> None:
    [update] = yaml.safe_load((PROJECT / ".github/dependabot.yaml").read_text())["updates"]
    assert update["package-ecosystem"] == "github-actions"
    assert list(update["groups"].values()) == [{"patterns": ["*"]}]
    assert re.fullmatch("weekly|monthly", update["schedule"]["interval"])
