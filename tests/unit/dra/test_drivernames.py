"""The names of a driver, made of its own."""

from fake_dra_driver.api import fake
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.driver.names import NAMES, names_of


def test_of_a_driver_with_a_name_alone() -> None:
    names = DriverNames.of("smart-lamp.example.com")
    assert (names.variables, names.metrics) == ("SMART_LAMP_", "smart_lamp_")
    assert (names.controller, names.kubelet_plugin) == ("smart-lamp-controller", "smart-lamp-kubeletplugin")
    assert names.cdi_kind == "k8s.smart-lamp.example.com/smart-lamp"
    assert names.state_group == "nas.smart-lamp.example.com"


def test_no_variable_begins_with_a_digit() -> None:
    names = DriverNames.of("3d.example.com")
    assert (names.variables, names.metrics) == ("DRA_3D_", "dra_3d_")


def test_those_of_fakes_are_what_released_versions_use() -> None:
    names = NAMES
    assert names.finalizer == fake.CLAIM_FINALIZER
    assert names.event_component == fake.EVENT_COMPONENT
    assert (names.cdi_vendor, names.cdi_kind) == (fake.CDI_VENDOR, fake.CDI_KIND)
    assert names.revision_annotation == fake.LEDGER_REVISION_ANNOTATION
    assert names.allocated_annotation == fake.ALLOCATED_ANNOTATION
    assert names.abandoned_annotation == fake.ABANDONED_ANNOTATION
    assert names.models_annotation == fake.MODELS_ANNOTATION
    assert (names.variables, names.controller) == ("FAKE_DRA_", "fake-dra-controller")


def test_under_another_name_kinds_and_programs_are_the_same() -> None:
    names = names_of("gpu.example.com")
    assert (names.finalizer, names.event_component) == (
        "gpu.example.com/deletion-protection",
        "resource driver gpu.example.com",
    )
    assert names.cdi_kind == "k8s.gpu.example.com/fake"
    assert (names.group, names.state_group) == (NAMES.driver, NAMES.state_group)
    assert (names.variables, names.metrics, names.controller) == (NAMES.variables, NAMES.metrics, NAMES.controller)
    assert names_of(NAMES.driver) == NAMES
