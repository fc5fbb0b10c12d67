"""Authentication: the administrator's token, and those of service accounts (TokenRequest).

Tokens of service accounts are JWTs, signed with a key of this process: they expire with it. There is no
authorization: a token is enough to do everything, and access reviews say so.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["Tokens", "User"]

ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class User:
    """The owner of a token."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""

    def to_object(self) -> Object:
        """authentication.k8s.io UserInfo."""
        info: Object = {"username": self.name, "groups": list(self.groups)}
        return {**info, "uid": self.uid} if self.uid else info


class Tokens:
    """Issues tokens and authenticates them."""

    def __init__(self, admin_token: str, stamps: Stamps) -> None:
        self._stamps = stamps
        self._admin_token = admin_token
        self._key = secrets.token_bytes(32)
        self._admin = User("kubernetes-admin", ("system:masters", "system:authenticated"), "admin")

    def user_of(self, token: str) -> User | None:
        """The user of a token; None if it is unknown or no longer valid."""
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return self._admin
        head, _, signature = token.rpartition(".")
        if head.count(".") != 1 or not hmac.compare_digest(self._sign(head), signature):
            return None
        claims = json.loads(_decode(head.split(".")[1]))
        if claims["exp"] < self._stamps.now().timestamp():
            return None
        _, _, namespace, _ = claims["sub"].split(":")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], groups, claims["kubernetes.io"]["serviceaccount"]["uid"])

    def issue(self, account: Object, audiences: list[str], seconds: int) -> str:
        """A token of a service account, good for ``seconds``."""
        metadata, now = account["metadata"], int(self._stamps.now().timestamp())
        claims = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            "kubernetes.io": {
                "namespace": metadata["namespace"],
                "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
            },
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
        }
        head = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{head}.{self._sign(head)}"

    def _sign(self, head: str) -> str:
        return _text(hmac.new(self._key, head.encode(), hashlib.sha256).digest())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _encode(value: object) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
