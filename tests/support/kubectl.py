"""Where kubectl is."""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.apiserver import ASSETS_VARIABLE

__all__ = ["NO_KUBECTL", "find_kubectl"]

NO_KUBECTL: Final = f"NO KUBECTL. TO RUN THEM, PUT ONE INTO THE FOLDER THAT {ASSETS_VARIABLE} NAMES, OR ON PATH."


@cache
def find_kubectl() -> Path | None:
    """The kubectl beside the API server under test, else the one on PATH; None when there is none."""
    folder = os.environ.get(ASSETS_VARIABLE)
    named = shutil.which("kubectl", path=folder) if folder else None
    found = named or shutil.which("kubectl")
    if found is None:
        return None
    kubectl = Path(found).resolve()
    # That of Google Cloud's SDK asks the server for its version, and then starts the one of those beside it that fits.
    versions = kubectl.parent.glob("kubectl.1.*")
    return max(versions, key=lambda path: int(path.name.rpartition(".")[2]), default=kubectl)
