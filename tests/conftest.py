"""What every test gets: the real API server, or a loud word about the tests left out because there is none.

Also: a test fails when code of the package blocks the event loop, and when it leaves a connection open.
"""

import asyncio
import inspect
import os
import signal
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest
from blockbuster import BlockBuster

import fake_dra_driver
from tests.support.apiserver import ASSETS_VARIABLE, apiserver, client, minor_release, namespace
from tests.support.kubectl import NO_KUBECTL, find_kubectl
from tests.support.leftout import leave_out, pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
from tests.support.logsink import log_into_what_is_captured

__all__ = [
    "apiserver",
    "client",
    "namespace",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]

pytest_plugins = ["tests.support.sample"]

_PACKAGE = fake_dra_driver.__name__
_PACKAGE_FOLDER = str(Path(str(fake_dra_driver.__file__)).parent)
_TESTS_FOLDER = str(Path(__file__).parent)
_NO_API_SERVER = (
    f"NO REAL API SERVER. TO RUN THEM, SET {ASSETS_VARIABLE} TO A FOLDER WITH ETCD, KUBE-APISERVER AND KUBECTL."
)
_RELEASES: Mapping[str, tuple[Callable[[int], bool], str]] = {
    "structured": (lambda minor: minor >= 32, "STRUCTURED DRA. TO RUN THEM, NAME THAT OF KUBERNETES 1.32 OR LATER."),
    "newest": (
        lambda minor: minor >= 37,
        "STRUCTURED DRA OF TODAY. TO RUN THEM, NAME THAT OF KUBERNETES 1.37 OR LATER.",
    ),
    "today": (lambda minor: minor >= 36, "DRA FEATURES OF 1.36. TO RUN THEM, NAME THAT OF KUBERNETES 1.36 OR LATER."),
    "classic": (lambda minor: minor <= 30, "CLASSIC DRA. TO RUN THEM, NAME THAT OF KUBERNETES 1.30."),
    "policies": (lambda minor: minor >= 30, "ADMISSION POLICIES. TO RUN THEM, NAME THAT OF KUBERNETES 1.30 OR LATER."),
}
"""What a test needs of an API server: which minor releases have it, and what is said of others that are named."""

# How long an example takes is the machine's business.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Keeps looptime from making an event loop that is never closed when the first test to run is no coroutine.

    Also keeps logs out of pytest's progress, unless nothing is captured (``-s``), and lets the programs that tests
    start be interrupted: a shell has what it runs in the background ignore SIGINT, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.set_event_loop(None)
    if config.getoption("capture") != "no":
        log_into_what_is_captured()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need a real API server when no binaries of one are named, or of one that is too old.

    Those that need more of it carry ``@pytest.mark.apiserver(structured=True)``, or another key of ``_RELEASES``.
    Also those that need kubectl where there is none.
    """
    if find_kubectl() is None:
        leave_out(config, items, [item for item in items if item.get_closest_marker("kubectl")], NO_KUBECTL)
    marked = {item: marker for item in items if (marker := item.get_closest_marker("apiserver"))}
    assets = os.environ.get(ASSETS_VARIABLE)
    if not assets:
        leave_out(config, items, list(marked), _NO_API_SERVER)
        return
    if not any(marker.kwargs for marker in marked.values()):
        return
    minor = minor_release(Path(assets))
    for key, (has_it, what) in _RELEASES.items():
        if not has_it(minor):
            unwanted = [item for item, marker in marked.items() if marker.kwargs.get(key)]
            leave_out(config, items, unwanted, f"THE API SERVER OF {ASSETS_VARIABLE} HAS NO {what}")


@pytest.fixture(autouse=True, scope="session")
def blocking_calls_fail() -> Iterator[None]:
    """Fails a test in which code of the package blocks the event loop: files, sleeps, sockets, sub-processes."""
    detector = BlockBuster(_PACKAGE)
    # A lock that guards a few instructions, as those of prometheus-client, is no wait.
    del detector.functions["threading.Lock.acquire"]
    for function in detector.functions.values():
        function.can_block_predicate = _either(function.can_block_predicate, _is_called_by_a_test)
        # Writing a log line is meant to block; so is looking up the source lines for a traceback in it.
        function.can_block_in("loguru/_logger.py", {"_log"})
        # The only blocking calls of kr8s: it looks whether kubeconfig or service account are there, at each log-in.
        function.can_block_in("kr8s/_config.py", {"__init__"})
        function.can_block_in("kr8s/_auth.py", {"_load_service_account"})
        # pydantic looks for plugins once in a process, when the first model is built.
        function.can_block_in("pydantic/plugin/_loader.py", {"get_plugins"})
        # The embedded API server reads the built-in types once in a process, before it serves anything.
        function.can_block_in("apiserver/types/objecttype.py", {"load"})
        # It reads each time zone once in a process: a file of 2 KB.
        function.can_block_in("cluster/cronschedule.py", {"time_zone"})
    detector.activate()
    yield
    detector.deactivate()


@pytest.fixture(autouse=True, scope="session")
def connections_left_open_fail() -> Iterator[None]:
    """Fails the test whose event loop ends with a connection open; otherwise it fails where garbage is collected."""
    close = BaseSelectorEventLoop.close

    def close_and_look(loop: BaseSelectorEventLoop) -> None:
        # asyncio lists the open ones nowhere else.
        known = () if loop.is_closed() else loop._transports.values()  # type: ignore[attr-defined]
        left = [repr(transport) for transport in known if transport._sock is not None]
        close(loop)
        assert not left, f"connections were left open: {left}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseSelectorEventLoop, "close", close_and_look)
        yield


def _either(first: Callable[..., bool], second: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *args, **kwargs: first(*args, **kwargs) or second(*args, **kwargs)


def _is_called_by_a_test(*_: object, **__: object) -> bool:
    """Whether it is not the package that blocks but a test's own function, which the package has called back."""
    frame = inspect.currentframe()
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE_FOLDER):
            return False
        if file.startswith(_TESTS_FOLDER) and file != __file__:
            return True
        frame = frame.f_back
    return False
