"""Random installations: each renders, and every object is accepted; or the chart says in its own words why not."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, given, settings

from tests.crash.bounds import examples
from tests.integration.chart.installation import ALIASES, Cluster, Installation, installations
from tests.integration.chart.judge import Judge
from tests.integration.chart.judgement import assert_accepted, by_likeness
from tests.integration.chart.rendering import Refused, Renderer
from tests.integration.chart.values import leaves, value_of

RELEASES: Final = tuple(f"1.{minor}.0" for minor in range(27, 38))
"""Of Kubernetes; 1.31 has no DRA that the driver speaks, which the chart says."""
# Each try runs helm: to make a failure smaller would take minutes, and it says plainly what is wrong with which object.
_PHASES: Final = (Phase.explicit, Phase.generate)
TOP_LEVEL, SUBCHART = st.none(), st.sampled_from(ALIASES)


class Tally:
    """How many installations were refused, of how many."""

    def __init__(self) -> None:
        self.tried = 0
        self.refused: list[str] = []

    def render(self, helm: Renderer, installation: Installation) -> Sequence[Any]:
        """What helm renders; nothing where the chart refuses, which is counted."""
        self.tried += 1
        rendered = helm.render(installation)
        if isinstance(rendered, Refused):
            self.refused.append(rendered.words)
            return ()
        return rendered

    def assert_most_render(self) -> None:
        """A chart that refuses everything passes every other check."""
        assert len(self.refused) * 3 <= self.tried, self.refused


def clusters_of(judges: Mapping[str, Judge]) -> Sequence[Cluster]:
    """No cluster at all, for each release, and the servers, of which helm is told all or the group versions alone."""
    told = [
        cluster
        for release, judge in judges.items()
        for cluster in (
            Cluster(f"{release}.0", "kinds", judge.served),
            Cluster(f"{release}.0", "group versions", sorted(judge.group_versions)),
        )
    ]
    return [*map(Cluster, RELEASES), *told]


def test_values_of_every_kind_can_be_drawn(schema: Mapping[str, Any]) -> None:
    for leaf in leaves(schema):
        assert not value_of(leaf).is_empty


@pytest.mark.parametrize("place", [TOP_LEVEL, SUBCHART], ids=["chart", "subchart"])
def test_every_installation_is_accepted_or_refused_in_plain_words(
    helm: Renderer,
    schema: Mapping[str, Any],
    embedded_judges: Mapping[str, Judge],
    place: st.SearchStrategy[str | None],
) -> None:
    tally = Tally()

    @settings(examples(20, 3_000), phases=_PHASES)
    @given(installations(schema, clusters_of(embedded_judges), place))
    def run(installation: Installation) -> None:
        rendered = tally.render(helm, installation)
        assert_accepted(installation, rendered, by_likeness(embedded_judges, installation))

    run()
    tally.assert_most_render()


@pytest.mark.apiserver
def test_a_real_api_server_accepts_every_installation(
    helm: Renderer, schema: Mapping[str, Any], real_judge: Judge, embedded_judges: Mapping[str, Judge]
) -> None:
    clusters = [Cluster(real_judge.release, "kinds", real_judge.served), Cluster(real_judge.release)]
    tally = Tally()

    @settings(examples(20, 1_000), phases=_PHASES)
    @given(installations(schema, clusters, st.one_of(TOP_LEVEL, SUBCHART)))
    def run(installation: Installation) -> None:
        # A value may ask for a version of DRA that this server does not have.
        judges = [real_judge, *by_likeness(embedded_judges, installation)]
        assert_accepted(installation, tally.render(helm, installation), judges)

    run()
    tally.assert_most_render()
