"""Validating webhooks: what others say of a request, over HTTPS.

Follows k8s.io/apiserver/pkg/admission/plugin/webhook/validating (dispatcher.go). Those that a request concerns are
called one after the other, which a real server does at once. There is no DNS here: a service is reached where
``find_service`` says; without that, it is one without endpoints.
"""

import http.client
import json
import math
import socket
import ssl
import time
import uuid
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cel import CelCompileError, CelError
from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes
from fake_dra_driver.cluster.apiserver.admission.matching import Matcher
from fake_dra_driver.cluster.apiserver.admission.policies import Condition, compile_conditions, conditions_hold
from fake_dra_driver.cluster.apiserver.admission.reviewanswer import REVIEW, AnswerError, read_answer
from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, go_quoted, not_admitted
from fake_dra_driver.cluster.apiserver.heavywork import call_out
from fake_dra_driver.cluster.apiserver.rules.policyexpressions import Expressions, Inputs, Scope
from fake_dra_driver.cluster.apiserver.store.store import Object, Store
from fake_dra_driver.cluster.apiserver.types.resource import Resource

__all__ = ["FindService", "Webhooks"]

log = logger.bind(component="apiserver")

FindService = Callable[[str, str, int], tuple[str, int] | None]
"""Where a port of a service is: gets namespace, name and port; None: nothing is there."""

_HTTPS: Final = 443
_IN_PATH: Final = "%/:@!$&'()*+,;=~"
"""What stands in a path as it is."""
_MAX_ANSWER_BYTES: Final = 3 * 1024 * 1024
_LAST_CODE: Final = 999
"""Of those that HTTP can express."""


class _CallError(Exception):
    """The webhook has given no answer that counts."""


class _Endpoint(NamedTuple):
    """Where a webhook is called."""

    url: str
    """As it stands in messages."""
    address: tuple[str, int]
    host: str
    """The name in its certificate."""
    target: str
    """Path and query."""


@dataclass(frozen=True, slots=True)
class _Conditions:
    revision: int
    expressions: Expressions
    conditions: Sequence[Condition]
    problem: str = ""


class Webhooks:
    """All validating webhooks, as they are in the store.

    Args:
        store: where they are.
        matcher: finds those that are about a request.
    """

    def __init__(self, store: Store, matcher: Matcher) -> None:
        self._matcher = matcher
        self._store = store
        self._configurations = store.collection(("admissionregistration.k8s.io", "validatingwebhookconfigurations"))
        self._conditions: dict[tuple[str, int], _Conditions] = {}
        # By configuration and index.
        self.find_service: FindService = lambda *_: None
        """Finds services."""

    def review(self, attributes: Attributes, warn: Callable[[str], None]) -> None:
        """Asks all webhooks that a request concerns. Raises StatusError when one denies it, or cannot be asked."""
        if not len(self._configurations):
            return
        concerned = [
            (webhook, version)
            for record in list(self._configurations.records())
            for at, webhook in enumerate(record.value.get("webhooks") or ())
            if (version := self._matcher.version_for(webhook, "rules", attributes)) is not None
            and self._is_wanted(record.key.name, record.revision, at, webhook, version, attributes)
        ]
        for webhook, version in concerned:
            self._ask(webhook, version, attributes, warn)

    def _is_wanted(
        self, name: str, revision: int, at: int, webhook: Object, version: Resource, attributes: Attributes
    ) -> bool:
        """Whether the conditions of a webhook hold. Raises StatusError where that is not known, and matters."""
        if not webhook.get("matchConditions"):
            return True
        known = self._conditions.get((name, at))
        if known is None or known.revision != revision:
            known = self._conditions[name, at] = _compiled(revision, webhook)
        obj, old = attributes.objects_in(version)
        evaluate = known.expressions.on(Inputs(obj, old, attributes.request_in(version)))
        try:
            if known.problem:
                raise CelError(known.problem)
            return conditions_hold(known.conditions, evaluate)
        except CelError as error:
            if webhook["failurePolicy"] == "Ignore":
                return False
            resource = attributes.resource
            raise not_admitted(resource.group, resource.plural, attributes.key.name, str(error)) from error

    def _ask(self, webhook: Object, version: Resource, attributes: Attributes, warn: Callable[[str], None]) -> None:
        name = webhook["name"]
        if attributes.dry_run and webhook.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise bad_request(f"admission webhook {go_quoted(name)} does not support dry run")
        obj, old = attributes.objects_in(version)
        request = {"uid": str(uuid.uuid4()), **attributes.request_in(version), "object": obj, "oldObject": old}
        try:
            response = call_out(lambda: self._call(webhook, request))
        except _CallError as error:
            if webhook["failurePolicy"] == "Ignore":
                log.warning("Webhook failed and is ignored", webhook=name, reason=str(error))
                return
            raise _failure(f"failed calling webhook {go_quoted(name)}: {error}") from error
        for each in response.get("warnings", ()):
            if each:
                warn(each)
        if not response.get("allowed"):
            raise _denial(name, response.get("status", {}))

    def _call(self, webhook: Object, request: Object) -> Object:
        """The response. Blocks. Raises _CallError."""
        endpoint, seconds = self._endpoint(webhook), int(webhook["timeoutSeconds"])
        body = json.dumps({**REVIEW, "request": request}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
        connection = _Connection(endpoint, _trusting(webhook["clientConfig"].get("caBundle")), seconds)
        doing = f'Post "{endpoint.url}"'
        try:
            connection.request("POST", endpoint.target, body, headers)
            # Closed by itself: a connection that ends with its answer leaves the socket to it.
            with connection.getresponse() as answer:
                doing = "unexpected error when reading response body. Please retry. Original error"
                raw = answer.read(_MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            # The last is of a host that can be no name.
            reason = "context deadline exceeded" if isinstance(error, TimeoutError) else _reason(error)
            raise _CallError(f"failed to call webhook: {doing}: {reason}") from error
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise _CallError(f"failed to call webhook: {_refusal(answer.status, raw)}")
        try:
            return read_answer(request["uid"], raw)
        except AnswerError as error:
            raise _CallError(str(error)) from error

    def _endpoint(self, webhook: Object) -> _Endpoint:
        config, seconds = webhook["clientConfig"], webhook["timeoutSeconds"]
        service = config.get("service")
        if service is None:
            try:
                parts = urlsplit(config["url"])
            except ValueError as error:  # Python is stricter with hosts that are not ASCII
                raise _CallError(f'failed to call webhook: Post "{config["url"]}": {error}') from error
            target = f"{quote(parts.path or '/', safe=_IN_PATH)}?timeout={seconds}s"
            host, url = parts.hostname or "", f"https://{parts.netloc}{target}"
            try:
                return _Endpoint(url, (host, parts.port or _HTTPS), host, target)
            except ValueError as error:
                port = parts.netloc.rpartition(":")[2]
                raise _CallError(
                    f'failed to call webhook: Post "{url}": dial tcp: address {port}: invalid port'
                ) from error
        name, namespace, port = service["name"], service["namespace"], service.get("port", _HTTPS)
        host, path = f"{name}.{namespace}.svc", service.get("path") or "/"
        target = f"/{path.removeprefix('/')}?timeout={seconds}s"
        address = self.find_service(namespace, name, port)
        url = f"https://{host}:{port}{target}"
        if address is None:
            is_there = any(
                (each.key.namespace, each.key.name) == (namespace, name)
                for each in list(self._store.collection(("", "services")).records())
            )
            problem = f'no endpoints available for service "{name}"' if is_there else f'service "{name}" not found'
            raise _CallError(f'failed to call webhook: Post "{url}": {problem}')
        return _Endpoint(url, address, host, target)


class _Socket(ssl.SSLSocket):
    """A socket all whose calls together have one deadline: a server may send a byte now and then."""

    deadline = math.inf
    """By the monotonic clock."""

    @override
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)

    @override
    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().send(*args, **kwargs)


def _left(deadline: float) -> float | None:
    """The seconds until then; None: without end. Raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left if left < math.inf else None


class _Connection(http.client.HTTPSConnection):
    """A connection to an address whose certificate may have another name, for as many seconds from now on."""

    def __init__(self, endpoint: _Endpoint, context: ssl.SSLContext, seconds: int) -> None:
        super().__init__(endpoint.host, endpoint.address[1], timeout=seconds, context=context)
        self._endpoint = endpoint
        self._trust = context
        self._deadline = time.monotonic() + seconds

    @override
    def connect(self) -> None:
        plain = socket.create_connection(self._endpoint.address, _left(self._deadline))
        self._trust.sslsocket_class = _Socket
        try:
            plain.settimeout(_left(self._deadline))
            secure = self._trust.wrap_socket(plain, server_hostname=self._endpoint.host)
        except BaseException:
            plain.close()
            raise
        secure.deadline = self._deadline  # type: ignore[attr-defined] # it is a _Socket, as the context was told
        self.sock = secure


def _trusting(bundle: str | None) -> ssl.SSLContext:
    """Raises _CallError when the bundle is none."""
    try:
        return ssl.create_default_context(cadata=b64decode(bundle).decode() if bundle else None)
    except (ssl.SSLError, ValueError) as error:
        raise _CallError(
            "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block"
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, as Go says it as far as clients look at it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return str(error) or type(error).__name__


def _refusal(status: int, raw: bytes) -> str:
    text = raw[:1024].decode(errors="replace").strip()
    return text or f"the server responded with the status code {status} but did not return more information"


def _failure(message: str) -> StatusError:
    """500: as what goes wrong inside a real server."""
    return StatusError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )


def _denial(name: str, status: Object) -> StatusError:
    denied = f"admission webhook {go_quoted(name)} denied the request"
    said = status.get("message") or status.get("reason")
    message = f"{denied}: {said}" if said else f"{denied} without explanation"
    code = status.get("code", 0)
    # A real server denies with any code up to 999, and ends the connection without an answer beyond.
    code = code if HTTPStatus.BAD_REQUEST <= code <= _LAST_CODE else HTTPStatus.BAD_REQUEST
    return StatusError(code, status.get("reason", ""), message, status.get("details"))


def _compiled(revision: int, webhook: Object) -> _Conditions:
    scope = Scope()
    try:
        conditions = compile_conditions(webhook["matchConditions"], scope)
    except CelCompileError as error:
        return _Conditions(revision, scope.expressions(), (), error.reason)
    return _Conditions(revision, scope.expressions(), conditions)
