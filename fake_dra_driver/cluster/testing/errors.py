"""What a test gets to read when its cluster is not as it should be; the tree is in ``cluster.errors``."""

from fake_dra_driver.cluster.errors import ClusterError

__all__ = ["PodFailedError", "UnmetError"]


class UnmetError(ClusterError, TimeoutError):
    """Something has not come true in time; the lines after the first say what there was instead."""


class PodFailedError(ClusterError):
    """A container has ended with an error, or could not be kept; the lines after the first say what there was."""
