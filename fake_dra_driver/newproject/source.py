"""Where a new project gets this library from: the place that the running one was installed from.

A package index may not have it yet, so a project that only named it there could not be installed. pip and uv write down
what they installed a package from (``direct_url.json``, PEP 610).
"""

import json
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fake_dra_driver import __version__

__all__ = ["library_source"]

_NAME = "fake-dra-driver"


def library_source(
    package: Path = Path(__file__).parents[1], find: Callable[[str], Distribution] = distribution
) -> str:
    """What pip is to install: a folder, a wheel, an address, or the name of the package with its version. Blocks.

    Args:
        package: the folder of the running package.
        find: gives what is installed under a name, or raises PackageNotFoundError.
    """
    checkout = package.parent / "pyproject.toml"
    if checkout.is_file() and f'name = "{_NAME}"' in checkout.read_text(encoding="utf-8"):
        return str(checkout.parent)
    try:
        installed = find(_NAME)
    except PackageNotFoundError:
        return f"{_NAME}=={__version__}"
    return _origin(installed) or f"{_NAME}=={installed.version}"


def _origin(installed: Distribution) -> str:
    """What a distribution was installed from; empty: from an index, or from a file that is gone."""
    text = installed.read_text("direct_url.json")
    if not text:
        return ""
    origin = json.loads(text)
    url = str(origin.get("url", ""))
    if url.startswith("file:"):
        path = Path(url2pathname(urlsplit(url).path))
        return str(path) if path.exists() else ""
    version_control = origin.get("vcs_info") or {}
    if version_control:
        return f"{_NAME} @ {version_control['vcs']}+{url}@{version_control['commit_id']}"
    return f"{_NAME} @ {url}"
