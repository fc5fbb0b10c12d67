"""A claim as the kubelet names it in a call, and what is wrong with one that makes no sense."""

import re
from dataclasses import dataclass

from fake_dra_driver.api.kube.meta import UID

__all__ = ["NodeClaim"]

MAX_SHOWN = 80
"""Characters of a name that a message shows, where the name is garbage."""

# The names as the API server lets them through (RFC 1123 label and subdomain). A UID is any text to Kubernetes, but it
# ends up in file and CDI names, so what could leave a folder or a CDI name is refused.
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class NodeClaim:
    """A claim by its identity, which is all that a kubelet of structured DRA says of it. Unchecked."""

    namespace: str
    name: str
    uid: UID

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def problem(self) -> str | None:
        """Why the API server cannot have such a claim; None when it can."""
        if not self.uid:
            return f"claim {_shown(self.namespace)}/{_shown(self.name)} has no UID"
        if not _UID.fullmatch(self.uid):
            return f"UID {_shown(self.uid)} has characters other than letters, digits, '-', '_' and '.', or is too long"
        if not _NAMESPACE.fullmatch(self.namespace):
            return f"{_shown(self.namespace)} is not the name of a namespace"
        if not _NAME.fullmatch(self.name):
            return f"{_shown(self.name)} is not the name of a claim"
        return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
