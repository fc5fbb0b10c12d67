"""One request from beginning to end: authentication, routing, the faults that were asked for, and errors as answers.

Follows the handler chain of k8s.io/apiserver/pkg/server (DefaultBuildHandlerChain), without authorization, audit,
priority and fairness.
"""

import json

import yaml
from loguru import logger

from fake_dra_driver.cluster.apiserver.errors import (
    StatusError,
    internal_error,
    not_acceptable,
    too_large,
    unauthorized,
)
from fake_dra_driver.cluster.apiserver.heavywork import HEAVY, HeavyWork
from fake_dra_driver.cluster.apiserver.http import protobuf
from fake_dra_driver.cluster.apiserver.http.answers import error_answer
from fake_dra_driver.cluster.apiserver.http.bodies import is_protobuf
from fake_dra_driver.cluster.apiserver.http.endpoints import Endpoints
from fake_dra_driver.cluster.apiserver.http.negotiation import Accept
from fake_dra_driver.cluster.apiserver.http.nonresource import Catalog, is_public
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, Faults
from fake_dra_driver.cluster.apiserver.http.routing import Target, route
from fake_dra_driver.cluster.apiserver.message import JSON, PROTOBUF, YAML, Answer, Request, Stream, Upgrade
from fake_dra_driver.cluster.apiserver.types.resource import Registry
from fake_dra_driver.cluster.apiserver.types.user import User
from fake_dra_driver.cluster.apiserver.verbs.tokens import Tokens
from fake_dra_driver.yamldumper import quote_for_go

__all__ = ["MAX_BODY_BYTES", "Handler"]

log = logger.bind(component="apiserver")

MAX_BODY_BYTES = 3 * 1024 * 1024
"""Limit of a request's body (MaxRequestBodyBytes)."""
_REFUSED = 400
"""Status codes from here on are those of requests that were refused."""
_FORM_WEIGHT = 4
"""Times longer than a byte of JSON takes to be stored that it takes to become YAML or protobuf."""
_ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # chosen as the program starts
    """libyaml's where PyYAML has it, which takes a quarter of the time."""


quote_for_go(_Dumper)


class Handler:
    """Answers requests, whatever carries them."""

    def __init__(
        self,
        registry: Registry,
        tokens: Tokens,
        catalog: Catalog,
        endpoints: Endpoints,
        faults: Faults,
        heavy: HeavyWork,
    ) -> None:
        self._registry = registry
        self._tokens = tokens
        self._catalog = catalog
        self._endpoints = endpoints
        self._faults = faults
        self._heavy = heavy
        self._has_messages = False
        """Whether the messages of protobuf are loaded: by the first request that needs them, from a file."""

    def knows(self, request: Request) -> bool:
        """Whether the head of a request shows a valid token."""
        token = _bearer_token(request)
        return bool(token) and self._tokens.user_of(token) is not None

    async def serve(self, request: Request) -> Answer | Stream | Upgrade:
        """Answers one request. Raises ConnectionResetError when it is to get no answer."""
        if not self._has_messages and (is_protobuf(request) or Accept.is_protobuf_alone(request.header("accept"))):
            await self._heavy.run(HEAVY, protobuf.load_messages)
            self._has_messages = True
        try:
            answer = await self._serve(request)
        except StatusError as error:
            answer = error_answer(error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost frame: a bug must not end the connection without an answer
            log.opt(exception=error).error("Request failed", method=request.method, path=request.path)
            answer = error_answer(internal_error(f"Internal error occurred: {error}"))
        return await self._in_form(answer, request) if isinstance(answer, Answer) else answer

    async def _serve(self, request: Request) -> Answer | Stream | Upgrade:
        user = self._authenticate(request)
        if len(request.body) > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        target = route(self._registry, request)
        if target is None:
            # The documents are made for each request, from all kinds or a large one.
            weight = HEAVY if request.path.startswith("/openapi/") else 0
            return await self._heavy.run(weight, self._catalog.serve, request)
        fault = self._faults.find(target, request)
        if fault is None:
            return await self._endpoints.serve(request, target, user)
        return await self._serve_with(fault, request, target, user)

    async def _serve_with(
        self, fault: Fault, request: Request, target: Target, user: User
    ) -> Answer | Stream | Upgrade:
        log.debug("Fault", kind=fault.kind, code=fault.code, after=fault.after, verb=target.verb, path=request.path)
        if not fault.after:
            await self._faults.strike(fault, target)
        answer = await self._endpoints.serve(request, target, user)
        if fault.after:
            try:
                await self._faults.strike(fault, target)
            except BaseException:
                if isinstance(answer, Stream):
                    await answer.chunks.aclose()
                raise
        return answer

    def _authenticate(self, request: Request) -> User:
        if token := _bearer_token(request):
            user = self._tokens.user_of(token)
        else:
            user = _ANONYMOUS if is_public(request.path) else None
        if user is None:
            raise unauthorized()
        return user

    async def _in_form(self, answer: Answer, request: Request) -> Answer:
        """The answer in YAML or protobuf where the client asks for that."""
        accept = request.header("accept")
        if answer.content_type != JSON or not ("yaml" in accept or PROTOBUF in accept):
            return answer
        try:
            media = Accept.parse(accept).media
            if media == JSON:
                return answer
            body = await self._heavy.run(_FORM_WEIGHT * len(answer.body), _FORMS[media], answer.body)
        except StatusError as error:
            # What was refused already is said in JSON, whatever the client takes (WriteObjectNegotiated).
            return error_answer(error) if answer.status < _REFUSED else answer
        return Answer(answer.status, body, media, answer.headers)


def _bearer_token(request: Request) -> str:
    """The token that a client shows; empty: none, whatever else it shows (k8s.io/apiserver's bearertoken)."""
    scheme, *rest = request.header("authorization").strip().split(" ", 2)
    return rest[0] if rest and scheme.lower() == "bearer" else ""


def _yaml(body: bytes) -> bytes:
    text: str = yaml.dump(json.loads(body), Dumper=_Dumper, allow_unicode=True, sort_keys=True)
    return text.encode()


def _protobuf(body: bytes) -> bytes:
    """Raises StatusError (406): there is no message for it."""
    encoded = protobuf.encode_protobuf(json.loads(body))
    if encoded is None:
        raise not_acceptable((JSON, YAML))
    return encoded


_FORMS = {YAML: _yaml, PROTOBUF: _protobuf}
