"""The Common Expression Language: parsed, checked, and compiled to functions (cel.dev, cel-go).

It knows no Kubernetes: who uses it says which variables and libraries expressions have (``Environment``). Libraries
that Kubernetes has for its expressions stand beside those of cel-go (``library``).

Packages that were tried, and what each of them lacks (November 2026):

- cel-python (pure Python): no compile-time types (``1 + "a"`` compiles), no optional values, no costs; 0.7 ms for a
  selector of a device.
- common-expression-language (Rust): no compile-time types, optional values, ``cel.bind`` or functions for texts, no
  costs, errors of its own; wheels neither for musl nor for CPython 3.14 and 3.15; 37 µs.
- cel-expr-python (Google's cel-cpp): has types and cel-go's messages of the checker, but no estimate of costs and no
  limit, other words at run time (``Key not found in map``), none of Kubernetes' libraries; wheels neither for musl nor
  for CPython 3.15; 15 µs, most of it for handing over the device.
- cel-bind (cel-cpp, too): the same, and one maintainer's.
"""

from fake_dra_driver.cel.environment import Environment
from fake_dra_driver.cel.errors import CelCompileError, CelCostError, CelError, CelProgramError, CelSyntaxError
from fake_dra_driver.cel.library.kubernetes import ALL_FEATURES, Features
from fake_dra_driver.cel.meter import Meter
from fake_dra_driver.cel.program import MAX_COST, Program, compile_expression
from fake_dra_driver.cel.rule import Rule, compile_rule
from fake_dra_driver.cel.schematype import of_schema
from fake_dra_driver.cel.types import BOOL, STRING

__all__ = [
    "ALL_FEATURES",
    "BOOL",
    "MAX_COST",
    "STRING",
    "CelCompileError",
    "CelCostError",
    "CelError",
    "CelProgramError",
    "CelSyntaxError",
    "Environment",
    "Features",
    "Meter",
    "Program",
    "Rule",
    "compile_expression",
    "compile_rule",
    "of_schema",
]
