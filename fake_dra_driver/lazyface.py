"""The face of a package whose names are imported when they are first used (PEP 562).

A program that imports a face pays for what it uses and nothing else: the kubelet plugin loads no controllers, the
controller no gRPC. The package imports the same names below ``TYPE_CHECKING``, for type checkers and editors.
(``lazy_loader`` does this too, from stub files that would have to be shipped and kept beside each package.)
"""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy_face"]


def lazy_face(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        modules: by name: the module that defines it, relative to the package; with a point in front, to the one above.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{modules[name]}", package), name)

    def names() -> list[str]:
        return sorted(modules)

    return get, names
