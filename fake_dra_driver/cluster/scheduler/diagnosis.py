"""Why a pod fits nowhere, in the words of kube-scheduler: people and tests know these sentences.

Follows FitError of k8s.io/kubernetes/pkg/scheduler/framework/types.go, and what its PostFilter plugins add.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["NO_NODES", "fit_error", "preemption_note"]

NO_NODES = "no nodes available to schedule pods"


def fit_error(nodes: int, *, everywhere: str = "", reasons: Sequence[str] = (), notes: str = "") -> str:
    """The message of a FailedScheduling event.

    Args:
        nodes: how many there are.
        everywhere: what rules out all of them at once.
        reasons: what rules out each of them, where nothing rules out all.
        notes: what was tried to help, with a full stop of its own.
    """
    sentence = everywhere or _counted(reasons)
    return " ".join(
        [f"0/{nodes} nodes are available:", *([f"{sentence}."] if sentence else []), *([notes] if notes else [])]
    )


def _counted(reasons: Iterable[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in Counter(reasons).items()))


def preemption_note(nodes: int, *, resolvable: int = 0) -> str:
    """What preemption says: there is nothing here that a pod of lower priority could make room for.

    Args:
        nodes: how many there are.
        resolvable: how many of them would take the pod if others ended.
    """
    reasons = [
        *["Preemption is not helpful for scheduling"] * (nodes - resolvable),
        *["No preemption victims found for incoming pod"] * resolvable,
    ]
    return f"preemption: {fit_error(nodes, reasons=reasons)}"
