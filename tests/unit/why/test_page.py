"""docs/why.md says what the program does."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import pytest
import yaml

from fake_dra_driver.cli import REFERENCE
from fake_dra_driver.documenttext import json_text, yaml_text
from fake_dra_driver.packaging.generate import outputs
from fake_dra_driver.packaging.whyexamples import busy_cluster, drawn, partitioned_cards, unevaluable_selector
from fake_dra_driver.why import report
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.snapshot import KINDS

PAGE = outputs(REFERENCE)["docs/why.md"]
EXAMPLES = (busy_cluster, partitioned_cards, unevaluable_selector)
WORDS: Mapping[Any, Mapping[Any, str]] = {
    report.Verdict: report.VERDICTS,
    report.ProblemReason: report.PROBLEMS,
    report.NodeReason: report.NODE_REASONS,
    report.DeviceReason: report.DEVICE_REASONS,
    report.Change: report.CHANGES,
}


def rows() -> Mapping[str, list[str]]:
    """The cells of each row of a table, by what its first cell names."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every field of a document."""
    if isinstance(value, list):
        for entry in value:
            yield from paths(entry, f"{path}[]")
    elif isinstance(value, dict) and not path.endswith(".values"):
        for name, member in value.items():
            here = f"{path}.{name}".lstrip(".")
            yield here
            yield from paths(member, here)


@pytest.mark.parametrize(("words", "meanings"), WORDS.items(), ids=str)
def test_every_word_is_explained(words: Any, meanings: Mapping[str, str]) -> None:
    assert set(get_args(words)) == set(meanings)
    assert set(meanings) <= rows().keys()


def test_fields_are_those_of_a_report() -> None:
    explained = {word for meanings in WORDS.values() for word in meanings}
    documented = rows().keys() - explained
    for example in EXAMPLES:
        assert set(paths(yaml.safe_load(yaml_text(example())))) <= documented
    assert rows()["nodes[].requests[].devices[].problems[].selector"][0] == "object or null"
    assert rows()["nodes[].requests[].devices[].problems[].selector.values"][0] == "map of string or null"
    assert rows()["told.lastSeen"][0] == "time (RFC 3339) or null"


@pytest.mark.parametrize("example", EXAMPLES)
def test_pictures_are_what_the_program_prints(example: Callable[[], Report]) -> None:
    picture = drawn(example())
    assert f"```console\n$ fake-dra-driver why train -n ml\n{picture}```\n" in PAGE
    assert max(map(len, picture.splitlines())) <= 100
    assert Report.model_validate_json(json_text(example())) == example()


def test_the_documented_role_is_what_is_read() -> None:
    role = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])
    allowed = [(group, plural) for rule in role["rules"] for group in rule["apiGroups"] for plural in rule["resources"]]
    assert sorted(allowed) == sorted((kind.resource.group, kind.resource.plural) for kind in KINDS)
    assert all(set(rule["verbs"]) <= {"get", "list"} for rule in role["rules"])
