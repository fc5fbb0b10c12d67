"""Which devices can serve a request."""

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest, Selector


def test_models_match_exactly_and_selectors_are_case_sensitive_globs() -> None:
    device = Device("d", "LATEST-FAKE-MODEL")
    assert DeviceRequest(1, model="LATEST-FAKE-MODEL").matches(device)
    assert not DeviceRequest(1, model="LATEST-*").matches(device)
    assert DeviceRequest(1, selectors=(Selector("fake", "LATEST-*"),)).matches(device)
    assert not DeviceRequest(1, selectors=(Selector("fake", "latest-*"),)).matches(device)
    assert not DeviceRequest(1, selectors=(Selector("gpu", "*"),)).matches(device)
    assert DeviceRequest(1, selectors=(Selector("gpu", "*"), Selector("f?ke", "*"))).matches(device)
    assert not DeviceRequest(1, model="OTHER", selectors=(Selector("*", "*"),)).matches(device)


def test_glob_that_is_longer_than_any_model_is_not_read() -> None:
    assert Selector("fake", "*" * 253).matches(Device("d0", "A"))
    assert not Selector("fake", "*" * 254).matches(Device("d0", "A"))
    assert not Selector("[" * 900_000, "*").matches(Device("d0", "A"))
