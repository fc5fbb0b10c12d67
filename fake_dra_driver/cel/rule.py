"""Rules about values of a schema: ``self``, and for updates ``oldSelf``."""

from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cel.environment import Environment
from fake_dra_driver.cel.library.kubernetes import ALL_FEATURES, Features
from fake_dra_driver.cel.meter import Meter
from fake_dra_driver.cel.program import MAX_COST, Program, compile_expression
from fake_dra_driver.cel.schematype import unescaped
from fake_dra_driver.cel.types import DYN, Type

__all__ = ["Rule", "compile_rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule, or what makes its message."""

    _program: Program

    @property
    def source(self) -> str:
        """The expression."""
        return self._program.source

    @property
    def type(self) -> Type:
        """The type of its result."""
        return self._program.type

    @property
    def uses_old_self(self) -> bool:
        """Whether it is a transition rule, which applies only to updates, where there is an old value."""
        return "oldSelf" in self._program.names

    def holds(self, value: Any, old: Any = None, meter: Meter | None = None) -> bool:
        """Whether the rule holds. Raises what ``evaluate`` raises."""
        meter = meter or Meter(MAX_COST)
        try:
            return self._program.holds((value, old), meter.spend)
        finally:
            meter.settle()

    def evaluate(self, value: Any, old: Any = None, meter: Meter | None = None) -> Any:
        """Its result for a value.

        Raises:
            CelError: it cannot be evaluated.
            CelCostError: that costs more than it may.
        """
        meter = meter or Meter(MAX_COST)
        try:
            return self._program.evaluate((value, old), meter.spend)
        finally:
            meter.settle()


def compile_rule(source: str, type_: Type = DYN, features: Features = ALL_FEATURES) -> Rule:
    """Compiles a rule about values of a type. Raises CelCompileError."""
    environment = Environment(
        features.library(),
        {"self": type_, "oldSelf": type_},
        checks_literals=features.texts_and_sets,
        field_name=unescaped,
        reads_json=True,
    )
    return Rule(compile_expression(source, environment))
