"""Parameters of which nothing is known: what others have said of them counts."""

from collections.abc import Sequence

from typing_extensions import override

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.configcheck import ConfigCheck

__all__ = ["Unchecked"]


class Unchecked(ConfigCheck):
    """Finds nothing wrong.

    Args:
        driver: its name.
    """

    def __init__(self, driver: str) -> None:
        super().__init__(driver, {})

    @override
    def spec_problems(self, spec: v1.ResourceClaimSpec, path: str = "spec") -> Sequence[FieldProblem]:
        return ()

    @override
    def class_problems(self, device_class: v1.DeviceClass) -> Sequence[FieldProblem]:
        return ()
