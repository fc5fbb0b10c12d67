"""Texts that YAML, Go's templates or a shell would take for something else: in a value they are no more than a text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import hypothesis.strategies as st
from hypothesis import Phase, given, settings

from tests.crash.bounds import examples
from tests.integration.chart.cases import EVERYTHING
from tests.integration.chart.installation import Cluster, Installation
from tests.integration.chart.judge import Judge
from tests.integration.chart.rendering import Object, Refused, Renderer
from tests.integration.chart.values import Leaf, leaves, nested

HOSTILE: Final = (
    *("yes", "null", "~", "012", "1e3", "0x1F", "1_000", "12:30:45", "2024-01-01", ".5", "=", "<<"),
    *("a: b", "- a", "? a", "x #y", "# x", "*a", "&a", "!!int 3", "%a", "@a", "`a`", "|", ">-", "[a", "{a", "a]", "a}"),
    *("{{ .Values }}", "{{", "}}", "{{- fail `x` }}", "$(HOME)", "${HOME}", "'", '"', "'a' \"b\"", "\\", "\\n"),
    *("a\nb: c", "a\n---\nb: c", "a\n      hostNetwork: true", "\n", " a ", "\ta", "é€\u2028", "x" * 300, "---", "..."),
)
HARMLESS: Final = "harmless"
CLUSTER: Final = Cluster("1.37.0")
_PHASES: Final = (Phase.explicit, Phase.generate)


def is_text(leaf: Leaf) -> bool:
    """Whether any text at all is let through by the schema."""
    schema = leaf.schema
    candidates = (schema, schema.get("items", {}), schema.get("additionalProperties", {}))
    return any(
        isinstance(each, Mapping) and each.get("type") == "string" and not {"enum", "pattern", "const"} & {*each}
        for each in candidates
    )


def valued(leaf: Leaf, text: str) -> Any:
    """The text as a value of that kind."""
    match leaf.schema["type"]:
        case "array":
            return [text]
        case "object":
            return {"example.com/key": text}
        case _:
            return text


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees of values; where both have one, that of the second."""
    both = {name for name in below if isinstance(below[name], Mapping) and isinstance(above.get(name), Mapping)}
    return {**below, **above, **{name: merged(below[name], above[name]) for name in both}}


def shape(value: Any) -> Any:
    """The form of a manifest without its texts."""
    if isinstance(value, Mapping):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value)


def shapes(objects: Sequence[Object]) -> Sequence[Any]:
    """Those of all objects, in their order."""
    return [(each.kind, shape(each.manifest)) for each in objects]


def installation_with(texts: Mapping[Leaf, str]) -> Installation:
    """With everything that can be switched on, and these texts."""
    return Installation(
        cluster=CLUSTER,
        values=merged(EVERYTHING, nested({leaf.path: valued(leaf, text) for leaf, text in texts.items()})),
    )


def test_a_text_stays_a_text(helm: Renderer, schema: Mapping[str, Any], embedded_judges: Mapping[str, Judge]) -> None:
    drawn = st.dictionaries(
        st.sampled_from([leaf for leaf in leaves(schema) if is_text(leaf)]), st.sampled_from(HOSTILE), max_size=6
    )
    judge = embedded_judges["1.37"]

    @settings(examples(10, 2_000), phases=_PHASES)
    @given(drawn)
    def run(texts: Mapping[Leaf, str]) -> None:
        rendered = helm.render(installation_with(texts))
        if isinstance(rendered, Refused):
            return
        # What a text means is for the API server to say, which may not like it; that it is one, is not.
        objections = [judge.objection(each) for each in rendered if judge.serves(each.kind)]
        assert not [each for each in objections if each and not each.startswith("422 ")]
        harmless = helm.render(installation_with(dict.fromkeys(texts, HARMLESS)))
        if not isinstance(harmless, Refused):
            assert shapes(rendered) == shapes(harmless)

    run()


def test_a_value_that_is_taken_away_is_missed_in_plain_words(helm: Renderer, schema: Mapping[str, Any]) -> None:
    paths = [leaf.path[:depth] for leaf in leaves(schema) for depth in range(1, len(leaf.path) + 1)]

    @settings(examples(10, 1_000), phases=_PHASES)
    @given(st.sampled_from(sorted(set(paths))))
    def run(path: tuple[str, ...]) -> None:
        # helm takes a value away that is set to null.
        helm.render(Installation(cluster=CLUSTER, values=merged(EVERYTHING, nested({path: None}))))

    run()
