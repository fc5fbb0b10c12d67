"""A pod as ``status`` reads it in structured DRA: with what the scheduler says about it."""

from pydantic import Field

from fake_dra_driver.api.kube.core import Pod, PodStatus
from fake_dra_driver.api.kube.meta import ApiModel

__all__ = ["WaitingPod"]


class _Condition(ApiModel):
    """v1.PodCondition."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class _Status(PodStatus):
    conditions: tuple[_Condition, ...] = ()


class WaitingPod(Pod):
    """A pod without a node."""

    status: _Status = Field(default_factory=_Status)

    @property
    def scheduled(self) -> _Condition | None:
        """The condition PodScheduled; None until the scheduler has looked at the pod."""
        return next((condition for condition in self.status.conditions if condition.type == "PodScheduled"), None)
