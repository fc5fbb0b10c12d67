"""Expressions that are compiled, and their evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cel.bounds import UNLIMITED
from fake_dra_driver.cel.checker import check
from fake_dra_driver.cel.dispatch import chooser
from fake_dra_driver.cel.environment import Environment
from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError, CelProgramError, CelSyntaxError
from fake_dra_driver.cel.estimate import SizeOf, estimate
from fake_dra_driver.cel.library.conversions import CONVERSIONS
from fake_dra_driver.cel.literals import check_literals, parts_of
from fake_dra_driver.cel.overload import Overload, free
from fake_dra_driver.cel.parser import parse
from fake_dra_driver.cel.plan import Plan
from fake_dra_driver.cel.syntaxtree import Call, Comprehension, Identifier, Literal, Node
from fake_dra_driver.cel.types import Type
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["MAX_COST", "Program", "compile_expression"]

MAX_COST = 1_000_000
"""What an evaluation may cost (PerCallLimit of k8s.io/apiserver/pkg/cel)."""
_PATTERN_FUNCTIONS = ("matches", "find", "findAll")


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A compiled expression."""

    source: str
    root: Node
    """What it is made of."""
    names: frozenset[str]
    """All names that it refers to."""
    max_cost: int
    """What an evaluation may cost at most, as far as that can be told before."""
    is_metered: bool
    """Whether an evaluation counts its steps. What is known to be cheap need not."""
    _plan: Plan

    @property
    def type(self) -> Type:
        """The type of its result."""
        return self.root.type

    def evaluate(self, values: Sequence[Any], spend: Callable[[int], None] = free) -> Any:
        """Its result for the values of the environment's variables, in their order.

        Raises:
            CelError: it cannot be evaluated.
            CelCostError: that costs more than it may.
        """
        return self._plan.evaluate(values, spend)

    def holds(self, values: Sequence[Any], spend: Callable[[int], None] = free) -> bool:
        """Its result, which must be a bool. Raises what ``evaluate`` raises."""
        result = self._plan.evaluate(values, spend)
        if not isinstance(result, bool):
            raise CelError(NO_OVERLOAD)
        return result


def compile_expression(source: str, environment: Environment, size_of: SizeOf | None = None) -> Program:
    """Compiles an expression.

    Args:
        source: the expression.
        environment: what it may refer to.
        size_of: how large values may be; None: what evaluations may cost is not estimated.

    Raises:
        CelSyntaxError: it is not CEL, or its types do not fit.
        CelProgramError: it is, but can never be evaluated.
    """
    root = parse(source, environment.library.macros, has_optional_syntax=environment.library.has_optional_syntax)
    root, issues = check(root, environment)
    if not issues and environment.checks_literals:
        issues = list(check_literals(root))
    if issues:
        raise CelSyntaxError(source, issues)
    parts = list(parts_of(root))
    _check_constants(parts)
    names = frozenset(part.name.removeprefix(".") for part in parts if isinstance(part, Identifier))
    most = UNLIMITED if size_of is None else estimate(root, size_of).most
    # In a loop, or by giving names to them, values can grow that cost more to compare than cel-go thinks.
    is_metered = most > MAX_COST or any(isinstance(part, Comprehension) for part in parts)
    return Program(source, root, names, most, is_metered, Plan(root, environment, is_metered=is_metered))


def _check_constants(parts: Sequence[Node]) -> None:
    """Patterns and conversions of constants are worked out at once; the one that cannot be is an error. Raises it."""
    for part in parts:
        if isinstance(part, Call):
            try:
                if part.function in _PATTERN_FUNCTIONS and isinstance(pattern := part.operands[1], Literal):
                    compile_pattern(pattern.value)
                if part.function in CONVERSIONS and isinstance(constant := part.operands[0], Literal):
                    _convert(part, constant)
            except (PatternError, CelError) as error:
                raise CelProgramError(str(error)) from error


def _convert(call: Call, constant: Literal) -> None:
    found = chooser(call.function, call.overloads, [constant.type])
    overload = found if isinstance(found, Overload) else found([constant.value])
    overload.call(constant.value)
