"""Which server is trusted."""

import textwrap
from typing import Final

from tests.integration.kubeconfig.lab import FOLDER, HOME, KUBECONFIG, encoded
from tests.integration.kubeconfig.shapes.shape import of_cluster

__all__ = ["TRUST"]

TRUST: Final = {
    "the authority in a file": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": f"ROOT/{FOLDER}/ca.crt"},
        files=lambda lab: {f"{FOLDER}/ca.crt": lab.authority.certificate},
    ),
    "the authority in a file beside the kubeconfig, and another in the working directory": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {
            f"{HOME}/ca.crt": lab.authority.certificate,
            f"{FOLDER}/ca.crt": lab.other_authority.certificate,
        },
    ),
    "the authority's file in the working directory alone": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        "certificate-authority",
        f"ROOT/{HOME}/ca.crt",
        files=lambda lab: {f"{FOLDER}/ca.crt": lab.authority.certificate},
    ),
    "the authority in a file above the kubeconfig": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "../keys/ca.crt"},
        files=lambda lab: {"keys/ca.crt": lab.authority.certificate},
    ),
    "the authority's file with ~, which is a name like any other": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "~/ca.crt"},
        "certificate-authority",
        f"ROOT/{HOME}/~/ca.crt",
        files=lambda lab: {f"{HOME}/ca.crt": lab.authority.certificate},
    ),
    "the authority inline and in a file": of_cluster(
        lambda lab: lab.trusted(lab.tls, **{"certificate-authority": "ca.crt"}),
        "certificate-authority-data",
        "certificate-authority",
        files=lambda lab: {f"{HOME}/ca.crt": lab.authority.certificate},
    ),
    "the authority inline that is not base64": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": "!"}, f"ROOT/{KUBECONFIG}"
    ),
    "the authority inline that is no certificate": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": encoded("none")}, "certificate"
    ),
    "the authority in a file that is no certificate": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        "certificate",
        files=lambda _: {f"{HOME}/ca.crt": "none"},
    ),
    "the authority in a folder": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca"},
        f"ROOT/{HOME}/ca",
        files=lambda _: {f"{HOME}/ca": None},
    ),
    "two authorities in one file": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {f"{HOME}/ca.crt": lab.other_authority.certificate + lab.authority.certificate},
    ),
    "an authority that is none beside one": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {
            f"{HOME}/ca.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
            + lab.authority.certificate
        },
    ),
    "an authority with words before it": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {f"{HOME}/ca.crt": "subject=Müller\n".encode() + lab.authority.certificate},
    ),
    "an authority beside a key": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority": "ca.crt"},
        files=lambda lab: {f"{HOME}/ca.crt": lab.alice.key + lab.authority.certificate},
    ),
    "the authority inline in several lines": of_cluster(
        lambda lab: {
            "server": lab.tls.url,
            "certificate-authority-data": "\n".join(textwrap.wrap(encoded(lab.authority.certificate), 64)) + "\n",
        }
    ),
    "the authority inline with a space": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": f" {encoded(lab.authority.certificate)}"},
        f"ROOT/{KUBECONFIG}",
    ),
    "the authority inline and empty": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": ""}, "certificate"
    ),
    "the certificate of a client as the authority": of_cluster(
        lambda lab: {"server": lab.tls.url, "certificate-authority-data": encoded(lab.alice.certificate)}, "certificate"
    ),
    "no authority": of_cluster(lambda lab: {"server": lab.tls.url}, "certificate"),
    "the authorities of the system": of_cluster(
        lambda lab: {"server": lab.tls.url},
        files=lambda lab: {"system.crt": lab.authority.certificate},
        environment=lambda _: {"SSL_CERT_FILE": "ROOT/system.crt"},
    ),
    "an authority beside those of the system": of_cluster(
        lambda lab: lab.trusted(lab.stranger),
        "certificate",
        files=lambda lab: {"system.crt": lab.other_authority.certificate},
        environment=lambda _: {"SSL_CERT_FILE": "ROOT/system.crt"},
    ),
    "a server of another authority": of_cluster(lambda lab: lab.trusted(lab.stranger), "certificate"),
    "a server of another name": of_cluster(lambda lab: lab.trusted(lab.misnamed), "127.0.0.1"),
    "a server whose certificate has expired": of_cluster(lambda lab: lab.trusted(lab.expired), "expired"),
    "a server without TLS": of_cluster(lambda lab: lab.trusted(f"https://{lab.http.authority}"), "HTTP"),
    "insecure": of_cluster(lambda lab: {"server": lab.stranger.url, "insecure-skip-tls-verify": True}),
    "insecure, and a server of another name": of_cluster(
        lambda lab: {"server": lab.misnamed.url, "insecure-skip-tls-verify": True}
    ),
    "insecure with an authority": of_cluster(
        lambda lab: lab.trusted(lab.tls, **{"insecure-skip-tls-verify": True}), "insecure"
    ),
    "insecure in words": of_cluster(
        lambda lab: {"server": lab.tls.url, "insecure-skip-tls-verify": "true"}, f"ROOT/{KUBECONFIG}"
    ),
    "not insecure, with an authority": of_cluster(
        lambda lab: lab.trusted(lab.tls, **{"insecure-skip-tls-verify": False})
    ),
    "the server's name": of_cluster(lambda lab: lab.trusted(lab.misnamed, **{"tls-server-name": "kube.test"})),
    "the server's name, which it does not have": of_cluster(
        lambda lab: lab.trusted(lab.tls, **{"tls-server-name": "other.test"}), "other.test"
    ),
    "the server's name, insecure": of_cluster(
        lambda lab: {"server": lab.tls.url, "tls-server-name": "other.test", "insecure-skip-tls-verify": True}
    ),
    "the server's name, an address": of_cluster(lambda lab: lab.trusted(lab.tls, **{"tls-server-name": "127.0.0.1"})),
    "the server's name, an IPv6 address": of_cluster(lambda lab: lab.trusted(lab.tls6, **{"tls-server-name": "::1"})),
    "the server's name with a dot at its end": of_cluster(
        lambda lab: lab.trusted(lab.misnamed, **{"tls-server-name": "kube.test."})
    ),
    "the server's name in capitals": of_cluster(
        lambda lab: lab.trusted(lab.misnamed, **{"tls-server-name": "KUBE.test"})
    ),
    "the server's name with a space": of_cluster(lambda lab: lab.trusted(lab.tls, **{"tls-server-name": "a b"}), "a b"),
    "the server's name, and a path": of_cluster(
        lambda lab: lab.trusted(f"{lab.misnamed.url}/path", **{"tls-server-name": "kube.test"})
    ),
}
