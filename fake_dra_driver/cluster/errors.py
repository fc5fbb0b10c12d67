"""What goes wrong with an embedded cluster, in sentences for whoever started it.

::

    RuntimeLayerError
    └── ClusterError         cannot be started, or asked for something that it cannot do
        └── DocumentError    a manifest is no YAML, or no object of Kubernetes (documents.py)
"""

from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ClusterError"]


class ClusterError(RuntimeLayerError):
    """The message says what was tried, and what to do instead."""
