"""Reading PromQL: which metrics an expression names, with which labels, and which labels its result has."""

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    VectorSelector,
)

from fake_dra_driver.driver.metricfamilies import SECTIONS
from fake_dra_driver.runtime.metricfamily import Family

FAMILIES = {family.name: family for section in SECTIONS for family in section.families}
TARGET_LABELS = frozenset({"namespace", "pod", "container", "service", "job", "instance"})
"""What Prometheus adds to the series of a pod that a ServiceMonitor found."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One metric in an expression."""

    name: str
    labels: frozenset[str]
    """All that its series have."""
    matched: tuple[tuple[str, str], ...]
    """Labels that are matched, and with what."""


def parse(expression: str) -> Expr:
    """The tree of an expression, in which Grafana's interval may stand. Raises ValueError."""
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def selected(expression: str) -> list[Selected]:
    """Every metric that an expression names. Raises KeyError for one that is not in the list."""
    found: list[Selected] = []

    def note(expr: Expr) -> None:
        if isinstance(expr, MatrixSelector):
            found.append(_selected(expr.vector_selector))
        elif isinstance(expr, VectorSelector):
            found.append(_selected(expr))

    promql_parser.walk(parse(expression), note)
    return found


def grouping(expression: str) -> list[tuple[frozenset[str], frozenset[str]]]:
    """For each aggregation: the labels that it keeps, and those that are there to be kept."""
    found: list[tuple[frozenset[str], frozenset[str]]] = []

    def note(expr: Expr) -> None:
        if isinstance(expr, AggregateExpr):
            found.append((result_labels(expr), result_labels(expr.expr)))

    promql_parser.walk(parse(expression), note)
    return found


def chosen_by(expression: str) -> list[tuple[str, str]]:
    """Each metric with the aggregation that is the nearest around it; empty where there is none."""
    return list(_chosen_by(parse(expression), ""))


def _chosen_by(expr: Expr, nearest: str) -> Iterator[tuple[str, str]]:
    match expr:
        case AggregateExpr():
            yield from _chosen_by(expr.expr, str(expr.op))
        case BinaryExpr():
            yield from _chosen_by(expr.lhs, nearest)
            yield from _chosen_by(expr.rhs, nearest)
        case ParenExpr():
            yield from _chosen_by(expr.expr, nearest)
        case Call():
            for argument in expr.args:
                yield from _chosen_by(argument, nearest)
        case MatrixSelector():
            yield from _chosen_by(expr.vector_selector, nearest)
        case VectorSelector():
            yield expr.name or "", nearest


def result_labels(expr: Expr) -> frozenset[str]:
    """The labels that the series of the result can have."""
    match expr:
        case AggregateExpr():
            modifier = expr.modifier
            assert modifier is None or modifier.type == AggModifierType.By, "'without' keeps labels that are not named"
            return frozenset(modifier.labels if modifier is not None else ())
        case BinaryExpr():
            carried = expr.modifier.group_labels or () if expr.modifier is not None else ()
            return result_labels(expr.lhs) | frozenset(carried)
        case ParenExpr():
            return result_labels(expr.expr)
        case VectorSelector():
            return _selected(expr).labels
        case MatrixSelector():
            return result_labels(expr.vector_selector)
        case Call() if expr.func.name == "histogram_quantile":
            return result_labels(expr.args[1]) - {"le"}
        case Call() if expr.func.name in {"rate", "increase"}:
            return result_labels(expr.args[0])
        case Call() if expr.func.name in {"absent", "vector"}:
            return frozenset()
        case NumberLiteral():
            return frozenset()
        case _:
            raise AssertionError(f"what labels has {expr.prettify()}?")


def _selected(selector: VectorSelector) -> Selected:
    name = selector.name or ""
    family = family_of(name)
    labels = {*family.label_names, *TARGET_LABELS, *(("le",) if name.endswith("_bucket") else ())}
    matched = tuple((matcher.name, matcher.value) for matcher in _matchers(selector))
    return Selected(name, frozenset(labels), matched)


def _matchers(selector: VectorSelector) -> Iterator[promql_parser.Matcher]:
    yield from selector.matchers.matchers
    assert not selector.matchers.or_matchers


def family_of(name: str) -> Family:
    """The entry of the list behind the name of a series. Raises KeyError."""
    for ending in ("_bucket", "_sum", "_count"):
        family = FAMILIES.get(name.removesuffix(ending))
        if name.endswith(ending) and family is not None and family.type == "histogram":
            return family
    family = FAMILIES[name]
    if family.type == "histogram":
        raise KeyError(f"{name} is a histogram: say _bucket, _sum or _count")
    return family
