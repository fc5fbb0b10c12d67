"""Blocks of names and values in SPDY/3.1, which are compressed, with one dictionary for all connections.

Follows sections 2.6.10 and 2.6.10.1 of the draft of SPDY/3.1. A few compressed bytes may stand for gigabytes: what
comes out is bounded, not only what goes in.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

__all__ = ["HeaderBlockError", "HeaderReader", "HeaderWriter"]

MAX_BLOCK_BYTES: Final = 8 * 1024
"""Of one block, once it is decompressed. Clients send three short headers for each stream."""
_MAX_HEADERS: Final = 32
"""Of one block."""
_LENGTH: Final = struct.Struct(">I")
_WORDS: Final = str.split(
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_PHRASES: Final = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
_DICTIONARY: Final = b"".join(_LENGTH.pack(len(word)) + word.encode() for word in (*_WORDS, *_PHRASES)) + _TAIL.encode()


class HeaderBlockError(Exception):
    """A block cannot be read, or is too large."""


class HeaderWriter:
    """Compresses the blocks of one connection, in the order in which they are sent."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=_DICTIONARY)

    def encode(self, headers: Mapping[str, str]) -> bytes:
        """The block of these headers; names in lower case."""
        plain = bytearray(_LENGTH.pack(len(headers)))
        for text in (text for header in headers.items() for text in header):
            encoded = text.encode()
            plain += _LENGTH.pack(len(encoded)) + encoded
        return self._compressor.compress(bytes(plain)) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


class HeaderReader:
    """Decompresses the blocks of one connection, in the order in which they come."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zdict=_DICTIONARY)

    def decode(self, block: bytes) -> Mapping[str, str]:
        """The headers of a block; of a value with several texts, all of them with NUL in between.

        Raises:
            HeaderBlockError: it is damaged or too large. No later block of the connection can be read then.
        """
        try:
            plain = self._decompressor.decompress(block, MAX_BLOCK_BYTES + 1)
        except zlib.error as error:
            raise HeaderBlockError(f"the headers cannot be decompressed: {error}") from error
        if len(plain) > MAX_BLOCK_BYTES or self._decompressor.unconsumed_tail:
            raise HeaderBlockError(f"the headers have more than {MAX_BLOCK_BYTES} bytes")
        texts = _texts(plain)
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _texts(plain: bytes) -> list[str]:
    """Names and values in turn. Raises HeaderBlockError."""
    if len(plain) < _LENGTH.size:
        raise HeaderBlockError("the headers are cut short")
    (count,) = _LENGTH.unpack_from(plain)
    if count > _MAX_HEADERS:
        raise HeaderBlockError(f"the block has {count} headers, more than {_MAX_HEADERS}")
    texts, at = list[str](), _LENGTH.size
    while at < len(plain) and len(texts) <= 2 * count:
        if len(plain) - at < _LENGTH.size:
            raise HeaderBlockError("the headers are cut short")
        (size,) = _LENGTH.unpack_from(plain, at)
        at += _LENGTH.size
        if size > len(plain) - at:
            raise HeaderBlockError("the headers are cut short")
        texts.append(plain[at : at + size].decode(errors="replace"))
        at += size
    if len(texts) != 2 * count:
        raise HeaderBlockError(f"the block says that it has {count} headers, and has {len(texts)} texts")
    return texts
