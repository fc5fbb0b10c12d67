"""Validating webhooks: what they are asked, and what clients hear of their answers."""

import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.api import Api, Json, eventually
from tests.conformance.objects import config_map, core
from tests.support.certificate import write_certificate

PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NAME = "check.example.com"
UNREADABLE = "failed to call webhook: couldn't get version/kind; json parse error: "
MISFIT = "failed to call webhook: json: cannot unmarshal"
RULE: Json = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}

ODD_ANSWERS: list[tuple[Any, str]] = [
    (b"null", "received invalid webhook response: webhook response was absent"),
    (b"", "failed to call webhook: 0-length response with status code: 200 and content type: application/json"),
    (b"[]", f"{UNREADABLE}json: cannot unmarshal array into Go value of type struct {{"),
    (b'{"kind":7}', f"{UNREADABLE}json: cannot unmarshal number into Go struct field .kind of type string"),
    (b'{"a":' * 100_000, f"{UNREADABLE}invalid character '{{' exceeded max depth"),
    (b"[" * 100_000, "failed to call webhook: "),
    (b"\xff", "failed to call webhook: "),
    (b'{"response":7}', f"{MISFIT} number into Go struct field AdmissionReview.response of type"),
    ({"uid": 7}, f"{MISFIT} number into Go struct field AdmissionResponse.response.uid of type"),
    ({"allowed": "yes"}, f"{MISFIT} string into Go struct field AdmissionResponse.response.allowed of type bool"),
    ({"warnings": 7}, f"{MISFIT} number into Go struct field AdmissionResponse.response.warnings of type []string"),
    ({"warnings": [7]}, f"{MISFIT} number into Go struct field AdmissionResponse.response.warnings of type string"),
    ({"patch": "!"}, "failed to call webhook: illegal base64 data at input byte 0"),
    ({"patchType": ""}, "received invalid webhook response: validating webhook may not return response.patchType"),
    ({"status": "no"}, f"{MISFIT} string into Go struct field AdmissionResponse.response.status of type v1.Status"),
    ({"status": []}, f"{MISFIT} array into Go struct field AdmissionResponse.response.status of type v1.Status"),
    ({"status": {"code": "abc"}}, f"{MISFIT} string into Go struct field Status.response.status.code of type int32"),
    ({"status": {"code": 2**40}}, f"{MISFIT} number {2**40} into Go struct field Status.response.status.code of type"),
    ({"status": {"message": 7}}, f"{MISFIT} number into Go struct field Status.response.status.message of type"),
    (
        {"status": {"details": {"causes": 7}}},
        f"{MISFIT} number into Go struct field StatusDetails.response.status.details.causes of type []v1.StatusCause",
    ),
]
"""Answers, and what is said of them."""


class Hook:
    """A webhook on this machine: denies objects whose name begins with ``bad``, as ``answer`` says."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[Json] = []
        """Those that it was asked about, but for the markers of tests."""
        self.paths: list[str] = []
        self.answer: Callable[[Json], Json | bytes | None] = lambda _: {}
        """What the response says beside its UID and whether it is allowed; bytes: the body; None: nothing for long."""
        self.drips = False
        """Whether it sends its answers byte by byte, within some minutes."""
        self.is_over = threading.Event()
        self.certificate = write_certificate(folder).certificate.read_bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator["Hook"]:
        """Answers during the block."""
        thread = threading.Thread(target=self._server.serve_forever, name="webhook")
        thread.start()
        try:
            yield self
        finally:
            self.is_over.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = hook.respond(review["request"], self.path)
                if body is None:
                    hook.is_over.wait()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    for at in range(len(body)) if hook.drips else ():
                        self.wfile.write(body[at : at + 1])
                        hook.is_over.wait(0.2)
                    self.wfile.write(b"" if hook.drips else body)
                except OSError:
                    assert hook.drips, "only what lasts too long is not waited for"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
                """Says nothing."""

        return Handler

    def respond(self, request: Json, path: str) -> bytes | None:
        """The body of the answer."""
        marker = {"uid": request["uid"], "allowed": False, "status": {"message": "in force"}}
        written: Json = request.get("object") or request["oldObject"]
        about = written["metadata"]["name"]
        if about == "marker":
            return _review(marker)
        self.requests.append(request)
        self.paths.append(path)
        answer = self.answer(request)
        if not isinstance(answer, dict):
            return answer
        return _review({"uid": request["uid"], "allowed": not about.startswith("bad"), **answer})


def _review(response: Json) -> bytes:
    return json.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}).encode()


def _always(answer: Json | bytes) -> Callable[[Json], Json | bytes]:
    return lambda _: answer


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    """A webhook that runs."""
    with Hook(tmp_path).running() as hook:
        yield hook


@pytest.fixture
def path(namespace: str) -> str:
    """The ConfigMaps of the test's namespace."""
    return core(namespace, "configmaps")


Install = Callable[..., None]


@pytest.fixture
def install(api: Api, hook: Hook, namespace: str, path: str) -> Iterator[Install]:
    """Configures the webhook for the test's namespace, and waits until it is asked."""
    made = []

    def make(*, waits: bool = True, **fields: Any) -> None:
        config = {"url": f"https://127.0.0.1:{hook.port}/check", "caBundle": b64encode(hook.certificate).decode()}
        webhook = {
            "name": NAME,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": config,
            "rules": [RULE],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            **fields,
        }
        body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        api.post(PATH, {**body, "metadata": {"name": namespace}, "webhooks": [webhook]})
        made.append(namespace)
        if waits:
            eventually(lambda: not _is_admitted(api, path), "the webhook is asked")

    yield make
    for name in made:
        api.delete(f"{PATH}/{name}")


def _is_admitted(api: Api, path: str) -> bool:
    return api.call("POST", path, config_map("marker"), dryRun="All").status_code == 201


def test_what_it_is_asked(api: Api, hook: Hook, install: Install, path: str, namespace: str) -> None:
    install(timeoutSeconds=7)
    created = api.post(path, config_map("a", {"x": "1"}))
    changed = api.patch(f"{path}/a", {"data": {"x": "2"}})
    api.delete(f"{path}/a")
    create, update, delete = hook.requests
    assert set(hook.paths) == {"/check?timeout=7s"}
    kind, resource = {"group": "", "version": "v1", "kind": "ConfigMap"}, "configmaps"
    for request in hook.requests:
        assert request["kind"] == request["requestKind"] == kind
        assert request["resource"] == request["requestResource"] == {"group": "", "version": "v1", "resource": resource}
        assert (request["namespace"], request["name"], request["dryRun"]) == (namespace, "a", False)
        assert "system:masters" in request["userInfo"]["groups"]
    assert [each["operation"] for each in hook.requests] == ["CREATE", "UPDATE", "DELETE"]
    assert [each["options"]["kind"] for each in (create, delete)] == ["CreateOptions", "DeleteOptions"]
    assert (create["object"]["kind"], create["object"]["apiVersion"]) == ("ConfigMap", "v1")
    assert create["object"]["data"] == created["data"]
    assert create["object"]["metadata"]["uid"] == created["metadata"]["uid"]
    assert (update["oldObject"]["data"], update["object"]["data"]) == (created["data"], changed["data"])
    assert delete["oldObject"]["data"] == changed["data"]
    assert (create["oldObject"], delete["object"]) == (None, None)


def test_a_denial(api: Api, hook: Hook, install: Install, path: str) -> None:
    install()
    hook.answer = lambda _: {"status": {"message": "no bad ones", "reason": "Invalid", "code": 422}}
    words = f'admission webhook "{NAME}" denied the request: no bad ones'
    status = api.refused(422, "Invalid", "POST", path, config_map("bad"), says=words)
    assert status["message"] == words
    api.gone(f"{path}/bad")


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ({}, 400, "denied the request without explanation"),
        ({"reason": "Forbidden"}, 400, "denied the request: Forbidden"),
        ({"message": "m", "code": 403}, 403, "denied the request: m"),
        ({"message": "m", "code": 200}, 400, "denied the request: m"),
        ({"message": "m", "code": -1}, 400, "denied the request: m"),
        ({"message": "m", "code": 600}, 600, "denied the request: m"),
        ({"message": None, "status": "Success"}, 400, "denied the request without explanation"),
        (None, 400, "denied the request without explanation"),
    ],
)
def test_what_a_denial_lacks(
    api: Api, hook: Hook, install: Install, path: str, status: Json | None, code: int, words: str
) -> None:
    install()
    hook.answer = lambda _: {"status": status}
    api.refused(code, (status or {}).get("reason", ""), "POST", path, config_map("bad"), says=words)


def test_a_warning(api: Api, hook: Hook, install: Install, path: str) -> None:
    install()
    hook.answer = lambda _: {"warnings": ["think again"]}
    answer = api.call("POST", path, config_map("a"))
    assert (answer.status_code, answer.headers["Warning"]) == (201, '299 - "think again"')


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"uid": "other"}, 'received invalid webhook response: expected response.uid="'),
        ({"patch": "W10="}, "received invalid webhook response: validating webhook may not return response.patch"),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
            "received invalid webhook response: webhook response was absent",
        ),
    ],
)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_an_answer_that_does_not_count(
    api: Api, hook: Hook, install: Install, path: str, answer: Any, words: str, policy: str
) -> None:
    install(failurePolicy=policy)
    hook.answer = lambda _: answer
    if policy == "Ignore":
        api.post(path, config_map("bad"))
        return
    says = f'failed calling webhook "{NAME}": {words}'
    api.refused(500, "InternalError", "POST", path, config_map("a"), says=says)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_answers_that_cannot_be_read(api: Api, hook: Hook, install: Install, path: str, policy: str) -> None:
    install(failurePolicy=policy)
    for at, (answer, words) in enumerate(ODD_ANSWERS):
        hook.answer = _always(answer)
        if policy == "Ignore":
            api.post(path, config_map(f"bad{at}"))
            continue
        says = f'failed calling webhook "{NAME}": {words}'
        api.refused(500, "InternalError", "POST", path, config_map("bad"), says=says)


@pytest.mark.parametrize("drips", [False, True])
def test_no_answer_in_time(api: Api, hook: Hook, install: Install, path: str, drips: bool) -> None:
    install(timeoutSeconds=1)
    hook.drips = drips
    hook.answer = lambda _: {} if drips else None
    began = time.monotonic()
    read = "unexpected error when reading response body. Please retry. Original error: "
    doing = read if drips else f'Post "https://127.0.0.1:{hook.port}/check?timeout=1s"'
    says = f'failed calling webhook "{NAME}": failed to call webhook: {doing}'
    status = api.refused(500, "InternalError", "POST", path, config_map("a"), says=says)
    assert status["message"].endswith("context deadline exceeded")
    assert time.monotonic() - began < 15


def test_a_certificate_that_is_not_trusted(api: Api, hook: Hook, install: Install, path: str, tmp_path: Path) -> None:
    other = write_certificate(tmp_path / "other").certificate.read_bytes()
    url = f"https://127.0.0.1:{hook.port}/check"
    install(clientConfig={"url": url, "caBundle": b64encode(other).decode()})
    says = "tls: failed to verify certificate"
    api.refused(500, "InternalError", "POST", path, config_map("a"), says=says)
    assert hook.requests == []


def test_a_service_that_is_not_there(api: Api, install: Install, path: str, namespace: str) -> None:
    install(clientConfig={"service": {"name": "none", "namespace": namespace, "path": "/check"}})
    url = f"https://none.{namespace}.svc:443/check?timeout=10s"
    says = f'failed calling webhook "{NAME}": failed to call webhook: Post "{url}": service "none" not found'
    api.refused(500, "InternalError", "POST", path, config_map("a"), says=says)


def test_side_effects_and_a_dry_run(api: Api, hook: Hook, install: Install, path: str) -> None:
    install()
    api.call("POST", path, config_map("a"), dryRun="All")
    (request,) = hook.requests
    assert request["dryRun"] is True
    api.gone(f"{path}/a")


def test_conditions(api: Api, hook: Hook, install: Install, path: str) -> None:
    """A webhook whose conditions do not hold is not asked."""
    has_x = {"name": "x", "expression": "object != null && object.?data.?x.hasValue() || request.name == 'marker'"}
    install(matchConditions=[has_x])
    api.post(path, config_map("bad-but-not-asked"))
    assert hook.requests == []
    api.refused(400, "", "POST", path, config_map("bad", {"x": "1"}), says="denied the request")


def test_a_condition_that_cannot_be_evaluated(api: Api, hook: Hook, install: Install, path: str) -> None:
    unknown = {"name": "x", "expression": "object.metadata.name == 'marker' || object.data.x == '1'"}
    install(matchConditions=[unknown])
    says = f"expression '{unknown['expression']}' resulted in error: no such key: data"
    status = api.refused(403, "Forbidden", "POST", path, {**config_map("a"), "data": None}, says=says)
    assert status["message"] == f'configmaps "a" is forbidden: {says}'
    assert hook.requests == []


def test_labels(api: Api, hook: Hook, install: Install, path: str) -> None:
    install(objectSelector={"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]})
    api.post(path, config_map("bad-but-free", labels={"free": "y"}))
    assert hook.requests == []


def test_status_and_other_operations_are_not_asked_about(api: Api, hook: Hook, install: Install, path: str) -> None:
    install(rules=[{**RULE, "operations": ["CREATE"]}])
    api.post(path, config_map("a"))
    api.patch(f"{path}/a", {"data": {"x": "2"}})
    api.delete(f"{path}/a")
    assert [each["operation"] for each in hook.requests] == ["CREATE"]


FORM = "; desired format: https://host[/path]"


@pytest.mark.parametrize(
    ("config", "field", "problems"),
    [
        ({}, "", ["Required value: exactly one of url or service is required"]),
        (
            {"url": "https://h", "service": {"name": "a", "namespace": "b"}},
            "",
            ["Required value: exactly one of url or service is required"],
        ),
        (
            {"url": "//u:p@/?a=b#f"},
            ".url",
            [
                f"Invalid value: \"\": 'https' is the only allowed URL scheme{FORM}",
                f'Invalid value: "": host must be specified{FORM}',
                'Invalid value: "u:p": user information is not permitted in the URL',
                'Invalid value: "f": fragments are not permitted in the URL',
                'Invalid value: "a=b": query parameters are not permitted in the URL',
            ],
        ),
        *(
            (
                {"url": url},
                ".url",
                [f"Required value: url must be a valid URL: parse {json.dumps(url)}: {problem}{FORM}"],
            )
            for url, problem in [
                ("https://[::1", "missing ']' in host"),
                ("https://[x]/", 'invalid host: ParseAddr("x"): unable to parse IP'),
                ("https://[::1]x/", 'invalid port "x" after host'),
                ("https://h:x/", 'invalid port ":x" after host'),
                ("https://h/\r\nX: y", "net/url: invalid control character in URL"),
                ("https://h/%zz", 'invalid URL escape "%zz"'),
                ("https://a%41/", 'invalid URL escape "%41"'),
                ("https://a b/", 'invalid character " " in host name'),
                ("https://u:p^@h/", "net/url: invalid userinfo"),
                (":x", "missing protocol scheme"),
                ("1x://h", "first path segment in URL cannot contain colon"),
            ]
        ),
        (
            {"service": {"name": "a", "namespace": "b", "port": 0}},
            ".service.port",
            ["Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"],
        ),
        *(
            (
                {"service": {"name": "a", "namespace": "b", "path": path}},
                ".service.path",
                [f'Invalid value: "{path}": {each}' for each in problems],
            )
            for path, problems in [
                ("x", ["must start with a '/'", "segment[0] may not be empty"]),
                ("//", ["segment[0] may not be empty"]),
                ("/a//b", ["segment[1] may not be empty"]),
            ]
        ),
    ],
)
def test_where_no_webhook_is(api: Api, config: Json, field: str, problems: list[str]) -> None:
    status = api.refused(422, "Invalid", "POST", PATH, _configuration(config), says="")
    found = [(each["field"], each["message"]) for each in status["details"]["causes"]]
    assert found == [(f"webhooks[0].clientConfig{field}", each) for each in problems]


@pytest.mark.parametrize(
    "url",
    [
        "https://h?",
        "https://h:99999/x",
        "https://h:/x",
        "https://h/a b/\N{LATIN SMALL LETTER A WITH DIAERESIS}",
        "HTTPS://h",
        "https://[::1]:1/x",
        "https://[fe80::1%25en0]/",
        'https://h"/',
    ],
)
def test_where_one_may_be(api: Api, url: str) -> None:
    api.call("POST", PATH, _configuration({"url": url}), dryRun="All").raise_for_status()


def _configuration(config: Json) -> Json:
    webhook = {"name": NAME, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": config}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**head, "metadata": {"name": "address"}, "webhooks": [webhook]}


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
@pytest.mark.parametrize(
    "url", ["https://h:99999/x", "https://a..b/x", "https://h:99999/\N{BULLET} x", "https://a\N{ACCOUNT OF}/"]
)
def test_where_none_can_be_called(api: Api, install: Install, path: str, url: str, policy: str) -> None:
    install(clientConfig={"url": url}, failurePolicy=policy, waits=policy == "Fail")
    if policy == "Ignore":
        api.post(path, config_map("a"))
        return
    says = f'failed calling webhook "{NAME}": failed to call webhook: Post "'
    api.refused(500, "InternalError", "POST", path, config_map("a"), says=says)
