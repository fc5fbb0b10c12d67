"""The sub-command: where manifests come from, where they go, and what the exit status says."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from loguru import logger

from fake_dra_driver import cli
from tests.support.logsink import log_into_what_is_captured
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, id_of
from tests.unit.convert.support import CLASSIC, OURS
from tests.unit.settings.conftest import clean_environment as clean_environment

CLAIM = f"""\
apiVersion: {CLASSIC}
kind: ResourceClaim
metadata: {{name: c}}
spec:
  resourceClassName: fake.3-shake.com
  parametersRef: {{apiGroup: {OURS}, kind: FakeClaimParameters, name: p}}
"""
PARAMETERS = f"apiVersion: {OURS}/v1alpha1\nkind: FakeClaimParameters\nmetadata: {{name: p}}\nspec: {{count: 2}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which there are a claim and its parameters, and a file that is no manifest."""
    (tmp_path / "claim.yaml").write_text(CLAIM)
    (tmp_path / "parameters.yml").write_text(PARAMETERS)
    (tmp_path / "README.md").write_text("[")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def given_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "arguments",
    [
        ["-f", "claim.yaml", "-f", "parameters.yml"],
        ["--filename=parameters.yml,claim.yaml"],
        ["-f", "."],
        ["-f", "claim.yaml", "-f", "-"],
    ],
)
def test_files_and_folders(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given_input(monkeypatch, PARAMETERS.encode())
    assert cli.main(["convert", *arguments]) == 0
    printed = capsys.readouterr()
    (claim,) = yaml.safe_load_all(printed.out)
    assert claim["spec"]["devices"]["requests"][0]["exactly"]["count"] == 2
    assert printed.err.endswith("FakeClaimParameters p: is left out: what named it has its values now\n")


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    given_input(monkeypatch, b"\xef\xbb\xbfa: \xc3\xa9\r\n---\r\nb: 2")
    assert cli.main(["convert"]) == 0
    assert capfdbinary.readouterr() == (b"a: \xc3\xa9\r\n---\r\nb: 2", b"")


@pytest.mark.usefixtures("folder")
def test_what_fails_is_an_exit_status_and_keeps_nothing_back(capsys: pytest.CaptureFixture[str]) -> None:
    Path("latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    assert cli.main(["convert", "-f", "claim.yaml", "-f", "latin.yaml"]) == 1
    printed = capsys.readouterr()
    assert printed.out == CLAIM
    assert printed.err.splitlines() == [
        "latin.yaml:2: error: the file is not UTF-8, and is left out",
        "claim.yaml:1: error: document 1: ResourceClaim c: stays as it is: "
        "FakeClaimParameters default/p are in none of the files: add the file that has them with -f",
    ]


def test_another_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["convert", f"-f={folder}", "--output-version=v1beta1"]) == 0
    claim = yaml.safe_load(capsys.readouterr().out)
    assert claim["apiVersion"] == "resource.k8s.io/v1beta1"
    assert claim["spec"]["devices"]["requests"] == [{"name": "fake", "deviceClassName": "fake.3-shake.com", "count": 2}]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-f"], "the flag needs a value"),
        (["-f", "claim.yaml", "-f"], "the flag needs a value"),
        (["-f", "claim.yaml", "-f", "gone.yaml"], '"claim.yaml,gone.yaml" is not allowed (there is no gone.yaml)'),
        (["-f", "empty"], '"empty" is not allowed (there is no file *.yaml, *.yml or *.json in empty)'),
    ],
)
def test_files_that_are_not_there(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert cli.main(["convert", *arguments]) == 2
    assert f"  --filename (FAKE_DRA_FILENAME): {problem}" in capsys.readouterr().err


@pytest.fixture
def no_log() -> Iterator[None]:
    """A cluster in a thread, of tests that ran before, goes on meanwhile: what it logs is no word of the program."""
    logger.remove()
    yield
    log_into_what_is_captured()


@pytest.mark.usefixtures("no_log")
@pytest.mark.parametrize("name", [name.encode(errors="replace").decode() for name in HOSTILE_NAMES], ids=id_of)
def test_names_that_are_meant_to_harm(
    name: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What is said about them is a line each, and stays in its comment: to YAML, U+2028 ends a line too."""
    reference = {"apiGroup": OURS, "kind": "FakeClaimParameters", "name": name}
    known = {"resourceClassName": "fake.3-shake.com", "allocationMode": "Immediate", "x" + name: 1}
    claims = [
        {"metadata": {"name": "c"}, "spec": known},
        {"metadata": {"name": name}, "spec": {**known, "parametersRef": reference}},
    ]
    manifests = [{"apiVersion": CLASSIC, "kind": "ResourceClaim", **claim} for claim in claims]
    given_input(monkeypatch, yaml.safe_dump_all(manifests, allow_unicode=True).encode())
    cli.main(["convert", "-f", "-"])
    out, err = (text.decode() for text in capfdbinary.readouterr())
    assert_harmless(err, longest=10_000, keeps_newlines=True)
    assert [line for line in err.splitlines() if not line.startswith("standard input:")] == []
    first, second = yaml.safe_load_all(out)
    assert first == {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c"},
        "spec": {"devices": first["spec"]["devices"]},
    }
    assert second == manifests[1]
    comments = [line for line in out.splitlines() if line.startswith("#")]
    assert comments
    for comment in comments:
        assert_harmless(comment, longest=200)
