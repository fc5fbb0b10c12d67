"""KWOK's controller, as it is published: keeps Nodes without a kubelet Ready, and says that their pods run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from typing import Any, Final

__all__ = ["ANNOTATION", "find_kwok", "kwok_command", "kwok_node", "running_kwok"]

ANNOTATION: Final = "kwok.x-k8s.io/node"
"""Of the Nodes that it looks after, with the value ``fake``."""

_CACHE: Final = "KUBE_CACHE"
_STOP_SECONDS: Final = 20


def find_kwok() -> Path:
    """The program, as ``build kwok`` of KUBE_DIR leaves it. Raises FileNotFoundError, saying what to do."""
    cache = Path(os.environ.get(_CACHE) or Path.home() / ".cache/kube-assets")
    program = cache / "bin/kwok"
    if not program.exists():
        raise FileNotFoundError(f"there is no {program}: `build kwok` of KUBE_DIR makes it")
    return program


def kwok_command(kubeconfig: Path) -> Sequence[str]:
    """Runs it on a cluster, for the nodes with the annotation, with the stages that it has by default."""
    return [
        str(find_kwok()),
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
    ]


@contextmanager
def running_kwok(kubeconfig: Path, log: Path) -> Iterator[None]:
    """Runs it for the block. What it prints is in ``log``."""
    with log.open("ab") as output:
        process = Popen(kwok_command(kubeconfig), stdin=DEVNULL, stdout=output, stderr=STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def kwok_node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    cpu: str = "32",
    memory: str = "256Gi",
    pods: int = 110,
) -> dict[str, Any]:
    """A Node for it, as its documentation shows them: what it has, and a taint that real pods do not tolerate."""
    capacity = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok", **(labels or {})},
        },
        "spec": {"taints": [{"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"capacity": capacity, "allocatable": capacity},
    }
