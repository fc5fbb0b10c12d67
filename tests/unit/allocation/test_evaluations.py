"""What selectors make of a device, compared with kube-scheduler.

``evaluations.json`` has a device, and some hundred expressions with what a real kube-scheduler 1.37.2 made of each: one
claim and one pod for every expression, all with admin access to the one device, and the condition ``PodScheduled`` of
the pods: allocated, not allocated, or the text of an error.
"""

import json
from pathlib import Path

import pytest

from fake_dra_driver.allocation.selectors import CelError, DeviceView, compile_selector
from fake_dra_driver.api.resource.v1 import Device

_DATA = json.loads(Path(__file__).with_name("evaluations.json").read_text(encoding="utf-8"))
_VIEW = DeviceView("d", Device.model_validate(_DATA["device"]))


def _answer(expression: str) -> bool | str:
    try:
        return compile_selector(expression).accepts(_VIEW)
    except CelError as error:
        return str(error)


@pytest.mark.parametrize("at", range(0, len(_DATA["answers"]), 50))
def test_selectors_are_evaluated_as_by_kube_scheduler(at: int) -> None:
    wanted = dict(_DATA["answers"][at : at + 50])
    assert {expression: _answer(expression) for expression in wanted} == wanted
