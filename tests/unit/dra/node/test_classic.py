"""What is left of devices in the answers of classic DRA."""

from fake_dra_driver.dra.node.classic import cdi_device_ids
from fake_dra_driver.dra.node.driver import ReadyDevice


def device(*cdi_device_ids: str) -> ReadyDevice:
    return ReadyDevice("pool", "device", cdi_device_ids, request_names=("r",), share_id="s")


def test_names_keep_their_order_without_repetition() -> None:
    devices = [device("v/c=common", "v/c=b"), device("v/c=common", "v/c=a", "v/c=b"), device(), device("v/c=c")]
    assert cdi_device_ids(devices) == ["v/c=common", "v/c=b", "v/c=a", "v/c=c"]


def test_no_devices_have_no_names() -> None:
    assert cdi_device_ids([]) == []
