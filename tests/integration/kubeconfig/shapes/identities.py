"""Who the user is."""

from typing import Final

from tests.integration.kubeconfig.lab import FOLDER, HOME, encoded
from tests.integration.kubeconfig.shapes.shape import certificate, certificate_files, of_user

__all__ = ["IDENTITIES"]

IDENTITIES: Final = {
    "a token": of_user(lambda _: {"token": "mine"}),
    "a token with a space before it": of_user(lambda _: {"token": " mine"}),
    "a token with a line's end": of_user(lambda _: {"token": "mine\n"}, "Authorization", ours=["token"]),
    "a token of several lines": of_user(lambda _: {"token": "mine\nyours"}, "Authorization", ours=["token"]),
    "an empty token": of_user(lambda lab: {"token": "", **certificate(lab)}),
    "a token in a file": of_user(
        lambda _: {"tokenFile": f"ROOT/{FOLDER}/token"}, files=lambda _: {f"{FOLDER}/token": "from a file\n"}
    ),
    "a token in a file beside the kubeconfig": of_user(
        lambda _: {"tokenFile": "token"},
        files=lambda _: {f"{HOME}/token": "from a file\n", f"{FOLDER}/token": "from another\n"},
    ),
    "a token in a file that is missing": of_user(lambda _: {"tokenFile": "token"}, f"ROOT/{HOME}/token"),
    "a token in an empty file": of_user(
        lambda lab: {"tokenFile": "token", **certificate(lab)},
        f"ROOT/{HOME}/token",
        files=lambda _: {f"{HOME}/token": ""},
    ),
    "a token in a file with several lines": of_user(
        lambda _: {"tokenFile": "token"}, "Authorization", ours=["token"], files=lambda _: {f"{HOME}/token": "a\nb\n"}
    ),
    "a token in a file of white space": of_user(
        lambda _: {"tokenFile": "token"}, "Authorization", ours=["token"], files=lambda _: {f"{HOME}/token": "\n \n"}
    ),
    "a token in a folder": of_user(
        lambda _: {"tokenFile": "token"}, f"ROOT/{HOME}/token", files=lambda _: {f"{HOME}/token": None}
    ),
    "a token in a file not of ASCII": of_user(
        lambda _: {"tokenFile": "token"}, files=lambda _: {f"{HOME}/token": "tökén"}
    ),
    "a token in a file not of UTF-8": of_user(
        lambda _: {"tokenFile": "token"}, files=lambda _: {f"{HOME}/token": b"t\xf6k\xe9n"}
    ),
    "a token, and an empty file": of_user(
        lambda _: {"token": "mine", "tokenFile": "token"}, files=lambda _: {f"{HOME}/token": ""}
    ),
    "a token, and a folder": of_user(
        lambda _: {"token": "mine", "tokenFile": "token"}, files=lambda _: {f"{HOME}/token": None}
    ),
    "a token not of ASCII": of_user(lambda _: {"token": "tökén"}),
    "a token with a tab": of_user(lambda _: {"token": "a\tb"}),
    "a token with a control character": of_user(lambda _: {"token": "a\x01b"}, "Authorization", ours=["token"]),
    "a token with a space after it": of_user(lambda _: {"token": "mine "}),
    "a token, and one in a file": of_user(
        lambda _: {"token": "mine", "tokenFile": "token"}, files=lambda _: {f"{HOME}/token": "from a file\n"}
    ),
    "a token, and a file that is missing": of_user(lambda _: {"token": "mine", "tokenFile": "token"}),
    "user name and password": of_user(lambda _: {"username": "alice", "password": "pass word"}),
    "user name and password not of ASCII": of_user(lambda _: {"username": "älice", "password": "pässword"}),
    "a user name without a password": of_user(lambda _: {"username": "alice"}),
    "a password without a user name, which kubectl asks for": of_user(
        lambda _: {"password": "secret"}, "EOF", ours=["here", "username"]
    ),
    "nothing to identify a user, whom kubectl asks for": of_user(lambda _: {}, "EOF", ours=["here"]),
    "nothing to identify a user, for plain HTTP": of_user(lambda _: {}, cluster=lambda lab: {"server": lab.http.url}),
    "user name and token": of_user(
        lambda _: {"username": "alice", "password": "secret", "token": "mine"},
        "token",
        "basicAuth",
        ours=["here", "token", "password"],
    ),
    "a user name, and a token in a file": of_user(
        lambda _: {"username": "alice", "password": "secret", "tokenFile": "token"},
        "username",
        "token",
        files=lambda _: {f"{HOME}/token": "from a file\n"},
    ),
    "a certificate": of_user(certificate),
    "a certificate in files": of_user(
        lambda _: {"client-certificate": f"ROOT/{FOLDER}/alice.crt", "client-key": f"ROOT/{FOLDER}/alice.key"},
        files=certificate_files(FOLDER),
    ),
    "a certificate in files beside the kubeconfig": of_user(
        lambda _: {"client-certificate": "alice.crt", "client-key": "keys/alice.key"},
        files=lambda lab: {f"{HOME}/alice.crt": lab.alice.certificate, f"{HOME}/keys/alice.key": lab.alice.key},
    ),
    "a certificate inline with its key in a file": of_user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key": "alice.key"},
        files=lambda lab: {f"{HOME}/alice.key": lab.alice.key},
    ),
    "a certificate in a file with its key inline": of_user(
        lambda lab: {"client-certificate": "alice.crt", "client-key-data": encoded(lab.alice.key)},
        files=lambda lab: {f"{HOME}/alice.crt": lab.alice.certificate},
    ),
    "a certificate inline and in a file": of_user(
        lambda lab: {**certificate(lab), "client-certificate": "alice.crt", "client-key": "alice.key"},
        "client-cert",
        "here",
        files=certificate_files(HOME),
    ),
    "a certificate whose key is inline and in a file": of_user(
        lambda lab: {**certificate(lab), "client-key": "alice.key"},
        "client-key-data",
        "client-key",
        files=certificate_files(HOME),
    ),
    "a certificate with the authority's behind it": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.certificate + lab.authority.certificate),
            "client-key-data": encoded(lab.alice.key),
        }
    ),
    "a certificate with the authority's before it": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.authority.certificate + lab.alice.certificate),
            "client-key-data": encoded(lab.alice.key),
        },
        "private key",
    ),
    "a certificate of another authority": of_user(
        lambda lab: {
            "token": "mine",
            "client-certificate-data": encoded(lab.mallory.certificate),
            "client-key-data": encoded(lab.mallory.key),
        },
        "certificate",
        ours=["127.0.0.1"],  # the server may leave before its reason has arrived
    ),
    "a key in another form": of_user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key-data": encoded(lab.old_key)}
    ),
    "a key with words before it": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.certificate),
            "client-key-data": encoded(b"Bag Attributes\r\n" + lab.alice.key.replace(b"\n", b"\r\n")),
        }
    ),
    "a key with a pass phrase": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.certificate),
            "client-key-data": encoded(lab.locked_key),
        },
        "key",
    ),
    "a key that is empty": of_user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key-data": ""}, "client-key"
    ),
    "a certificate without a key": of_user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate)}, "client-key"
    ),
    "a key without a certificate": of_user(
        lambda lab: {"token": "mine", "client-key-data": encoded(lab.alice.key)},
    ),
    "a certificate with the key of another": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.certificate),
            "client-key-data": encoded(lab.bob.key),
        },
        "private key",
    ),
    "a certificate that is none": of_user(
        lambda lab: {"client-certificate-data": encoded("none"), "client-key-data": encoded(lab.alice.key)},
        "certificate",
    ),
    "a certificate and its key in one text": of_user(
        lambda lab: {
            "client-certificate-data": encoded(lab.alice.key + lab.alice.certificate),
            "client-key-data": encoded(lab.alice.certificate + lab.alice.key),
        }
    ),
    "a certificate's file that is missing": of_user(
        lambda lab: {"client-certificate": "alice.crt", "client-key-data": encoded(lab.alice.key)},
        f"ROOT/{HOME}/alice.crt",
    ),
    "a key's file that is missing": of_user(
        lambda lab: {"client-certificate-data": encoded(lab.alice.certificate), "client-key": "alice.key"},
        f"ROOT/{HOME}/alice.key",
    ),
    "a certificate and a token": of_user(lambda lab: {**certificate(lab), "token": "mine"}),
    "a certificate and a user name": of_user(
        lambda lab: {**certificate(lab), "username": "alice", "password": "secret"}
    ),
    "a certificate, for plain HTTP": of_user(certificate, cluster=lambda lab: {"server": lab.http.url}),
    "a certificate, for a server without scheme": of_user(
        certificate, cluster=lambda lab: {"server": lab.http.authority}
    ),
    "another user": of_user(lambda _: {"token": "mine", "as": "bob"}),
    "another user, for plain HTTP": of_user(
        lambda _: {"token": "mine", "as": "bob"}, cluster=lambda lab: {"server": lab.http.url}
    ),
    "another user with everything": of_user(
        lambda _: {
            "token": "mine",
            "as": "bob",
            "as-uid": "1234",
            "as-groups": ["one", "two", "system:masters"],
            "as-user-extra": {"plain": ["a", "b"], "acme.com/Project": ["x y"], "ümlaut%": ["z"]},
        }
    ),
    "another user not of ASCII": of_user(lambda _: {"token": "mine", "as": "jürgen"}),
    "another user with extra fields of many signs": of_user(
        lambda _: {
            "token": "mine",
            "as": "bob",
            "as-uid": "",
            "as-groups": [],
            "as-user-extra": {"UPPER": ["a"], "a b": ["c"], "a_b-c.d~": ["e"], "a'()*!b": ["f"], "none": None},
        }
    ),
    "another user in two lines": of_user(lambda _: {"token": "mine", "as": "bob\nx"}, "Impersonate-User", ours=["as"]),
    "another user with a space after it": of_user(lambda _: {"token": "mine", "as": "bob "}),
    "groups without another user": of_user(
        lambda _: {"token": "mine", "as-groups": ["one"]}, "here", "impersonating", ours=["here", "as-"]
    ),
    "a UID without another user": of_user(
        lambda _: {"token": "mine", "as-uid": "1"}, "here", "impersonating", ours=["here", "as-"]
    ),
    "extra fields without another user": of_user(
        lambda _: {"token": "mine", "as-user-extra": {"a": ["b"]}},
        "here",
        "impersonating",
        ours=["here", "as-user-extra"],
    ),
    "an auth provider of old": of_user(lambda _: {"auth-provider": {"name": "gcp", "config": {}}}, "gcp"),
    "an auth provider that there never was": of_user(
        lambda _: {"auth-provider": {"name": "acme", "config": {}}}, "acme"
    ),
}
