"""The buffers of TLS connections, as large as a record of TLS instead of sixteen times that.

asyncio reads what comes over a connection into a buffer of 256 KiB that each has of its own, watches on which nothing
comes for minutes too. TLS never hands over more than 16 KiB at once. A plugin has a dozen connections; a cluster of 200
nodes has thousands, on either side.
"""

from asyncio.sslproto import SSLProtocol
from typing import Final

__all__ = ["shrink_tls_buffers"]

_RECORD_BYTES: Final = 16 * 1024
"""Most plaintext of a record (RFC 8446, 5.1)."""


def shrink_tls_buffers() -> None:
    """Gives the connections that are made from now on small buffers.

    For the whole process: to be called by a program, not by a library.
    """
    SSLProtocol.max_size = _RECORD_BYTES
