"""``--sample``: what a share of the kills covers, and that a run takes one share and says which."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.sample import deal, draw

ROOT = Path(__file__).parents[3]
KILL = re.compile(r".*::test_a_kill_changes_nothing_in_the_end\[(?P<workload>.*)-(?P<victim>\w+)-(?P<phase>\w+)\]")
SHARES = 9


@cache  # takes seconds
def collect(*arguments: str) -> str:
    """What pytest says when it only collects tests, of every protocol, and runs none."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *arguments]
    environment = {**os.environ, "KUBECONFIG": os.devnull}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def node_ids(collected: str) -> Sequence[str]:
    return [line for line in collected.splitlines() if "::" in line]


@pytest.fixture
def all_tests() -> Sequence[str]:
    """Every end-to-end test."""
    return node_ids(collect("tests/e2e"))


@pytest.mark.parametrize("number", [41, 42], ids=["structured", "classic"])
def test_shares_are_equal_and_together_all(number: int) -> None:
    shares = deal(range(number), SHARES)
    assert sorted(card for share in shares for card in share) == list(range(number))
    assert {len(share) for share in shares} == {4, 5}


@pytest.mark.parametrize("part", ["victim", "phase", "workload"])
@pytest.mark.parametrize("other", ["structured", "classic"])
def test_each_share_has_each_victim_phase_and_workload(part: str, other: str) -> None:
    kills = [
        test for test in node_ids(collect("tests/e2e", "-m", f"not {other}")) if "test_recovery_from_kills" in test
    ]

    def covered(tests: Sequence[str]) -> set[str]:
        return {match[part] for test in tests if (match := KILL.fullmatch(test))}

    assert len(covered(kills)) == {"victim": 3, "phase": 4, "workload": 3}[part]
    assert [covered(share) for share in deal(kills, SHARES)] == [covered(kills)] * SHARES


@pytest.mark.parametrize(("other", "least"), [("classic", 13), ("structured", 12)])
def test_shares_have_both_drivers_of_other_devices(other: str, least: int) -> None:
    tests = [test for test in node_ids(collect("tests/e2e", "-m", f"not {other}")) if "test_other_drivers" in test]
    drivers = [{"lamp" in test for test in share} for share in deal(tests, 13)]
    assert sum(len(found) == 2 for found in drivers) == least


def test_a_run_takes_the_share_that_its_seed_chooses(all_tests: Sequence[str]) -> None:
    printed = collect("tests/e2e", "--sample=one seed")
    drawn = [test for test in node_ids(printed) if "test_recovery_from_kills" in test]
    kills = [test for test in all_tests if "test_recovery_from_kills" in test]
    said = re.search(r"SAMPLE: (\d+) of 42 kills, share (\d+) of 9; again with --sample 'one seed'", printed)
    assert said is not None, printed
    assert drawn == deal(kills, SHARES)[int(said[2]) - 1]
    assert len(drawn) == int(said[1])
    walk = [test for test in all_tests if "test_quickstart" in test]
    assert [test for test in node_ids(printed) if "test_quickstart" in test] == walk, "what is not marked always runs"


def test_processes_that_share_the_work_draw_the_same_and_it_is_said_once() -> None:
    command = [sys.executable, "-m", "pytest", "-n2", "--quiet", "--sample=one seed", "-kno_such_test", "tests/demo"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert re.findall(r"SAMPLE: \d of \d (.*), share", done.stdout) == ["pages that are walked"]


def test_seeds_choose_every_share() -> None:
    assert {draw("kills", str(seed), SHARES) for seed in range(100)} == set(range(SHARES))


def test_a_seed_always_chooses_the_same_share() -> None:
    assert draw("kills", "4cb6489-1.30.14", SHARES) == 3
