"""The Common Expression Language, as far as the validation rules of CRDs need it here.

A subset with types: fields, indexes, arithmetic, comparison, ``in``, logic, ``? :``, lists, maps, ``has``, the macros
``all``, ``exists``, ``exists_one``, ``filter`` and ``map``, and the functions in ``functions``. Everything else, such
as durations, timestamps, URLs and quantities, is refused when a rule is compiled, never misread. Unlike in a real API
server, the cost of a rule is not estimated when it is compiled; the steps of its evaluation are counted, and bounded.
"""

from fake_dra_driver.cel.lexer import CelSyntaxError
from fake_dra_driver.cel.meter import CelCostError, Meter
from fake_dra_driver.cel.program import MAX_COST, Program, compile_rule
from fake_dra_driver.cel.types import BOOL, STRING, of_schema
from fake_dra_driver.cel.values import CelError

__all__ = [
    "BOOL",
    "MAX_COST",
    "STRING",
    "CelCostError",
    "CelError",
    "CelSyntaxError",
    "Meter",
    "Program",
    "compile_rule",
    "of_schema",
]
