"""What the parts of a project are called, and which names are refused."""

import pytest

from fake_dra_driver.newproject.names import ProjectNames


def test_everything_is_called_after_the_driver() -> None:
    names = ProjectNames.of("desk-lamp.example.com")
    assert (names.driver, names.project) == ("desk-lamp.example.com", "desk-lamp-driver")
    assert (names.package, names.device, names.words) == ("desk_lamp_driver", "desk-lamp", "desk lamp")
    assert (names.class_prefix, names.variable) == ("DeskLamp", "DESK_LAMP")


@pytest.mark.parametrize(
    ("driver", "name", "project"),
    [
        ("lamp.example.com", "", "lamp-driver"),
        ("lamp-driver.example.com", "", "lamp-driver"),
        ("lamp.example.com", "bulbs", "bulbs"),
        ("3d.example.com", "printer-driver", "printer-driver"),
        ("json.example.com", "", "json-driver"),
    ],
)
def test_a_project_may_have_a_name_of_its_own(driver: str, name: str, project: str) -> None:
    assert ProjectNames.of(driver, name).project == project


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("lamp", "no domain name"),
        ("Lamp.example.com", "no domain name"),
        ("lamp.example.com.", "no domain name"),
        ("-lamp.example.com", "no domain name"),
        ("lamp..com", "no domain name"),
        ("lamp.example.com\n", "no domain name"),
        (f"{'l' * 60}.com", "no domain name"),
        ("lamp.k8s.io", "for Kubernetes itself"),
        ("lamp.x.kubernetes.io", "for Kubernetes itself"),
        ("3d.example.com", "no project can be called 3d-driver: a package.*with --name"),
        ("driver.example.com", "no project can be called driver-driver: it says nothing"),
        (f"{'l' * 50}.example.com", "cannot both be called so; .*with --name"),
    ],
)
def test_a_driver_cannot_be_called_everything(driver: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){words}"):
        ProjectNames.of(driver)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Lamp", "cannot both"),
        ("lamp_driver", "cannot both"),
        ("lamp--driver", "cannot both"),
        ("lamp-", "cannot both"),
        ("json", "json would be a package that Python or the project has already"),
        ("class", "class would be a package"),
        ("tests", "tests would be a package"),
        ("fake-dra-driver", "fake_dra_driver would be a package"),
    ],
)
def test_nor_a_project(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ProjectNames.of("lamp.example.com", name)
