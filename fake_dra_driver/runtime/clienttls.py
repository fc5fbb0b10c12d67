"""TLS to an API server, from certificates and keys in memory.

Python's ssl takes a client's certificate and key from files alone. They are given to it as files in memory where there
are such (Linux), else in a folder that only this user can enter and that is gone afterwards, whatever happens.

Follows crypto/tls and crypto/x509 of Go where OpenSSL's defaults are others: any certificate among the authorities may
end a chain, a client's key is never asked for a pass phrase, and a server's certificate has to carry its name.
"""

import contextlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fake_dra_driver.runtime.errors import CredentialsError

__all__ = ["ClientTls"]

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How to know a server, and how to be known to it."""

    authorities: bytes = b""
    """Certificates in PEM; the system's when left out."""
    is_insecure: bool = False
    """Whether any server is taken for the right one."""
    certificate: bytes = b""
    """The client's, in PEM, with those between it and an authority."""
    key: bytes = b""

    def context(self) -> ssl.SSLContext:
        """For connections. Blocks.

        Raises:
            CredentialsError: certificates or key cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.authorities:
            self._trust(context)
        else:
            context.load_default_certs()
        if self.certificate:
            self._identify(context)
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        """Takes what can be read, and passes over the rest."""
        for certificate in _CERTIFICATE.findall(self.authorities):
            with contextlib.suppress(ssl.SSLError, UnicodeDecodeError):
                context.load_verify_locations(cadata=certificate.decode("ascii"))
        if not context.cert_store_stats()["x509"]:
            raise CredentialsError("The certificate authority holds no certificate in PEM")

    def _identify(self, context: ssl.SSLContext) -> None:
        with _as_file(self.certificate) as certificate, _as_file(self.key) as key:
            try:
                # A pass phrase, though an empty one: OpenSSL would ask for it on the terminal.
                context.load_cert_chain(certificate, key, password="")
            except ssl.SSLError as error:
                if error.reason == "KEY_VALUES_MISMATCH":
                    raise CredentialsError("The client's private key does not belong to its certificate") from error
                raise CredentialsError(
                    "The client's certificate or private key cannot be read: not in PEM, or the key needs a pass phrase"
                ) from error


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """The path of a file with that content, as long as the block runs."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with open(os.memfd_create("pem"), "wb") as file:  # noqa: PTH123 - no path, but a descriptor
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryDirectory(prefix="fake-dra-") as folder:
            path = Path(folder) / "pem"
            path.touch(mode=0o600)
            path.write_bytes(content)
            yield str(path)
