"""The certificate of a server of ours, from two files that may be replaced at any moment: cert-manager renews them.

Follows sigs.k8s.io/controller-runtime/pkg/certwatcher. The files are read again every few seconds: the kubelet replaces
those of a Secret by moving a link, which tools that watch a file miss. New connections get the new certificate; those
that are open keep theirs.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from loguru import logger

from fake_dra_driver import regularfile
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["CertificateError", "ServerCertificate"]

log = logger.bind(component="https")

_LOOK_SECONDS: Final = 10.0
"""controller-runtime's. The kubelet takes a minute or more to bring a changed Secret."""


class CertificateError(RuntimeLayerError):
    """Certificate and key cannot be used."""


class ServerCertificate:
    """The certificate to present.

    Args:
        certificate: file with the certificate, and those that signed it, in PEM.
        key: file with its private key, in PEM.
        look_seconds: how often the files are looked at.
    """

    def __init__(self, certificate: Path, key: Path, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._certificate, self._key = certificate, key
        self._look_seconds = look_seconds
        self._seen: tuple[bytes, bytes] | None = None
        """What the files held when they were last looked at, usable or not."""
        self._current: ssl.SSLContext | None = None

    async def load(self) -> ssl.SSLContext:
        """Reads the files, and gives what to listen with, which presents the latest certificate from then on.

        Raises:
            CertificateError: the files cannot be read, or hold no certificate with its key.
        """
        self._seen, self._current = await asyncio.to_thread(self._read)
        # Asked in each handshake, with or without the name of a server: the context of a listening socket is fixed.
        front = await asyncio.to_thread(self._context)
        front.sni_callback = self._present
        return front

    async def follow(self) -> None:
        """Takes over what the files hold, until cancelled. What cannot be used is logged, and the old one kept."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                seen, context = await asyncio.to_thread(self._read_if_changed)
            except CertificateError as error:
                log.warning("The new certificate cannot be used, presenting the old one", error=str(error))
                continue
            if context is not None:
                self._seen, self._current = seen, context
                log.info("Certificate loaded", file=str(self._certificate))

    def _present(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._current is not None:
            connection.context = self._current

    def _read(self) -> tuple[tuple[bytes, bytes], ssl.SSLContext]:
        # The bytes are read first: where the files are replaced in between, the next look finds that they differ.
        return self._bytes(), self._context()

    def _read_if_changed(self) -> tuple[tuple[bytes, bytes], ssl.SSLContext | None]:
        seen = self._bytes()
        return (seen, None) if seen == self._seen else (seen, self._context())

    def _bytes(self) -> tuple[bytes, bytes]:
        return _content("certificate", self._certificate), _content("key", self._key)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password="")
        except OSError as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise CertificateError(
                f"cannot use certificate {self._certificate} with key {self._key}: {reason or error}; both have to be "
                "in PEM, and belong together"
            ) from error
        return context


def _content(what: str, file: Path) -> bytes:
    try:
        return regularfile.read_bytes(file, follow_link=True)
    except OSError as error:
        raise CertificateError(f"cannot read {what} {file}: {error.strerror or error}") from error
