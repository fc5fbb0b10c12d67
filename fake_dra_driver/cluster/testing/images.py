"""Programs in Python as images: what a pod of a driver's chart runs, without an image that is built."""

import sys
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kubelet.containersetup.images import Image

__all__ = ["python_image"]


def python_image(programs: Mapping[str, str | Path], *, env: Mapping[str, str] | None = None) -> Image:
    """An image with programs in Python, run by this very interpreter.

    Its containers get what a driver's need: the credentials of their service account, and ports of their own, so that
    several nodes can run the same pod.

    Args:
        programs: by the name that pods call, such as ``{"lamp-driver": "lamp_driver"}``: the module, which need not be
            installed, only importable here; of a package its ``__main__``. Or the path of a file.
        env: more variables for its containers.

    Raises:
        ClusterError: there is no such module, or no such file.
    """
    if missing := [path for path in programs.values() if isinstance(path, Path) and not path.is_file()]:
        raise ClusterError(f"There is no file {missing[0]} that could be run")
    # The environment of this process is not that of containers. What is installed is found without it.
    installed = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    modules = [module for module in programs.values() if isinstance(module, str)]
    folders = dict.fromkeys(map(_folder_of, (*modules, "fake_dra_driver")))
    path = ":".join(str(folder) for folder in folders if folder not in installed)
    return Image(
        programs={name: (sys.executable, "-P", *_arguments(program)) for name, program in programs.items()},
        env={"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(env or {})},
        api_access=True,
        own_ports=True,
    )


def _arguments(program: str | Path) -> tuple[str, ...]:
    return ("-m", program) if isinstance(program, str) else (str(program.resolve()),)


def _folder_of(module: str) -> Path:
    """The folder from which a module is imported."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        raise ClusterError(f"There is no module {module} that could be run: Python finds none in {', '.join(sys.path)}")
    origin = Path(found.origin)
    levels = module.count(".") + (1 if origin.name == "__init__.py" else 0)
    return origin.parents[levels]
