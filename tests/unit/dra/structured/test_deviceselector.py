"""Selectors of devices for drivers."""

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured import DeviceSelector, DeviceSelectorError

DEVICE = v1.Device(name="lamp-0", attributes={"watts": v1.DeviceAttribute(int_value=40)})


@pytest.mark.parametrize(("watts", "fits"), [(40, True), (41, False)])
def test_it_says_which_devices_fit(watts: int, *, fits: bool) -> None:
    selector = DeviceSelector(f'device.attributes["lamp.example.com"].watts == {watts}')
    assert selector.matches("lamp.example.com", DEVICE) is fits


@pytest.mark.parametrize("expression", ["", "device.", "device.driver"])
def test_what_is_no_selector_is_refused(expression: str) -> None:
    with pytest.raises(DeviceSelectorError, match=r"compilation failed|must evaluate to bool"):
        DeviceSelector(expression)


def test_a_device_that_lacks_what_is_asked_for_is_named_by_its_error() -> None:
    selector = DeviceSelector('device.attributes["lamp.example.com"].volts == 230')
    with pytest.raises(DeviceSelectorError, match="no such key: volts"):
        selector.matches("lamp.example.com", DEVICE)
