"""docs/embedded-cluster.md: its example is a test that runs, and its faults exist."""

import re
from pathlib import Path
from typing import get_args

from fake_dra_driver.demo.settings import ClusterFaultSettings
from fake_dra_driver.flags import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/embedded-cluster.md").read_text()


def test_the_example_is_the_test_that_runs() -> None:
    example = re.findall(r"```python\n(import asyncio.*?)\n```", PAGE, re.DOTALL)
    test = (ROOT / "tests/integration/toydriver/test_toydriver.py").read_text()
    assert [text in test for text in example] == [True]


def test_every_fault_is_shown_with_flags_that_exist(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.touch()
    lines = re.findall(r"^fake-dra-driver cluster fault (.*)$", PAGE, re.MULTILINE)
    shown = {parse(ClusterFaultSettings, [*line.split(), f"--kubeconfig={file}"]).fault for line in lines}
    assert shown == set(get_args(ClusterFaultSettings.model_fields["fault"].annotation))
