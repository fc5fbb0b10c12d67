"""What ends the scheduling cycle of a pod.

::

    AllocationError            the claims cannot be handled at all; no other node is tried
    ├── SelectorFailedError    a selector could not be compiled, or not be evaluated for a device
    └── SearchTooLongError     there was no decision within the steps that were allowed

That a node does not have the devices is not an error, but a ``Refusal``.
"""

from fake_dra_driver.allocation.obstacles import SelectorFailed

__all__ = ["AllocationError", "SearchTooLongError", "SelectorFailedError"]


class AllocationError(Exception):
    """Allocation was aborted; the text is that of kube-scheduler."""


class SelectorFailedError(AllocationError):
    """The expression of a selector could not be compiled, or not be evaluated for a device."""

    def __init__(self, text: str, found: SelectorFailed) -> None:
        super().__init__(text)
        self.found = found
        """Which selector, which device, and what CEL said."""


class SearchTooLongError(AllocationError):
    """The search took more steps than it was allowed; a real scheduler would have run into its timeout."""

    def __init__(self, node: str, steps: int) -> None:
        super().__init__(f"node {node}: timed out trying to allocate devices")
        self.node = node
        self.steps = steps
