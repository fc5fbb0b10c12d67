"""What the project of an author's driver ships, made of the driver alone: CRDs, a chart, a page of reference."""

from typing import Any

from fake_dra_driver.codegen import Project, ProjectError, StatusReader
from fake_dra_driver.dra.driver.checks import DriverClassError, check_driver
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.parameters import parameters_kind
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.kind import node_allocation_state
from fake_dra_driver.dra.program.admission import guards
from fake_dra_driver.dra.program.driversettings import DriverSettings
from fake_dra_driver.dra.program.permissions import components, status_reader

__all__ = ["project_of"]


def project_of(driver: Driver[Any]) -> Project:
    """The project of a driver.

    Raises:
        DriverClassError: no driver can be made of its class, or its chart does not take the values of ``Driver.chart``.
    """
    check_driver(driver)
    try:
        return _project(driver)
    except ProjectError as error:
        # Nothing else of a project is the author's.
        problem = str(error).partition("values: ")[2] or str(error)
        raise DriverClassError([f"{type(driver).__name__}.chart: {problem}"]) from error


def _project(driver: Driver[Any]) -> Project:
    names = DriverNames.of(driver.name)
    parameters, records = parameters_kind(type(driver)), node_allocation_state(driver.name)
    kinds = (records, parameters)
    settings = DriverSettings.of(names, driver.settings)
    return Project(
        name=names.program,
        driver_name=driver.name,
        description=driver.description(),
        version=driver.version,
        commands={
            "controller": settings.controller,
            "kubelet-plugin": settings.kubelet_plugin,
            "webhook": settings.webhook,
            "set-nas-status": settings.set_nas_status,
        },
        kinds=kinds,
        records=records,
        parameters=parameters,
        rbac=components(names, kinds),
        guards=guards(names, records),
        values=driver.chart,
        status=StatusReader(f"fake-dra-driver status --driver-name {driver.name}", status_reader(names, kinds)),
    )
