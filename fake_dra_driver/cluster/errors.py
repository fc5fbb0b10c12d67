"""What goes wrong with an embedded cluster, in sentences for the person who started it.

::

    RuntimeLayerError
    └── ClusterError         cannot be started, or asked for something that it cannot do
        └── DocumentError    a manifest is not YAML, or not a Kubernetes object (documents.py)
"""

from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ClusterError"]


class ClusterError(RuntimeLayerError):
    """The message says what was tried, and what to do instead."""
