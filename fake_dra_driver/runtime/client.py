"""Typed verbs on Kubernetes objects: one request each (a list: one for each page), none hidden behind another.

Follows sigs.k8s.io/controller-runtime/pkg/client, and k8s.io/client-go/tools/pager for lists. What a client refuses to
do: read from a cache (``cache.py``), retry on conflict (the work queue does), guess at kinds (a kind carries its
resource). Requests and watches use separate connections; each call has a deadline.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.decoding import refusals
from fake_dra_driver.runtime.discovery import Discovery
from fake_dra_driver.runtime.encodedwrites import EncodedWrites
from fake_dra_driver.runtime.errors import GoneError, InvalidObjectError, UnusableAnswerError
from fake_dra_driver.runtime.listwatch import PAGE_SIZE, ListWatch, Selection
from fake_dra_driver.runtime.objectidentity import check_type, identity_of
from fake_dra_driver.runtime.patch import APPLY, JSON_PATCH, MERGE_PATCH
from fake_dra_driver.runtime.rest import Call, RestClient
from fake_dra_driver.runtime.session import RequestLimiter, RequestMetrics, Session
from fake_dra_driver.runtime.transport import MAX_CONNECTIONS, HttpTransport
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

if TYPE_CHECKING:
    from fake_dra_driver.runtime.kubeapi import Api

__all__ = [
    "Client",
    "DeleteObserver",
    "ListResult",
    "WriteObserver",
    "decode",
]

K = TypeVar("K", bound=KubeObject)

WriteObserver = Callable[[type[KubeObject], Mapping[str, Any]], None]
"""Gets the kind and the object, as sent by the server, that a successful write returned: a PartialObjectMetadata
if that was asked for."""
DeleteObserver = Callable[[type[KubeObject], NamespacedName, UID], None]
"""Gets kind, key and UID of an object that a delete of ours removed at once (no finalizer held it back)."""

_DEFAULT_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ListResult(Generic[K]):
    """What a list returned."""

    items: tuple[K, ...]
    resource_version: str
    invalid: tuple[InvalidObjectError, ...] = ()
    """For each object that the model refuses, why. These are not in ``items``."""


def decode(kind: type[K], raw: Mapping[str, Any]) -> K:
    """Reads an object as sent. Raises InvalidObjectError when the model refuses it."""
    try:
        return kind.from_wire(raw)
    except (ValidationError, RecursionError) as error:
        metadata = raw.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        names = (metadata.get("namespace"), metadata.get("name"))
        key = NamespacedName(*(name if isinstance(name, str) else "" for name in names))
        raise InvalidObjectError(kind.resource, key, metadata, refusals(error)) from error


class Client:
    """Typed access to one API server. Safe for concurrent use within one event loop.

    Every method raises the errors of ``RestClient.call``; those that return an object raise UnusableAnswerError when
    the answer is another one, or none, and InvalidObjectError when the model refuses it (a write has then happened all
    the same, and the observers know of it).
    ``timeout_seconds`` is the deadline of one request, waits that the server asked for included.
    """

    def __init__(
        self,
        session: Session,
        *,
        credentials: Credentials | None = None,
        default_timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._rest = RestClient(session)
        self.list_watch = ListWatch(self._rest)
        """Lists and watches of raw objects, for caches."""
        self.discovery = Discovery(self._rest)
        """Which versions of an API group are served."""
        self.encoded = EncodedWrites(self._rest, self._wrote, default_timeout_seconds)
        """Writes of objects of which the JSON is ready."""
        self._default_timeout_seconds = default_timeout_seconds
        self._write_observers: list[WriteObserver] = []
        self._delete_observers: list[DeleteObserver] = []
        self._credentials = credentials
        self._api: Api | None = None
        self.namespace = None if credentials is None else credentials.namespace
        """Namespace of the pod that this runs in; None outside a cluster."""
        self.default_namespace = (None if credentials is None else credentials.default_namespace) or "default"
        """Namespace that a person means who names none: that of the kubeconfig's context, or of the pod."""

    @classmethod
    async def of(
        cls,
        api: "Api",
        *,
        user_agent: str | None = None,
        limiter: RequestLimiter | None = None,
        default_timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS,
        metrics: RequestMetrics | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> "Client":
        """A client with the credentials of a kr8s Api, which from now on sends through the client's session.

        No request is sent. What is open on a session that the Api had before is cut off.

        Args:
            api: such as ``await kr8s.asyncio.api()``; it belongs to this client until that is closed.
            user_agent: value of the User-Agent header, also of what kr8s sends; its own when left out.
            limiter: of all requests; as many as the API server's priority and fairness takes when left out.
            default_timeout_seconds: deadline of calls that name none.
            metrics: called for each HTTP request.
            max_connections: see ``HttpTransport``.

        Raises:
            CredentialsError: the credentials cannot be read.
            ValueError: the Api has a client already, or is not one of kr8s.asyncio.
        """
        from fake_dra_driver.runtime.kubeapi import credentials_of, lend_session  # only here: it costs 17 MiB

        credentials = await credentials_of(api)
        session = Session(
            HttpTransport(credentials, max_connections=max_connections),
            credentials,
            user_agent=user_agent or api.__version__,
            limiter=limiter,
            metrics=metrics,
        )
        await lend_session(api, session, credentials, default_timeout_seconds)
        client = cls(session, credentials=credentials, default_timeout_seconds=default_timeout_seconds)
        client._api = api
        return client

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: str | None,
        user_agent: str,
        limiter: RequestLimiter | None = None,
        default_timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS,
        metrics: RequestMetrics | None = None,
        with_kr8s: bool = False,
        max_connections: int = MAX_CONNECTIONS,
        default_server: str | None = None,
    ) -> "Client":
        """Finds the credentials (see ``credentials.find_source``) and gives a client. No request is sent yet.

        Args:
            kubeconfig: path of a kubeconfig; None: the usual places, then the pod's service account.
            user_agent: value of the User-Agent header.
            limiter: of all requests; as many as the API server's priority and fairness takes when left out.
            default_timeout_seconds: deadline of calls that name none.
            metrics: called for each HTTP request.
            with_kr8s: makes a kr8s Api, and a client of it as ``of`` does. Otherwise the service account of a pod is
                read without kr8s, which is then loaded only when ``api`` is asked for.
            max_connections: see ``HttpTransport``.
            default_server: what to use when neither a kubeconfig nor a pod names one; without kr8s alone.

        Raises:
            CredentialsError: no credentials were found, or they cannot be read.
        """
        if with_kr8s:
            from fake_dra_driver.runtime.kubeapi import find_api  # only here: it costs 17 MiB

            return await cls.of(
                await find_api(kubeconfig),
                user_agent=user_agent,
                limiter=limiter,
                default_timeout_seconds=default_timeout_seconds,
                metrics=metrics,
                max_connections=max_connections,
            )
        credentials = await Credentials.load(kubeconfig, default_server=default_server)
        session = Session(
            HttpTransport(credentials, max_connections=max_connections),
            credentials,
            user_agent=user_agent,
            limiter=limiter,
            metrics=metrics,
        )
        return cls(session, credentials=credentials, default_timeout_seconds=default_timeout_seconds)

    @property
    def api(self) -> "Api":
        """kr8s on this client's session: ``await Pod.get("web", namespace="default", api=client.api)``.

        The Api that the client was made of, else one that is made when it is first asked for, which loads kr8s.
        """
        if self._api is None:
            from fake_dra_driver.runtime.kubeapi import make_api  # only here: it costs 17 MiB

            self._api = make_api(self._rest.session, self._credentials, self._default_timeout_seconds)
        return self._api

    def add_write_observer(self, observer: WriteObserver) -> None:
        """From now on ``observer`` gets every object a successful write returned, before the write returns it."""
        self._write_observers.append(observer)

    def add_delete_observer(self, observer: DeleteObserver) -> None:
        """From now on ``observer`` is told of every object that a delete of ours has removed, before it returns."""
        self._delete_observers.append(observer)

    async def close(self) -> None:
        """Closes all connections, those of kr8s objects included."""
        await self._rest.close()

    # --- reads ---

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads one object from the API server (a consistent read, never a cached one)."""
        call = Call("get", "GET", kind.resource, key, _object_path(kind, key))
        raw = await self._call(call, timeout_seconds)
        _check_object(call, raw)
        return decode(kind, raw)

    async def list(
        self,
        kind: type[K],
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = PAGE_SIZE,
        timeout_seconds: float | None = None,
    ) -> ListResult[K]:
        """Reads all objects of a kind, page by page, at one resourceVersion.

        When that version is compacted away between two pages, the list is started again, at last without pages.
        """
        selection = Selection(kind.resource, namespace, label_selector, field_selector)
        timeout_seconds = timeout_seconds or self._default_timeout_seconds
        for size in (page_size, page_size):
            with contextlib.suppress(GoneError):
                return await self._list(kind, selection, size, timeout_seconds)
        return await self._list(kind, selection, 0, timeout_seconds)

    async def _list(self, kind: type[K], selection: Selection, page_size: int, timeout_seconds: float) -> ListResult[K]:
        items: list[K] = []
        invalid: list[InvalidObjectError] = []
        version = ""
        async with contextlib.aclosing(
            self.list_watch.pages(selection, page_size=page_size, timeout_seconds=timeout_seconds)
        ) as pages:
            async for page in pages:
                version = page.resource_version
                for raw in page.items:
                    try:
                        items.append(decode(kind, raw))
                    except InvalidObjectError as error:
                        invalid.append(error)
        return ListResult(tuple(items), version, tuple(invalid))

    # --- writes ---

    async def create(self, obj: K, *, is_dry_run: bool = False, timeout_seconds: float | None = None) -> K:
        """Creates an object. With ``generateName`` instead of a name, the server makes the name up.

        Args:
            obj: the whole object.
            is_dry_run: whether the server is only to say what would become of it (``dryRun`` of the API).
            timeout_seconds: deadline.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        resource = obj.resource
        path = resource.path(_namespace(resource, obj.key))
        params = {"dryRun": "All"} if is_dry_run else {}
        call = Call("create", "POST", resource, obj.key, path, params, _json(obj.to_wire()))
        # Reviews (SelfSubjectAccessReview, say) have no name: they are answered, and not kept.
        is_kept = bool(obj.metadata.name or obj.metadata.generate_name) and not is_dry_run
        return await self._write(type(obj), call, timeout_seconds, is_kept=is_kept)

    async def create_subresource(
        self,
        kind: type[KubeObject],
        key: NamespacedName,
        subresource: str,
        body: Mapping[str, Any],
        *,
        timeout_seconds: float | None = None,
    ) -> Mapping[str, Any]:
        """Posts to a subresource that is no state but an action: a pod's binding or eviction, a token.

        Returns the answer as sent. What the action does to the object itself, caches learn from the watch.
        """
        path = _object_path(kind, key, subresource)
        call = Call("create", "POST", kind.resource, key, path, body=_json(body))
        return await self._call(call, timeout_seconds)

    async def update(self, obj: K, *, subresource: str | None = None, timeout_seconds: float | None = None) -> K:
        """Replaces an object; its status stays as it is where status is a subresource.

        Args:
            obj: the whole object.
            subresource: where to send it, such as ``finalize`` of a namespace.
            timeout_seconds: deadline.

        Raises:
            ConflictError: the object was written since ``obj`` was read.
        """
        return await self._put(obj, subresource, timeout_seconds)

    async def update_status(self, obj: K, *, timeout_seconds: float | None = None) -> K:
        """Replaces the status of an object and nothing else. Raises ConflictError as ``update`` does."""
        return await self._put(obj, "status", timeout_seconds)

    async def merge_patch(
        self,
        kind: type[K],
        key: NamespacedName,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        """Applies a JSON merge patch (RFC 7386): None removes a field, a list is replaced as a whole.

        Raises:
            ConflictError: ``patch`` holds ``metadata.resourceVersion``, and it is not the object's.
        """
        call = _patch_call(kind, key, subresource, MERGE_PATCH, patch)
        return await self._write(kind, call, timeout_seconds)

    async def json_patch(
        self,
        kind: type[K],
        key: NamespacedName,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        """Applies JSON patch operations (RFC 6902; ``patch.py`` makes them), all or none.

        Raises:
            PatchTestFailedError: one of the operations does not hold on the object as it is.
        """
        call = _patch_call(kind, key, subresource, JSON_PATCH, list(operations))
        return await self._write(kind, call, timeout_seconds)

    async def apply(
        self,
        kind: type[K],
        key: NamespacedName,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        timeout_seconds: float | None = None,
    ) -> K:
        """Server-side apply: the object is created, or gets the fields of ``body``, which ``field_manager`` then owns.

        Args:
            kind: the kind.
            key: the object; ``body`` need not repeat it, nor apiVersion and kind.
            body: the fields to own; fields applied before and missing here are no longer owned, and removed if no other
                manager owns them.
            field_manager: under whose name.
            force: take over fields that other managers own.
            subresource: such as ``status``.
            timeout_seconds: deadline.

        Raises:
            ConflictError: another manager owns one of the fields, and ``force`` is not set.
        """
        metadata = {**body.get("metadata", {}), "name": key.name}
        if kind.resource.namespaced:
            metadata["namespace"] = key.namespace
        whole = {**body, "apiVersion": kind.resource.api_version, "kind": kind.resource.kind, "metadata": metadata}
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        call = _patch_call(kind, key, subresource, APPLY, whole, params)
        return await self._write(kind, call, timeout_seconds)

    async def delete(
        self,
        kind: type[KubeObject],
        key: NamespacedName,
        *,
        uid: UID | None = None,
        resource_version: str | None = None,
        propagation_policy: str | None = None,
        grace_period_seconds: int | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Deletes an object, or marks it as being deleted while finalizers or a grace period hold it back.

        Args:
            kind: the kind.
            key: the object.
            uid: delete it only if it still is this one, not a successor of the same name.
            resource_version: delete it only if it was not written since.
            propagation_policy: Foreground, Background or Orphan; None: the kind's default.
            grace_period_seconds: how long a pod may take to end; 0 removes it at once, None: what it asks for itself.
            timeout_seconds: deadline.

        Raises:
            NotFoundError: it is not there.
            ConflictError: a precondition does not hold.
        """
        preconditions = {
            name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value is not None
        }
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            options["preconditions"] = preconditions
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        call = Call("delete", "DELETE", kind.resource, key, _object_path(kind, key), body=_json(options))
        raw = await self._call(call, timeout_seconds)
        # Some kinds answer with what they have removed (ReturnDeletedObject in Kubernetes), the others with a Status.
        gone = _uid_in_status(raw) if raw.get("kind") == "Status" else _check_object(call, raw)
        if gone is not None and uid is not None and gone != uid:
            raise UnusableAnswerError(call.verb, call.kind, key, "the answer is about another object of that name")
        if raw.get("kind") != "Status" and raw["metadata"].get("deletionTimestamp"):
            self._wrote(kind, raw)
        elif gone is not None:
            for observer in self._delete_observers:
                observer(kind, key, gone)

    # --- what the verbs share ---

    async def _put(self, obj: K, subresource: str | None, timeout_seconds: float | None) -> K:
        path = _object_path(type(obj), obj.key, subresource)
        call = Call("update", "PUT", obj.resource, obj.key, path, body=_json(obj.to_wire()))
        return await self._write(type(obj), call, timeout_seconds)

    async def _call(self, call: Call, timeout_seconds: float | None) -> dict[str, Any]:
        seconds = self._default_timeout_seconds if timeout_seconds is None else timeout_seconds
        return await self._rest.call(call, seconds)

    async def _write(self, kind: type[K], call: Call, timeout_seconds: float | None, *, is_kept: bool = True) -> K:
        raw = await self._call(call, timeout_seconds)
        if is_kept:
            _check_object(call, raw)
            self._wrote(kind, raw)
        return decode(kind, raw)

    def _wrote(self, kind: type[KubeObject], raw: Mapping[str, Any]) -> None:
        for observer in self._write_observers:
            observer(kind, raw)


def _check_object(call: Call, raw: Mapping[str, Any]) -> UID:
    """The UID of the object that the call is about. Raises UnusableAnswerError: the answer is something else."""
    try:
        check_type(raw, call.kind.api_version, call.kind.kind)
        key, uid, _ = identity_of(raw, call.kind)
    except ValueError as error:
        raise UnusableAnswerError(call.verb, call.kind, call.key, str(error)) from error
    if key.namespace != call.key.namespace or call.key.name not in ("", key.name):
        found = f"the answer is another object: {one_line(str(key), 2 * MAX_NAME)}"
        raise UnusableAnswerError(call.verb, call.kind, call.key, found)
    return uid


def _uid_in_status(raw: Mapping[str, Any]) -> UID | None:
    details = raw.get("details")
    uid = details.get("uid") if isinstance(details, Mapping) else None
    return UID(uid) if isinstance(uid, str) and uid else None


def _json(body: Any) -> bytes:
    # Half of a surrogate pair, which a server may have sent, is not UTF-8: it refuses such a body.
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def _namespace(resource: ResourceKind, key: NamespacedName) -> str | None:
    if resource.namespaced and not key.namespace:
        raise ValueError(f"{resource} {key} has no namespace")
    return key.namespace if resource.namespaced else None


def _object_path(kind: type[KubeObject], key: NamespacedName, subresource: str | None = None) -> str:
    if not key.name:
        raise ValueError(f"an object of {kind.resource} has no name")
    return kind.resource.path(_namespace(kind.resource, key), key.name, subresource)


def _patch_call(
    kind: type[KubeObject],
    key: NamespacedName,
    subresource: str | None,
    content_type: str,
    body: Any,
    params: Mapping[str, str] | None = None,
) -> Call:
    path = _object_path(kind, key, subresource)
    return Call("patch", "PATCH", kind.resource, key, path, params or {}, _json(body), content_type)
