"""Why a kubelet's call about a claim fails: what the answer is made of, and the label of a metric."""

from enum import Enum

__all__ = ["FailureReason"]


class FailureReason(Enum):
    """Why a claim was not prepared or unprepared."""

    INVALID = "invalid"
    """The request makes no sense; repeating it is of no use."""
    REFUSED = "refused"
    """The driver said no (PrepareError)."""
    TOO_SLOW = "too_slow"
    """It takes longer than the caller waits, and goes on."""
    STOPPING = "stopping"
    """The plugin is being stopped; its successor will answer."""
    INTERNAL = "internal"
    """A defect of ours; the log has the traceback."""
