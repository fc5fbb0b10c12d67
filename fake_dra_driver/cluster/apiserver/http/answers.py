"""Answers: objects, lists and watch events as bytes, errors as Status.

Follows k8s.io/apiserver/pkg/endpoints/handlers/responsewriters. Objects keep the bytes that the store has of them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, go_value, invalid_value, not_acceptable
from fake_dra_driver.cluster.apiserver.http import protobuf
from fake_dra_driver.cluster.apiserver.http.negotiation import Accept
from fake_dra_driver.cluster.apiserver.http.warningheaders import warning_headers
from fake_dra_driver.cluster.apiserver.message import JSON, PROTOBUF, YAML, Answer, Request
from fake_dra_driver.cluster.apiserver.store.store import Object, Record, encode
from fake_dra_driver.cluster.apiserver.tables.table import partial_metadata, table
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.verbs.reading import Page, WatchLine, bare, whole

__all__ = ["View", "deleted_status", "error_answer", "json_answer", "page_not_found", "text_answer"]


_INCLUDED = ("Metadata", "Object", "None")


@dataclass(frozen=True, slots=True)
class View:
    """How one request wants to see the objects of a resource."""

    resource: Resource
    accept: Accept
    include: str
    """How much of its object a row of a Table carries: None, Metadata or Object."""
    now: datetime
    """The time that ages in Tables are relative to."""

    @classmethod
    def of(cls, request: Request, resource: Resource, now: datetime) -> "View":
        """The view that a request asks for. Raises StatusError (400, 406)."""
        accept = Accept.parse(request.header("accept"))
        if accept.media == PROTOBUF and resource.custom and not accept.form:
            raise not_acceptable((JSON, YAML))
        include = request.query.get("includeObject", "") or "Metadata"
        if accept.form == "Table" and include not in _INCLUDED:
            problem = invalid_value(
                "includeObject", go_value(include), "must be 'Metadata', 'Object', 'None', or empty"
            )
            raise bad_request(f"Unable to convert to Table as requested: {problem}")
        return cls(resource, accept, include, now)

    def object(self, record: Record, status: int = 200, warnings: Sequence[str] = ()) -> Answer:
        """One object. Raises StatusError (406)."""
        self.accept.check(self.resource.kind, is_list=False)
        body = self._body(record, [record.value], headers=True)
        return Answer(status, body, headers=tuple(warning_headers(warnings)))

    def list(self, page: Page) -> Answer:
        """A list. Items of built-in kinds have neither kind nor apiVersion, as in Go. Raises StatusError (406)."""
        self.accept.check(self.resource.list_kind, is_list=True)
        if self.accept.form == "Table":
            return json_answer(self._table([each.value for each in page.records], page.metadata))
        if self.accept.form:
            items = [partial_metadata(each.value) for each in page.records]
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return json_answer({**kind, "metadata": page.metadata, "items": items})
        return json_answer(self.list_bytes(page))

    def list_bytes(self, page: Page) -> bytes:
        """A list, joined from the stored bytes."""
        resource = self.resource
        shown = whole if resource.custom else bare
        joined = b",".join(shown(resource, each) for each in page.records)
        head = f'{{"kind":"{resource.list_kind}","apiVersion":"{resource.api_version}","metadata":'.encode()
        return head + encode(page.metadata) + b',"items":[' + joined + b"]}\n"

    def event_encoder(self) -> Callable[[WatchLine], bytes]:
        """Makes the bytes of a watch's events. Of a stream of Tables only the first one has the columns."""
        is_first = True

        def encoded(line: WatchLine) -> bytes:
            nonlocal is_first
            kind, record = line
            # A Table has a row for the bookmark that has something to say.
            is_empty = kind == "BOOKMARK" and not record.value["metadata"].get("annotations")
            body = self._body(record, [] if is_empty else [record.value], headers=is_first)
            is_first = False
            return self._event(kind, body)

        return encoded

    def error_event(self, error: StatusError) -> bytes:
        """The last event of a watch that fails."""
        return self._event("ERROR", encode(error.to_object()))

    @property
    def stream_type(self) -> str:
        """The media type of a watch."""
        return f"{PROTOBUF};stream=watch" if self.accept.media == PROTOBUF else JSON

    def _event(self, kind: str, body: bytes) -> bytes:
        if self.accept.media == PROTOBUF:
            return protobuf.encode_event(kind, json.loads(body))
        return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"

    def _body(self, record: Record, rows: Sequence[Object], *, headers: bool) -> bytes:
        if self.accept.form == "Table":
            metadata = {"resourceVersion": record.value["metadata"].get("resourceVersion", "")}
            return encode(self._table(rows, metadata, headers=headers))
        if self.accept.form:
            return encode(partial_metadata(record.value))
        return whole(self.resource, record)

    def _table(self, rows: Sequence[Object], metadata: Object, *, headers: bool = True) -> Object:
        return table(self.resource, rows, metadata, self.include, self.now, headers=headers)


def json_answer(body: Object | bytes, status: int = 200, content_type: str = JSON) -> Answer:
    """An answer in JSON."""
    return Answer(status, body if isinstance(body, bytes) else encode(body), content_type)


def text_answer(text: str, status: int = 200) -> Answer:
    """An answer for people."""
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def page_not_found() -> Answer:
    """The answer for a path that nothing is served at."""
    return text_answer("404 page not found\n", 404)


def error_answer(error: StatusError) -> Answer:
    """The answer to a refused request."""
    retry = (error.details or {}).get("retryAfterSeconds")
    headers = (("Retry-After", str(retry)),) if retry else ()
    return Answer(error.code, encode(error.to_object()), headers=headers)


def deleted_status(resource: Resource, record: Record) -> Object:
    """The Status that reports a deleted object."""
    details = {"name": record.key.name, "kind": resource.plural, "uid": record.value["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
