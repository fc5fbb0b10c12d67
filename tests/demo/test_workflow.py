"""The GitHub Actions workflow runs the commands of a developer's machine."""

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((PROJECT / ".github/workflows/ci.yaml").read_text())


def commands() -> list[str]:
    steps: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    return [line.strip() for step in steps for line in step.get("run", "").splitlines()]


def test_it_runs_every_tier() -> None:
    assert {line for line in commands() if line.startswith("make ")} == {
        "make install",
        "make check",
        "make test",
        "make deploy",
        "make e2e",
    }


def test_nothing_is_installed_beside_the_lock_file() -> None:
    assert not any("pip" in line for line in commands())


def test_it_may_not_write() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOW["jobs"].values())


def test_every_job_has_a_deadline() -> None:
    assert all(job["timeout-minutes"] <= 60 for job in WORKFLOW["jobs"].values())
