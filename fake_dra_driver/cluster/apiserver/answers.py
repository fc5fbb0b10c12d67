"""Answers: objects, lists and watch events as bytes, errors as Status.

Follows k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.negotiation import Accept
from fake_dra_driver.cluster.apiserver.reading import WatchLine, whole
from fake_dra_driver.cluster.apiserver.resource import Resource
from fake_dra_driver.cluster.apiserver.store import Object, Record, encode
from fake_dra_driver.cluster.apiserver.table import partial_metadata, table

__all__ = ["deleted_status", "error_response", "json_response", "line_encoder", "list_bytes", "page_not_found"]


def json_response(body: Object | bytes, status: int = 200, content_type: str = "application/json") -> web.Response:
    """An answer in JSON."""
    raw = body if isinstance(body, bytes) else encode(body)
    return web.Response(body=raw, status=status, headers={"Content-Type": content_type})


def error_response(error: StatusError) -> web.Response:
    """The answer for a refused request."""
    response = json_response(error.to_object(), error.code)
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry:
        response.headers["Retry-After"] = str(retry)
    return response


def line_encoder(resource: Resource, accept: Accept, include: str) -> Callable[[WatchLine], bytes]:
    """The function that makes the bytes of a watch event. A stream of Tables has the columns in its first one only."""
    first = True

    def encoded(line: WatchLine) -> bytes:
        nonlocal first
        kind, record = line
        if accept.form == "Table":
            metadata = {"resourceVersion": record.value["metadata"].get("resourceVersion", "")}
            rows = [record.value] if kind != "BOOKMARK" else []
            body = encode(table(resource, rows, metadata, include, headers=first))
            first = False
        elif accept.form:
            body = encode(partial_metadata(record.value))
        else:
            body = whole(resource, record)
        return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"

    return encoded


def list_bytes(resource: Resource, records: list[Record], metadata: Mapping[str, Any]) -> bytes:
    """A list, joined from the stored bytes. Items of built-in kinds come without kind and apiVersion, as in Go."""
    items = b",".join(whole(resource, each) if resource.custom else each.body for each in records)
    head = f'{{"kind":"{resource.list_kind}","apiVersion":"{resource.api_version}","metadata":'.encode()
    return head + encode(metadata) + b',"items":[' + items + b"]}\n"


def deleted_status(resource: Resource, record: Record) -> Object:
    """The Status that tells of an object that is gone."""
    details = {"name": record.key.name, "kind": resource.plural, "uid": record.value["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def page_not_found() -> web.Response:
    """The answer for a path that is nothing at all."""
    return web.Response(status=404, text="404 page not found\n")
