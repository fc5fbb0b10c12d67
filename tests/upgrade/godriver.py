"""A node as the Go driver leaves it: claims without handles, a ledger without revisions, plain CDI files, no more.

Made out of what this driver has left, since the Go driver itself is not here: it allocates without ``resourceHandles``,
keeps what is prepared in the NodeAllocationState alone, and its CDI files have the variables FAKE_DEVICE_<n> only.
"""

import json
from pathlib import Path

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, CDI_CLASS, CDI_VENDOR, LEDGER_REVISION_ANNOTATION
from tests.e2e.driver import Driver
from tests.e2e.kubectl import Kubectl

__all__ = ["make_go_drivers"]

_OWN_VARIABLE = "FAKE_CLAIM_"


def make_go_drivers(kubectl: Kubectl, driver: Driver, cdi_root: Path, plugin_folder: Path) -> None:
    """Makes what there is the Go driver's. Neither part of this driver may run."""
    for claim in driver.claims():
        handles = [{"op": "remove", "path": "/status/allocation/resourceHandles"}]
        where = ("resourceclaim", claim.key.name, "--namespace", claim.key.namespace)
        kubectl("patch", *where, "--subresource=status", "--type=json", f"--patch={json.dumps(handles)}")
    for state in driver.nodes():
        annotations = [f"{LEDGER_REVISION_ANNOTATION}-", f"{ALLOCATED_ANNOTATION}-"]
        kubectl("annotate", "nas", state.key.name, "--namespace", state.key.namespace, *annotations)
    for path in cdi_root.glob(f"{CDI_VENDOR}-{CDI_CLASS}_*.yaml"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if _OWN_VARIABLE not in line))
    for path in plugin_folder.iterdir():
        path.unlink()
