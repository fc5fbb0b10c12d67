"""Expressions that are compiled, and their evaluation."""

from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cel.meter import Meter
from fake_dra_driver.cel.parser import Parser
from fake_dra_driver.cel.types import DYN, Kind
from fake_dra_driver.cel.values import NO_OVERLOAD, CelError, Evaluate, Scope

__all__ = ["MAX_COST", "Program", "compile_rule"]

MAX_COST = 1_000_000
"""What an evaluation may cost (PerCallLimit of k8s.io/apiserver/pkg/cel)."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled rule."""

    source: str
    uses_old_self: bool
    """Whether it is a transition rule, which applies only to updates, where there is an old value."""
    kind: Kind
    """The type of its result."""
    _evaluate: Evaluate

    def holds(self, value: Any, old: Any = None, meter: Meter | None = None) -> bool:
        """Whether the rule holds. Raises what ``evaluate`` raises."""
        result = self.evaluate(value, old, meter)
        if not isinstance(result, bool):
            raise CelError(NO_OVERLOAD)
        return result

    def evaluate(self, value: Any, old: Any = None, meter: Meter | None = None) -> Any:
        """Its result for a value.

        Raises:
            CelError: it cannot be evaluated.
            CelCostError: that costs more than it may.
        """
        scope = Scope({"self": value, "oldSelf": old}, Meter(MAX_COST) if meter is None else meter)
        try:
            return self._evaluate(scope)
        except (TypeError, AttributeError) as error:
            # An argument that is only known when it is there was of another type than the function takes.
            raise CelError(NO_OVERLOAD) from error
        finally:
            scope.meter.settle()


def compile_rule(source: str, kind: Kind = DYN) -> Program:
    """Compiles a rule about values of a type. Raises CelSyntaxError."""
    parser = Parser(source, kind)
    found = parser.whole()
    return Program(source, "oldSelf" in parser.names, found.kind, found.evaluate)
