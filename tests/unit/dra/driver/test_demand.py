"""How much a claim takes of a shared device."""

import pytest

from fake_dra_driver.dra.driver.demand import share_of
from fake_dra_driver.dra.driver.device import Capacity, Device

STEPS = Capacity("10G", default="2G", least="1G", most="8G", step="500M")


@pytest.mark.parametrize(
    ("capacity", "asked", "share"),
    [
        pytest.param({"bandwidth": "10G"}, {"bandwidth": "4G"}, {"bandwidth": "4G"}, id="as much as it asks for"),
        pytest.param({"bandwidth": "10G"}, {}, {"bandwidth": "10G"}, id="all of it"),
        pytest.param({"bandwidth": STEPS}, {}, {"bandwidth": "2G"}, id="the default"),
        pytest.param({"bandwidth": STEPS}, {"bandwidth": "1"}, {"bandwidth": "1G"}, id="the least"),
        pytest.param({"bandwidth": STEPS}, {"bandwidth": "2100M"}, {"bandwidth": "2500M"}, id="the next step"),
        pytest.param({"bandwidth": STEPS}, {"bandwidth": "9G"}, None, id="more than a claim may take"),
        pytest.param({"bandwidth": "10G"}, {"bandwidth": "11G"}, None, id="more than there is"),
        pytest.param({"bandwidth": "10G"}, {"queues": "1"}, None, id="what it does not have"),
        pytest.param({"queues": 8}, {"queues": "3"}, {"queues": "3"}, id="a number"),
        pytest.param({}, {}, {}, id="no capacity"),
        pytest.param({"bandwidth": "plenty"}, {"bandwidth": "1G"}, None, id="nonsense"),
    ],
)
def test_a_share(
    capacity: dict[str, str | int | Capacity], asked: dict[str, str], share: dict[str, str] | None
) -> None:
    found = share_of(Device("card", capacity=capacity, shared=True), asked)
    assert (None if found is None else {name: str(quantity) for name, quantity in found.items()}) == share
