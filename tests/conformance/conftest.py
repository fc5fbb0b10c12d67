"""The servers under test, and what each test gets from them."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.api import Api
from tests.conformance.definitions import install
from tests.conformance.objects import crd, our_crds
from tests.conformance.target import EmbeddedTarget, Kubectl, RealTarget, Target, Tested, connected
from tests.support.apiserver import ASSETS_VARIABLE, ApiServer, minor_release
from tests.support.leftout import leave_out

_CONTROLLERS = ("controllers", "workload_controllers")
"""Fixtures that need a controller manager."""
_CLASSIC_FOLDER = Path(__file__).parent / "classic"
_STRUCTURED_FOLDER = Path(__file__).parent / "structured"
_CLASSIC_MINOR = 30
"""The last release with classic DRA, which is compared with any that has it."""
_STRUCTURED_MINOR = 37
"""The release that tests of structured DRA compare with, and all others where the real server is of that release."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test against both servers, the embedded one of the release that it is compared with.

    One fixture for all folders: pytest keeps what depends on it, such as the client, until its parameter changes.
    """
    if "target" in metafunc.fixturenames:
        release = f"1.{_compared_minor(metafunc.definition.path)}"
        embedded = pytest.param(Tested(is_real=False, release=release), id="embedded")
        real = pytest.param(Tested(is_real=True, release=release), id="real", marks=pytest.mark.apiserver)
        metafunc.parametrize("target", [embedded, real], indirect=True, scope="session")


def _compared_minor(path: Path) -> int:
    """The release that the tests of a file are about. Most are about every one, and take that of the real server."""
    if path.is_relative_to(_STRUCTURED_FOLDER):
        return _STRUCTURED_MINOR
    assets = None if path.is_relative_to(_CLASSIC_FOLDER) else _assets()
    is_later = assets is not None and minor_release(assets) > _CLASSIC_MINOR
    return _STRUCTURED_MINOR if is_later else _CLASSIC_MINOR


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what a target cannot be asked for."""
    left_out: dict[str, list[pytest.Item]] = {}
    for item in items:
        reason = _reason_to_leave_out(item)
        if reason:
            left_out.setdefault(reason, []).append(item)
    for reason, unwanted in left_out.items():
        leave_out(config, items, unwanted, reason)


def _reason_to_leave_out(item: pytest.Item) -> str:
    """Why a test of this folder is not run, or an empty text."""
    if not isinstance(item, pytest.Function) or not item.path.is_relative_to(Path(__file__).parent):
        return ""
    callspec, assets = getattr(item, "callspec", None), _assets()
    tested = callspec.params.get("target") if callspec is not None else None
    is_real = tested is not None and tested.is_real
    if assets is None or not (is_real or "real_api" in item.fixturenames or "kubectl" in item.fixturenames):
        return ""
    minor, compared = minor_release(assets), _compared_minor(item.path)
    if minor > compared or (minor < compared and compared == _STRUCTURED_MINOR):
        return f"{ASSETS_VARIABLE} HAS KUBERNETES 1.{minor}, AND THESE COMPARE WITH 1.{compared}."
    if any(name in item.fixturenames for name in _CONTROLLERS) and not (assets / "kube-controller-manager").exists():
        return f"{ASSETS_VARIABLE} HAS NO KUBE-CONTROLLER-MANAGER."
    return ""


def _assets() -> Path | None:
    named = os.environ.get(ASSETS_VARIABLE)
    return Path(named) if named else None


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server under test, one for the session."""
    tested: Tested = request.param
    folder = tmp_path_factory.mktemp("target")
    if tested.is_real:
        yield RealTarget(request.getfixturevalue("apiserver"), folder, Path(os.environ[ASSETS_VARIABLE]))
    else:
        with EmbeddedTarget(folder, tested.release) as embedded:
            yield embedded


@pytest.fixture(scope="session")
def api(target: Target) -> Iterator[Api]:
    """A client of it, as its administrator."""
    with connected(target) as client:
        yield client


@pytest.fixture(scope="session")
def real_api(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A client of the real server, for tests that ask both."""
    folder = tmp_path_factory.mktemp("real")
    with connected(RealTarget(apiserver, folder, Path(os.environ[ASSETS_VARIABLE]))) as client:
        _add_service_account(client)
        yield client


@pytest.fixture(scope="session")
def embedded_api(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A client of an embedded server of the real one's release, for tests that ask both."""
    release = f"1.{_STRUCTURED_MINOR if apiserver.minor > _CLASSIC_MINOR else _CLASSIC_MINOR}"
    with EmbeddedTarget(tmp_path_factory.mktemp("embedded"), release) as target, connected(target) as client:
        _add_service_account(client)
        yield client


def _add_service_account(api: Api) -> None:
    """Pods are refused without; a controller would make it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    assert api.call("POST", "/api/v1/namespaces/default/serviceaccounts", account).status_code in (201, 409)


@pytest.fixture(scope="session")
def minor(target: Target) -> int:
    """The minor release of the server under test, 30 for 1.30: many details have changed since."""
    return target.minor


@pytest.fixture
def namespace(api: Api) -> str:
    """The name of a fresh namespace, which is left behind. Unique enough to name cluster-wide objects after."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture(scope="session")
def served_widgets(api: Api) -> str:
    """The group of a kind Widget (``objects.crd``), which is served."""
    group = "conformance.example.com"
    install(api, crd(group))
    return group


@pytest.fixture
def widgets(served_widgets: str, namespace: str) -> str:
    """The path of the widgets of the test's namespace."""
    return f"/apis/{served_widgets}/v1/namespaces/{namespace}/widgets"


@pytest.fixture(scope="session")
def our_kinds(api: Api) -> None:
    """The driver's own kinds, installed from the rendered files."""
    for definition in our_crds():
        install(api, definition)


@pytest.fixture(scope="session")
def controllers(target: Target) -> Iterator[None]:
    """What collects garbage and empties namespaces, running."""
    with target.controllers("garbage-collector", "namespace"):
        yield


@pytest.fixture
def workload_controllers(target: Target) -> Iterator[None]:
    """What makes pods of Deployments, running for one test: others want theirs to be left alone."""
    with target.controllers("deployment", "replicaset"):
        yield


@pytest.fixture(scope="session")
def kubectl_cache(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where kubectl remembers what a server serves."""
    return tmp_path_factory.mktemp("kubectl")


@pytest.fixture
def kubectl(target: Target, namespace: str, kubectl_cache: Path) -> Kubectl:
    """kubectl of ``KUBEBUILDER_ASSETS``, in the test's namespace: its tests carry ``@pytest.mark.apiserver``."""
    return Kubectl(Path(os.environ[ASSETS_VARIABLE]) / "kubectl", target, namespace, kubectl_cache)
