"""Why a connection failed, in words for a person: from the exceptions of asyncio, ssl and socket.

aiohttp's and OpenSSL's own words name classes, C files and error codes, and some of their exceptions have no text.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

__all__ = ["reason_of", "without_password"]

_UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's X509_V_ERR codes for a certificate whose authority is not among those that are trusted, or that signs
itself."""
_NOT_YET_VALID, _EXPIRED, _OTHER_NAMES = 9, 10, frozenset({62, 64})
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL", "RECORD_LAYER_FAILURE"}
)
_CLIENT_REFUSED: Final = re.compile(
    r"ALERT_(BAD_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERT\w*)"
)


def reason_of(error: BaseException) -> str:
    """What went wrong, without the name of the server."""
    causes = list(_causes(error))
    for cause in reversed(causes):  # those of aiohttp are of the same classes, and have none of their data
        if isinstance(cause, ssl.SSLError):
            return _tls_reason(cause)
        if isinstance(cause, socket.gaierror):
            return "its name cannot be looked up now" if cause.errno == socket.EAI_AGAIN else "there is no such host"
        if isinstance(cause, UnicodeError):
            return "its name is no name of a host"
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno).lower()
    return str(causes[-1]) or "the connection was closed"


def without_password(url: str) -> str:
    """The URL as it may be shown, also where it cannot be parsed because of what the password is made of."""
    return re.sub(r"^([A-Za-z][\w+.-]*://)?.*@", r"\1", url, flags=re.DOTALL)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and those behind it, which aiohttp and httpcore keep in places of their own."""
    while error is not None:
        yield error
        inner = (getattr(error, "certificate_error", None), getattr(error, "os_error", None), *error.args[:1])
        error = next((held for held in inner if isinstance(held, BaseException)), error.__cause__)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_reason(error)
    reason = error.reason or ""
    if reason in _NO_TLS:
        return "it does not speak TLS: is its address one with http:// ?"
    if (refused := _CLIENT_REFUSED.search(reason)) is not None:
        wants = refused[1] == "CERTIFICATE_REQUIRED"
        return "it wants a client certificate" if wants else "it does not accept the client certificate"
    return f"TLS failed: {reason.replace('_', ' ').lower() or 'for an unknown reason'}"


def _certificate_reason(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _UNTRUSTED:
        return "its certificate is not signed by an authority that is trusted: check certificate-authority-data"
    if code in _OTHER_NAMES:
        return f"its certificate is for another name: {error.verify_message.rstrip('.')}; see tls-server-name"
    if code == _EXPIRED:
        return "its certificate has expired"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet: is the clock of this machine right?"
    return f"its certificate is not accepted: {error.verify_message}"
