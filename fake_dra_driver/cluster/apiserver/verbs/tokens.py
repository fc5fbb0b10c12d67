"""Authentication: the administrator's token, and those of service accounts (TokenRequest).

Follows k8s.io/kubernetes/pkg/serviceaccount (jwt.go, claims.go): a service account's token is good for its audiences,
until it expires, and as long as its account and what it is bound to are there. Tokens are JWTs, signed with a key of
this process: they expire with it. There is no authorization: a token is enough to do everything, and access reviews
say so; nor is there impersonation.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fake_dra_driver.cluster.apiserver.store.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store.store import Key, Object, Store
from fake_dra_driver.cluster.apiserver.types.user import User

__all__ = ["API_AUDIENCE", "InvalidTokenError", "Login", "Tokens"]

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
API_AUDIENCE: Final = "https://kubernetes.default.svc"
"""Whom tokens are for that are shown to this server."""
_LEEWAY: Final = timedelta(minutes=1)
"""How much later a token may be shown than it should be (jwt.DefaultLeeway)."""
_EXTRA: Final = "authentication.kubernetes.io"
_PLURALS: Final = {"pod": "pods", "secret": "secrets"}
"""What a token may be bound to, by its name in the token."""


class InvalidTokenError(Exception):
    """The token is good for nothing here. The text says why, as in a TokenReview; empty: it is unknown."""


@dataclass(frozen=True, slots=True)
class Login:
    """A token that was found valid."""

    user: User
    audiences: Sequence[str]
    """Those that were asked for, of those that the token is for."""


class Tokens:
    """Issues tokens and authenticates them."""

    def __init__(self, admin_token: str, stamps: Stamps, store: Store) -> None:
        self._stamps = stamps
        self._store = store
        self._admin_token = admin_token
        self._key = secrets.token_bytes(32)
        self._admin = User("kubernetes-admin", ("system:masters", "system:authenticated"), "admin")

    def user_of(self, token: str) -> User | None:
        """The user of a token that is shown to this server; None when it is unknown or not valid."""
        try:
            return self.check(token).user
        except InvalidTokenError:
            return None

    def check(self, token: str, audiences: Sequence[str] = (API_AUDIENCE,)) -> Login:
        """Whose token it is, if it is for one of these audiences. Raises InvalidTokenError."""
        if _equal(token, self._admin_token):
            if API_AUDIENCE not in audiences:
                raise InvalidTokenError
            return Login(self._admin, (API_AUDIENCE,))
        head, _, signature = token.rpartition(".")
        if head.count(".") != 1 or not _equal(self._sign(head), signature):
            raise InvalidTokenError
        claims = json.loads(_decode(head.split(".")[1]))
        shared = [each for each in claims["aud"] if each in audiences]
        if not shared:
            meant, wanted = (json.dumps(each, ensure_ascii=False) for each in (claims["aud"], list(audiences)))
            raise InvalidTokenError(f"token audiences {meant} is invalid for the target audiences {wanted}")
        self._check_time_and_objects(claims)
        return Login(_user(claims), shared)

    def _check_time_and_objects(self, claims: Object) -> None:
        earliest = self._stamps.now() - _LEEWAY
        if claims["exp"] < earliest.timestamp():
            raise InvalidTokenError("service account token has expired")
        private = claims["kubernetes.io"]
        namespace, name, uid = private["namespace"], private["serviceaccount"]["name"], private["serviceaccount"]["uid"]
        account = self._find("serviceaccounts", namespace, name)
        if account is None:
            raise InvalidTokenError(f"serviceaccounts {json.dumps(name)} not found")
        if _is_deleted(account, earliest):
            raise InvalidTokenError(f"service account {namespace}/{name} has been deleted")
        if account["uid"] != uid:
            raise InvalidTokenError(f"service account UID ({account['uid']}) does not match claim ({uid})")
        for kind, plural in _PLURALS.items():
            if (bound := private.get(kind)) is None:
                continue
            found = self._find(plural, namespace, bound["name"])
            if found is None or _is_deleted(found, earliest):
                raise InvalidTokenError("service account token has been invalidated")
            if found["uid"] != bound["uid"]:
                raise InvalidTokenError(
                    f"{kind} UID ({found['uid']}) does not match service account {kind} ref claim ({bound['uid']})"
                )

    def _find(self, plural: str, namespace: str, name: str) -> Object | None:
        """Metadata of an object."""
        record = self._store.collection(("", plural)).get(Key(namespace, name))
        metadata: Object | None = record.value["metadata"] if record is not None else None
        return metadata

    def issue(self, account: Object, audiences: Sequence[str], seconds: int, bound: Object | None = None) -> str:
        """A token of a service account, good for ``seconds``, and only while what it is bound to is there."""
        metadata, now = account["metadata"], int(self._stamps.now().timestamp())
        private: Object = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        if bound is not None:
            private[bound["kind"].lower()] = {name: bound["metadata"][name] for name in ("name", "uid")}
            if node := bound.get("spec", {}).get("nodeName"):
                private["node"] = {"name": node}
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            "kubernetes.io": private,
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
        }
        head = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{head}.{self._sign(head)}"

    def _sign(self, head: str) -> str:
        return _text(hmac.new(self._key, _bytes(head), hashlib.sha256).digest())


def _user(claims: Object) -> User:
    private = claims["kubernetes.io"]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{private['namespace']}", "system:authenticated")
    extra = {"credential-id": f"JTI={claims['jti']}"}
    if node := private.get("node"):
        extra["node-name"] = node["name"]
    if pod := private.get("pod"):
        extra |= {"pod-name": pod["name"], "pod-uid": pod["uid"]}
    listed = {f"{_EXTRA}/{name}": [value] for name, value in extra.items()}
    return User(claims["sub"], groups, private["serviceaccount"]["uid"], listed)


def _is_deleted(metadata: Object, earliest: datetime) -> bool:
    """Whether it was deleted before that moment, and waits for a finalizer or the kubelet."""
    deleted = metadata.get("deletionTimestamp")
    return deleted is not None and datetime.fromisoformat(deleted) < earliest


def _equal(one: str, other: str) -> bool:
    """Takes as long for any text."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    """Of any text, also one that is not Unicode."""
    return text.encode(errors="surrogatepass")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _encode(value: object) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
