"""The CEL of admission: policies and the conditions of webhooks, compiled.

Follows k8s.io/apiserver/pkg/admission/plugin/cel (compile.go, composition.go). Expressions see the object and what it
was before without their types; the variable ``authorizer`` is not there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.cel import (
    ALL_FEATURES,
    BOOL,
    MAX_COST,
    STRING,
    CelCompileError,
    CelCostError,
    CelError,
    Environment,
    Meter,
    Program,
    compile_expression,
)
from fake_dra_driver.cel.types import DYN, Type, list_of, map_of, structure
from fake_dra_driver.cluster.apiserver.heavywork import spend

__all__ = ["ExpressionTypeError", "Expressions", "Inputs", "Scope"]

_KIND: Final = structure("kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING})
_RESOURCE: Final = structure(
    "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING}
)
_USER: Final = structure(
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING))},
)
_REQUEST: Final = structure(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)


class ExpressionTypeError(CelCompileError):
    """The result is of another type than is needed."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The values that the expressions of one request see."""

    object: Any
    old_object: Any
    request: Mapping[str, Any]
    namespace: Any = None
    params: Any = None


class Scope:
    """Where the expressions of one policy or webhook are compiled: grows with each of its variables."""

    def __init__(self, *, has_params: bool = False) -> None:
        self._has_params = has_params
        self._variables: dict[str, Program] = {}

    def declare(self, name: str, expression: str) -> None:
        """Adds a variable, which those that are compiled later can use. Raises CelCompileError."""
        self._variables[name] = self.compile(expression)

    def compile(self, expression: str, *types: Type) -> Program:
        """Compiles an expression, whose result has to be of one of these types, or any. Raises CelCompileError."""
        program = compile_expression(expression, self._environment())
        if types and program.type not in types:
            listed = " or ".join(each.long_name for each in types)
            raise ExpressionTypeError(f"must evaluate to {listed}")
        return program

    def expressions(self) -> "Expressions":
        """What evaluates that which was compiled here."""
        return Expressions(dict(self._variables), has_params=self._has_params)

    def _environment(self) -> Environment:
        fields = {name: program.type for name, program in self._variables.items()}
        known = {
            "object": DYN,
            "oldObject": DYN,
            "request": _REQUEST,
            "namespaceObject": DYN,
            **({"params": DYN} if self._has_params else {}),
            # Last, since there are none when the first expressions are compiled.
            **({"variables": structure("kubernetes.variables", fields)} if fields else {}),
        }
        return Environment(ALL_FEATURES.library(), known)


class Expressions:
    """Evaluates compiled expressions on the values of one request after the other."""

    def __init__(self, variables: Mapping[str, Program], *, has_params: bool) -> None:
        self._variables = variables
        self._has_params = has_params

    def on(self, inputs: Inputs) -> Callable[[Program], Any]:
        """A function that evaluates expressions on these values; it raises CelError."""
        values: list[Any] = [inputs.object, inputs.old_object, inputs.request, inputs.namespace]

        def evaluate(program: Program) -> Any:
            meter = Meter(MAX_COST, spend)
            try:
                return program.evaluate(values, meter.spend)
            except CelCostError as error:
                raise CelError(str(error)) from error
            finally:
                meter.settle()

        if self._has_params:
            values.append(inputs.params)
        values.append(_Variables(self._variables, evaluate))
        return evaluate


class _Variables(dict[str, Any]):
    """The variables of a policy, each evaluated when it is asked for, and once."""

    def __init__(self, programs: Mapping[str, Program], evaluate: Callable[[Program], Any]) -> None:
        super().__init__()
        self._programs = programs
        self._evaluate = evaluate

    def __missing__(self, name: str) -> Any:
        program = self._programs.get(name)
        if program is None:
            raise KeyError(name)
        try:
            value = self[name] = self._evaluate(program)
        except CelError as error:
            raise CelError(f'composited variable "{name}" fails to evaluate: {error}') from error
        return value

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._programs
