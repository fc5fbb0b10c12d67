"""What is damaged, lost or foreign: files of the plugin, the record of the node. Prepared claims stay prepared."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from fake_dra_driver.api.fake import CDI_KIND, DRIVER_NAME, NodeAllocationState
from tests.e2e.client import Manifest
from tests.e2e.demo import Demo
from tests.e2e.driver import COMMON_CDI_FILE, DRIVER_NAMESPACE, PLUGIN, Driver
from tests.e2e.killer import RECOVERY_SECONDS, Killer
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.sampled("kinds of damage", one_in=3)]

WORKLOAD: Final = (3, 5)
"""A shared whole device, and split ones."""
GARBAGE: Final = "\x00 cut short {"

Specs = Mapping[str, Mapping[str, object]]
Files = Mapping[Path, str]


@pytest.fixture
def prepared(local_cluster: LocalCluster, driver: Driver, demo: Demo, initial_specs: Specs) -> Iterator[Files]:
    """The CDI files of running pods and their content. Afterwards everything is deleted, and must be gone."""
    demo.apply(WORKLOAD)
    demo.wait_running(WORKLOAD, RECOVERY_SECONDS)
    demo.check_agreement(WORKLOAD)
    root = Path(driver.cdi_root())
    files = {root / name: (root / name).read_text() for name in driver.cdi_files()}
    assert len(files) == 3, "the common file, and one of each claim"
    yield files
    demo.delete(WORKLOAD)
    demo.wait_gone(WORKLOAD, RECOVERY_SECONDS)
    driver.wait_initial(initial_specs, RECOVERY_SECONDS)
    if driver.part(PLUGIN).restarts:
        driver.replace(PLUGIN)


def content(files: Files) -> Files:
    """What is in those files now; a file that is not there is left out."""
    return {path: path.read_text() for path in files if path.exists()}


def restart_plugin(local_cluster: LocalCluster, driver: Driver) -> None:
    """Kills the plugin with SIGKILL, and waits until it serves again."""
    killer = Killer(local_cluster, driver, "plugin")
    killer.strike()
    killer.wait_back()


def set_aside(folder: Path, text: str) -> Path:
    """The file of a folder that holds this text; there must be exactly one."""
    (found,) = [path for path in folder.iterdir() if path.is_file() and path.read_bytes() == text.encode()]
    return found


def test_reboot_empties_the_cdi_folder(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, prepared: Files, started: datetime
) -> None:
    with local_cluster.stopped(driver.plugin(), PLUGIN):
        for path in prepared:
            path.unlink()
        killer = Killer(local_cluster, driver, "plugin")
        killer.strike()
    killer.wait_back()
    assert content(prepared) == prepared
    demo.check_agreement(WORKLOAD)
    driver.check_logs(started, killed=True)


def test_damaged_checkpoint_is_set_aside(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, prepared: Files, started: datetime
) -> None:
    checkpoint = Path("/var/lib/kubelet/plugins") / DRIVER_NAME / "checkpoint.json"
    assert checkpoint.exists()
    with local_cluster.stopped(driver.plugin(), PLUGIN):
        checkpoint.write_text(GARBAGE)
        killer = Killer(local_cluster, driver, "plugin")
        killer.strike()
    killer.wait_back()
    damaged = set_aside(checkpoint.parent, GARBAGE)
    assert damaged != checkpoint
    damaged.unlink()
    assert content(prepared) == prepared
    demo.check_agreement(WORKLOAD)
    driver.check_logs(started, killed=True)


def test_removed_folder_is_made_again_with_a_new_container(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, prepared: Files, started: datetime
) -> None:
    """The container has that folder alone, and cannot make another one under its name: it ends."""
    killer = Killer(local_cluster, driver, "plugin")
    shutil.rmtree(driver.plugin_folder())
    killer.wait_back()
    assert (Path(driver.plugin_folder()) / "checkpoint.json").exists()
    assert content(prepared) == prepared
    demo.check_agreement(WORKLOAD)
    driver.check_logs(started, killed=True)


def test_damaged_cdi_files_are_written_again(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, prepared: Files, started: datetime
) -> None:
    for index, path in enumerate(prepared):
        path.write_text(f"{GARBAGE}{index}")
    restart_plugin(local_cluster, driver)
    assert content(prepared) == prepared
    for index, path in enumerate(prepared):
        damaged = set_aside(path.parent, f"{GARBAGE}{index}")
        assert damaged.suffix not in {".yaml", ".json"}, "a container runtime would read it"
        damaged.unlink()
    demo.check_agreement(WORKLOAD)
    driver.check_logs(started, killed=True)


def test_foreign_broken_cdi_file_does_not_matter(
    local_cluster: LocalCluster, driver: Driver, demo: Demo, prepared: Files, started: datetime
) -> None:
    foreign = Path(driver.cdi_root()) / "vendor.example.com-thing.yaml"
    foreign.write_text(GARBAGE)
    try:
        restart_plugin(local_cluster, driver)
        demo.apply([2])
        demo.wait_running([2], RECOVERY_SECONDS)
        demo.check_agreement([2])
        demo.delete([2])
        demo.wait_gone([2], RECOVERY_SECONDS)
        assert foreign.read_text() == GARBAGE
    finally:
        foreign.unlink()
    assert content(prepared) == prepared
    driver.check_logs(started, killed=True)


def delete(kubectl: Kubectl, nas: NodeAllocationState) -> None:
    kubectl.delete(NodeAllocationState, nas.metadata.name, DRIVER_NAMESPACE)


def empty(kubectl: Kubectl, nas: NodeAllocationState) -> None:
    """All claims stay on record, and none of them has a device any more."""
    entries: Manifest = {uid: {"fake": {"devices": []}} for uid in nas.spec.allocated_claims}
    kubectl.patch(NodeAllocationState, nas.metadata.name, {"spec": {"allocatedClaims": entries}}, DRIVER_NAMESPACE)


@pytest.mark.parametrize("damage", [delete, empty])
def test_lost_record_of_a_node_is_restored_and_no_device_given_twice(
    kubectl: Kubectl,
    driver: Driver,
    demo: Demo,
    prepared: Files,
    started: datetime,
    damage: Callable[[Kubectl, NodeAllocationState], None],
) -> None:
    (before,) = driver.nodes()
    damage(kubectl, before)
    demo.apply([1])
    demo.wait_running([1], RECOVERY_SECONDS)
    demo.check_agreement([1, *WORKLOAD])
    (after,) = driver.nodes()
    assert before.spec.allocated_claims.items() <= after.spec.allocated_claims.items()
    demo.delete([1])
    demo.wait_gone([1], RECOVERY_SECONDS)
    assert content(prepared) == prepared
    driver.check_logs(started, killed=False)


def test_cdi_file_without_a_claim_is_removed(
    local_cluster: LocalCluster, driver: Driver, prepared: Files, started: datetime
) -> None:
    """What a kill between writing the file and the record leaves, when the claim then goes away."""
    root = Path(driver.cdi_root())
    stale = root / COMMON_CDI_FILE.replace("common", "01234567-89ab-cdef-0123-456789abcdef")
    stale.write_text(f"cdiVersion: 0.3.0\ncontainerEdits: {{}}\ndevices: []\nkind: {CDI_KIND}\n")
    restart_plugin(local_cluster, driver)
    wait_until("the stale file is gone", lambda: not stale.exists(), 30)
    assert content(prepared) == prepared
    driver.check_logs(started, killed=True)
