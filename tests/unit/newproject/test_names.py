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
        ("lamp", "it is no domain name"),
        ("Lamp.example.com", "it is no domain name"),
        ("lamp.example.com.", "it is no domain name"),
        ("-lamp.example.com", "it is no domain name"),
        ("lamp..com", "it is no domain name"),
        ("lamp.example.com\n", "it is no domain name"),
        (f"lamp.{'l' * 60}.com", "it is no domain name"),
        (f"{'l' * 41}.example.com", "it is no domain name"),
        ("lamp.k8s.io", "for Kubernetes itself"),
        ("lamp.x.kubernetes.io", "for Kubernetes itself"),
    ],
)
def test_a_driver_cannot_be_called_everything(driver: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ProjectNames.of(driver)
