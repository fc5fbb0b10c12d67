"""What the parts of a project are called, and which names are refused."""

import pytest

from fake_dra_driver.newproject.names import ProjectNames


def test_everything_is_called_after_the_driver() -> None:
    names = ProjectNames.of("desk-lamp.example.com")
    assert (names.driver, names.project) == ("desk-lamp.example.com", "desk-lamp-driver")
    assert (names.package, names.device, names.words) == ("desk_lamp_driver", "desk-lamp", "desk lamp")
    assert (names.class_prefix, names.variable) == ("DeskLamp", "DESK_LAMP")


def test_names_of_python_begin_with_a_letter() -> None:
    names = ProjectNames.of("3d-printer.example.com")
    assert names.package.isidentifier()
    assert names.class_prefix.isidentifier()


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("lamp", "must be a domain in lower case"),
        ("lamp.example.com\n", "must be a DNS subdomain"),
        ("lamp.k8s.io", "must not be in a domain of Kubernetes"),
        (f"{'l' * 41}.example.com", "at most 40 characters before the first dot"),
        ("device.example.com", "must begin with what the devices are, and not with device"),
    ],
)
def test_a_driver_cannot_be_called_everything(driver: str, words: str) -> None:
    """The rest is tested with dra.driver.checks."""
    with pytest.raises(ValueError, match=words):
        ProjectNames.of(driver)
