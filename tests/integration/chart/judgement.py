"""Whether all is well with an installation: each object by itself, and all of them together."""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.integration.chart.installation import Installation
from tests.integration.chart.judge import Judge
from tests.integration.chart.rendering import Object
from tests.integration.chart.rules import problems

__all__ = ["assert_accepted", "by_likeness"]

_SERVED_BY_REAL_SERVERS_ALONE: Final = frozenset(
    {"networking.k8s.io/v1/NetworkPolicy", "policy/v1/PodDisruptionBudget", "v1/ResourceQuota"}
)
"""Kinds that the embedded API server does not have: the tests with a real one judge objects of these."""


def assert_accepted(installation: Installation, objects: Sequence[Object], judges: Sequence[Judge]) -> None:
    """Fails with all that is wrong. Of several servers the first is asked that has the kind."""
    found = [*problems(installation, objects)]
    for each in objects:
        able = next((judge for judge in judges if judge.serves(each.kind)), None)
        if able is None:
            assert each.kind in _SERVED_BY_REAL_SERVERS_ALONE, f"there is no kind {each.kind} in any release"
        else:
            objection = able.objection(each)
            found += [f"{each}: {objection}\n{each.text}"] if objection else []
    assert not found, "\n".join(found)


def by_likeness(judges: Mapping[str, Judge], installation: Installation) -> Sequence[Judge]:
    """The servers by release, the one that is most like the installation's first."""
    wanted = _minor(installation.cluster.release)
    return [judges[release] for release in sorted(judges, key=lambda one: abs(_minor(one) - wanted))]


def _minor(release: str) -> int:
    return int(release.split(".")[1])
