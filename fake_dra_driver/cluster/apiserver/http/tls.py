"""A certificate for the server, a new one for each: clients find it in the kubeconfig, no other program trusts it.

TLS is not for secrecy on loopback: client-go sends a token over TLS only.
"""

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Identity", "make_identity"]

_LIFETIME = datetime.timedelta(days=365)


class Identity(NamedTuple):
    """What a server presents, and what its clients trust."""

    context: ssl.SSLContext
    certificate: bytes
    """PEM."""


def make_identity(host: str) -> Identity:
    """A self-signed certificate for an IP address or a name. Blocks for some milliseconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-dra-driver embedded cluster")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName("kubernetes.default.svc")]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # OpenSSL takes certificates from files only. The folder is private, and removed at once.
    with tempfile.TemporaryDirectory(prefix="embedded-apiserver-") as folder:
        chain = Path(folder) / "server.pem"
        chain.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context.load_cert_chain(chain)
    return Identity(context, pem)
