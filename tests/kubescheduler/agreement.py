"""Examples for which a cluster, or the allocator alone, does not do what kube-scheduler does."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from tests.kubescheduler.cluster import ClusterUnderTest
from tests.kubescheduler.example import UNTOLD, Example, Outcome, Run
from tests.kubescheduler.judge import IN_FILTER, TIMED_OUT, differences
from tests.kubescheduler.smaller import smallest

__all__ = ["Disagreement", "cluster_differences", "compare", "disagreements", "shrunk"]

_UNMAPPED: Final = "Insufficient deviceclass.resource.kubernetes.io/"
"""Said of a class that names the same extended resource as one which the scheduler has seen before it and prefers: it
then forgets what the class stands for by its own name. Here that does not depend on the order in which classes come."""
_NEVER_BOUND: Final = "nil or empty request mappings, no update of pod"
"""Of a pod with claims and an extended resource that a class has, on a node where a device plugin has that resource as
well: kube-scheduler finds out when it binds the pod, each time again. The embedded one binds it."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An example, and what about it is different."""

    example: Example
    real: Run
    """What kube-scheduler has done."""
    texts: Sequence[str]

    def __str__(self) -> str:
        """All that is needed to look into it."""
        real = json.dumps([asdict(each) for each in self.real.outcomes], indent=1, ensure_ascii=False)
        return "\n".join((*self.texts, "kube-scheduler:", real, "with:", self.example.to_json()))


async def disagreements(
    real: ClusterUnderTest, embedded: ClusterUnderTest, examples: Sequence[Example]
) -> Sequence[Disagreement]:
    """The examples that are different also when they are run a second time, each alone.

    A scheduler sees what is created by several watches, so it may try a pod before it knows of a slice that was made
    before the pod, and then again. Alone that is next to impossible, and twice in a row even more so.
    """
    suspects = [each.example for each in await compare(real, embedded, examples)]
    return [found for each in suspects for found in await compare(real, embedded, [each])]


async def compare(
    real: ClusterUnderTest, embedded: ClusterUnderTest, examples: Sequence[Example]
) -> Sequence[Disagreement]:
    """Runs the examples in both clusters, and looks for those that are different."""
    theirs, ours = await asyncio.gather(real.run(examples), embedded.run(examples))
    found = []
    for example, real_run, our_run in zip(examples, theirs, ours, strict=True):
        if real_run.invalid or our_run.invalid:
            texts: Sequence[str] = () if real_run.invalid and our_run.invalid else _invalid(real_run, our_run)
        else:
            texts = [
                *(f"allocator: {text}" for text in differences(example, real_run.outcomes)),
                *(f"embedded cluster: {text}" for text in cluster_differences(real_run, our_run)),
            ]
        if texts:
            found.append(Disagreement(example, real_run, texts))
    return found


def _invalid(real: Run, ours: Run) -> Sequence[str]:
    return [f"API server: {real.invalid or 'accepted'}; the embedded one: {ours.invalid or 'accepted'}"]


def cluster_differences(real: Run, ours: Run) -> Sequence[str]:
    """How the outcomes in another cluster differ.

    Among nodes of equal score kube-scheduler chooses at random, and of errors on several nodes it tells the one that
    came first. From the first pod on with which something else happened, there is nothing to compare: whether that was
    as good is a question for ``judge``.
    """
    for number, (theirs, mine) in enumerate(zip(real.outcomes, ours.outcomes, strict=True)):
        if _may_differ(theirs, mine):
            return ()
        if theirs != mine:
            return [f"pod {number}: {_parts(mine, theirs)}"]
    return ()


def _may_differ(theirs: Outcome, mine: Outcome) -> bool:
    if theirs.node and mine.node:
        return theirs.node != mine.node or (theirs.node == UNTOLD and theirs.allocations != mine.allocations)
    if theirs.refusal.startswith(IN_FILTER) and mine.refusal.startswith(IN_FILTER):
        return theirs.refusal != mine.refusal
    return any(part in theirs.refusal for part in (_UNMAPPED, _NEVER_BOUND, TIMED_OUT))


def _parts(mine: object, theirs: object) -> Mapping[str, object]:
    """Both, where they are different."""
    left, right = asdict(mine), asdict(theirs)  # type: ignore[call-overload]
    return {key: {"ours": left[key], "real": right[key]} for key in left if left[key] != right[key]}


async def shrunk(real: ClusterUnderTest, embedded: ClusterUnderTest, found: Disagreement) -> Disagreement:
    """The smallest example that is different in the same part: the allocator, or the rest of the cluster."""
    part = found.texts[0].partition(":")[0]

    async def hold(examples: Sequence[Example]) -> Sequence[bool]:
        still = [each.example for each in await compare(real, embedded, examples) if each.texts[0].startswith(part)]
        return [any(each is example for each in still) for example in examples]

    example = await smallest(found.example, hold)
    return next(iter(await compare(real, embedded, [example])), found)
