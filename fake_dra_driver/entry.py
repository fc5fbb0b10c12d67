"""Where the programs begin: they import the command line, which takes half a second, and run it.

Ctrl-C ends a program without a word from its first moment on.
"""

from importlib import import_module
from typing import Final

__all__ = ["controller", "kubelet_plugin", "main", "set_nas_status"]

_EXIT_INTERRUPTED: Final = 130
"""128 and SIGINT, as a shell reports it."""


def main() -> int:
    """``fake-dra-driver``. Returns the exit status, as the others do."""
    return _run("main")


def controller() -> int:
    """``fake-dra-controller``."""
    return _run("controller")


def kubelet_plugin() -> int:
    """``fake-dra-kubeletplugin``."""
    return _run("kubelet_plugin")


def set_nas_status() -> int:
    """``set-nas-status``."""
    return _run("set_nas_status")


def _run(program: str) -> int:
    try:
        status: int = getattr(import_module("fake_dra_driver.cli"), program)()
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return status
