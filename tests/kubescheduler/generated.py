"""Generated clusters: every feature of the allocator, a few at a time."""

from collections.abc import Iterator

from tests.kubescheduler import demand, supply
from tests.kubescheduler.example import Example
from tests.kubescheduler.theme import Draw, Theme

__all__ = ["example", "examples"]

_MOST_THEMES = 5


def example(seed: int) -> Example:
    """The cluster of a seed: always the same one."""
    draw = Draw(seed)
    theme = frozenset(draw.some(tuple(Theme), 1, _MOST_THEMES))
    nodes = supply.nodes(draw, theme)
    names = [node["metadata"]["name"] for node in nodes]
    slices = supply.pools(draw, theme, names)
    claims = demand.claims(draw, theme)
    return Example(
        nodes=nodes,
        slices=slices,
        rules=supply.taint_rules(draw, theme),
        classes=demand.classes(draw, theme),
        claims=[*claims, *demand.held_claims(draw, theme, slices)],
        pods=demand.pods(draw, theme, [claim["metadata"]["name"] for claim in claims]),
    )


def examples(seeds: range) -> Iterator[Example]:
    """The clusters of these seeds that have a pod."""
    for seed in seeds:
        if (made := example(seed)).pods:
            yield made
