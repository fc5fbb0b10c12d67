"""docs/embedded-cluster.md: its example is a test that runs, and its faults exist."""

import re
from pathlib import Path

from fake_dra_driver.cluster.nodepool import read_pools
from fake_dra_driver.demo.clustersettings import NODE_COMMANDS
from fake_dra_driver.demo.poolprofiles import with_profiles
from fake_dra_driver.demo.settings import FAULTS
from fake_dra_driver.flags import parse
from fake_dra_driver.newproject.names import ProjectNames
from fake_dra_driver.newproject.program import project_files

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/embedded-cluster.md").read_text()


def test_the_example_is_what_new_projects_have() -> None:
    """Whose tests are run by tests/integration/newproject."""
    project = project_files(ProjectNames.of("lamp.example.com"), "")
    blocks = re.findall(r"```python\n(.*?)\n```", PAGE, re.DOTALL)
    in_files = [any(block in text for text in project.values()) for block in blocks]
    assert in_files == [True, True]


def test_every_fault_is_shown_with_flags_that_exist() -> None:
    models = {model.fault: model for model in FAULTS}
    shown = set()
    for fault, flags in re.findall(r"^fake-dra-driver cluster fault (\S+)(.*)$", PAGE, re.MULTILINE):
        parse(models[fault], flags.split())
        shown.add(fault)
    assert shown == set(models)


def test_the_pools_can_be_used(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(# pools\.yaml\n.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "pools.yaml"
    path.write_text(block)
    pools, values = with_profiles(read_pools(path), {})
    assert [pool.name for pool in pools] == ["gpu", "cpu", "more"]
    assert values["driverName"] == "gpu.nvidia.com"


def test_every_command_about_nodes_is_shown_with_flags_that_exist() -> None:
    models = {model.command: model for model in NODE_COMMANDS}
    shown = set()
    for command, rest in re.findall(r"^fake-dra-driver cluster node (\S+)(.*)$", PAGE, re.MULTILINE):
        parse(models[command], rest.partition("#")[0].split())
        shown.add(command)
    assert shown == set(models)
