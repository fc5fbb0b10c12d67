"""A project that is not this driver: kilns, which claims get with a Firing."""

from typing import Annotated, Literal

from pydantic import Field

from fake_dra_driver.codegen import Project, StatusReader
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.kind import node_allocation_state
from fake_dra_driver.dra.program.admission import guards
from fake_dra_driver.dra.program.driversettings import DriverSettings
from fake_dra_driver.dra.program.permissions import components, status_reader
from fake_dra_driver.dra.program.settings import DEVICES, CommandSettings
from fake_dra_driver.settings import AbsolutePath, Flag
from tests.support.kiln import GROUP, Firing

NAMES = DriverNames.of(GROUP)
KINDS = (node_allocation_state(GROUP), Firing)


class KilnSettings(CommandSettings):
    """What the kubelet plugin of kilns is told."""

    prefix = NAMES.variables

    kilns_dir: Annotated[AbsolutePath, Flag(DEVICES, "DIR")] = Field(default="/dev/kilns", validate_default=True)
    """Folder of the kilns."""
    offset: float = -1.5
    """What is added to a temperature."""
    slope: Annotated[float, Field(gt=0)] = 1
    """What a temperature is multiplied with."""
    draught: float = Field(default=0.5, ge=0.25, lt=1)
    """How much air gets in."""
    bricks: int = 3
    """How many bricks there are."""
    is_hot: bool = True
    """Whether it is hot."""
    glaze: Literal["matt", "glossy"] = "matt"
    """What pots are covered with."""
    hottest: Annotated[int, Flag(DEVICES, "DEGREES")] = Field(default=1300, ge=100, le=1400)
    """How hot a kiln may get, in degrees Celsius."""


def kiln_project(**changes: object) -> Project:
    """The project, with other arguments."""
    settings = DriverSettings.of(NAMES, KilnSettings)
    arguments: dict[str, object] = {
        "name": "kiln-driver",
        "driver_name": GROUP,
        "description": "Gives kilns to pods",
        "version": "1.2.3",
        "commands": {
            "controller": settings.controller,
            "kubelet-plugin": settings.kubelet_plugin,
            "webhook": settings.webhook,
            "set-nas-status": settings.set_nas_status,
        },
        "kinds": KINDS,
        "records": KINDS[0],
        "parameters": Firing,
        "rbac": components(NAMES, KINDS),
        "guards": guards(NAMES, KINDS[0]),
        "values": {"kubeletPlugin": {"extraVolumes": [{"name": "kilns", "hostPath": {"path": "/dev/kilns"}}]}},
        "status": StatusReader("kiln-driver status", status_reader(NAMES, KINDS)),
    }
    return Project(**{**arguments, **changes})  # type: ignore[arg-type] # tests pass what is wrong, too
