"""docs/embedded-cluster.md: its example is a test that runs, and its faults exist."""

import re
from pathlib import Path

from fake_dra_driver.demo.settings import FAULTS
from fake_dra_driver.flags import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/embedded-cluster.md").read_text()


def test_the_example_is_the_test_that_runs() -> None:
    example = re.findall(r"```python\n(import asyncio.*?)\n```", PAGE, re.DOTALL)
    test = (ROOT / "tests/integration/toydriver/test_toydriver.py").read_text()
    assert [text in test for text in example] == [True]


def test_every_fault_is_shown_with_flags_that_exist() -> None:
    models = {model.fault: model for model in FAULTS}
    shown = set()
    for fault, flags in re.findall(r"^fake-dra-driver cluster fault (\S+)(.*)$", PAGE, re.MULTILINE):
        parse(models[fault], flags.split())
        shown.add(fault)
    assert shown == set(models)
