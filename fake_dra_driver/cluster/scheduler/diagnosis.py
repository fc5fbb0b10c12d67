"""Why a pod fits nowhere, in the words of kube-scheduler: people and tests know these sentences.

Follows FitError of k8s.io/kubernetes/pkg/scheduler/framework/types.go, and what its PostFilter plugins add.
"""

from collections import Counter
from collections.abc import Sequence

__all__ = ["NO_NODES", "fit_error", "preemption_note"]

NO_NODES = "no nodes available to schedule pods"


def fit_error(nodes: int, *, everywhere: str = "", reasons: Sequence[str] = (), notes: str = "") -> str:
    """The message of a FailedScheduling event.

    Args:
        nodes: how many there are.
        everywhere: what rules out all of them at once.
        reasons: what rules out each of them, where nothing rules out all.
        notes: what was tried to help.
    """
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    sentences = [each for each in (everywhere or ", ".join(counted), notes) if each]
    return f"0/{nodes} nodes are available:" + "".join(f" {each}." for each in sentences)


def preemption_note(nodes: int) -> str:
    """What preemption says: there is nothing here that a pod of lower priority could make room for."""
    reasons = ["Preemption is not helpful for scheduling"] * nodes
    return f"preemption: {fit_error(nodes, reasons=reasons)}"
