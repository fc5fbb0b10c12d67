"""Looks for what would help: changes tried on nodes, the nearest first, and classes that could have been meant."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from fake_dra_driver.allocation.explanation import (
    FewerDevices,
    FreeClaims,
    OtherClass,
    Situation,
    changes_that_help,
    helps,
    requested_by,
)
from fake_dra_driver.allocation.obstacles import PoolObstacle
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.advice import ValuesThere, suggestion
from fake_dra_driver.why.nodeanswer import NodeAnswer
from fake_dra_driver.why.nodefilter import keeps_away
from fake_dra_driver.why.report import Suggestion
from fake_dra_driver.why.snapshot import Snapshot
from fake_dra_driver.why.words import Words, listed

__all__ = ["NOTHING_SMALL", "Remedies"]

MAX_SEARCHED: Final = 12
"""Changes are looked for on so many nodes, of different groups, at most: the first of each, the nearest first."""
MAX_ALIKE: Final = 50
"""A change is tried on so many nodes of a group: the answer is the same on nearly all of them, and yet no guess."""
NOTHING_SMALL: Final = Suggestion(
    change="Other",
    message="none of the small changes that were tried is enough: it takes nodes with other devices, or with more",
    verified=False,
)


class Remedies:
    """What would help a pod, or a claim by itself.

    Args:
        situation: in which the changes are tried.
        snapshot: what was read.
        claims: those that wait.
        pod: None: no pod uses the claim.
        words: for people.
    """

    def __init__(
        self,
        situation: Situation,
        snapshot: Snapshot,
        claims: Sequence[v1.ResourceClaim],
        pod: Pod | None,
        words: Words,
    ) -> None:
        self._situation = situation
        self._snapshot = snapshot
        self._claims = claims
        self._pod = pod
        self._words = words

    def on_nodes(self, groups: Sequence[Sequence[NodeAnswer]]) -> Iterator[Suggestion]:
        """What would help on the nodes, the nearest first; of requests for fewer devices, the one for most of them."""
        claims, situation = self._claims, self._situation
        read = ValuesThere.of(answer.finding for members in groups for answer in members)
        fewer: list[tuple[int, Suggestion]] = []
        for members in groups[:MAX_SEARCHED]:
            answer = members[0]
            finding = answer.finding
            if answer.elsewhere:
                continue
            if finding.fits:
                yield _let_in(members)
            elif not answer.away:
                for change in changes_that_help(situation, finding):
                    alike = members[:1] if isinstance(change, FreeClaims) else members[:MAX_ALIKE]
                    nodes = [each.name for each in alike if helps(situation, each.finding.node, change)]
                    made = suggestion(change, claims, nodes, self._words, read)
                    if isinstance(change, FewerDevices):
                        fewer.append((change.count, made))
                    else:
                        yield made
            yield from map(_completed, finding.pools)
        yield from (made for _, made in sorted(fewer, key=lambda each: -each[0]))
        yield from self._nothing_of_class(groups)

    def classes_instead(self) -> Iterator[Suggestion]:
        """Which classes that exist could have been meant by those that do not."""
        known = self._situation.classes
        pod = self._pod
        nodes = [node for node in self._snapshot.nodes if pod is None or not any(keeps_away(node, pod))]
        for requested in requested_by(self._claims):
            wanted = requested.spec.device_class_name
            if wanted in known:
                continue
            for name in known if len(known) == 1 else get_close_matches(wanted, known):
                change = OtherClass(requested, name)
                fitting = [node.metadata.name for node in nodes[:MAX_ALIKE] if helps(self._situation, node, change)]
                if fitting:
                    yield suggestion(change, self._claims, fitting, self._words)

    def _nothing_of_class(self, groups: Sequence[Sequence[NodeAnswer]]) -> Iterator[Suggestion]:
        """That no driver publishes any device of a class."""
        drivers = sorted({each.spec.driver for each in self._snapshot.slices})
        answers = [answer for members in groups for answer in members]
        if any(answer.finding.pools for answer in answers):
            return  # the devices of a pool that cannot be used may well be of the class
        for at, finding in enumerate(answers[0].finding.requests if answers else ()):
            requests = [answer.finding.requests[at] for answer in answers if len(answer.finding.requests) > at]
            candidates = [each for request in requests for each in request.candidates]
            if not candidates or not all(each.is_of_other_class for each in candidates):
                continue
            name = finding.requested.spec.device_class_name
            yield Suggestion(
                change="Other",
                message=f"see that the driver of DeviceClass {short_name(name)} runs: no node has a device of this "
                f"class; devices are published by {listed(drivers, 8)}",
                verified=False,
            )


def _completed(obstacle: PoolObstacle) -> Suggestion:
    """What to do about a pool that cannot be used."""
    pool, driver = short_name(obstacle.pool.pool), short_name(obstacle.pool.driver)
    message = f"let driver {driver} publish all slices of pool {pool}: where it does not, its pod's log says why"
    return Suggestion(change="CompletePool", message=message, verified=False)


def _let_in(members: Sequence[NodeAnswer]) -> Suggestion:
    """What lets the pod on nodes that have the devices."""
    remedies = [each.remedy for each in members[0].away]
    return Suggestion(
        change=members[0].away[0].change,
        message=", and ".join(remedies),
        nodes=tuple(answer.name for answer in members if [each.remedy for each in answer.away] == remedies),
        verified=True,
        steps=len(remedies),
    )
