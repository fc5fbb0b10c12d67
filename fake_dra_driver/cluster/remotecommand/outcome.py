"""How a session has ended: the Status that goes through its error stream.

Follows k8s.io/kubelet/pkg/cri/streaming/remotecommand (exec.go, attach.go).
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ended", "failed"]


def ended(command: Sequence[str], exit_code: int) -> Mapping[str, Any]:
    """The command has ended by itself, or by a signal."""
    if exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    said = f"error executing command [{' '.join(command)}], exit code {exit_code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {said}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


def failed(message: str) -> Mapping[str, Any]:
    """There was nothing to run, or it could not be run."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
