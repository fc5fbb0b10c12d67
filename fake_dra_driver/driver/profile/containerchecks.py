"""What in a profile would keep claims from being prepared: templates for containers, kinds of configuration. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from fake_dra_driver.api.deviceprofile import ConfigKind, ContainerVariable, DeviceProfileSpec
from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.dra.structured import StrictSchema, schema_problems
from fake_dra_driver.valuetemplate import Template, TemplateError, check_condition, is_template

__all__ = ["CLAIM_VARIABLES", "DEVICE_VARIABLES", "container_problems"]

CLAIM_VARIABLES: Final = frozenset({"claim", "devices", "driver", "labels", "node"})
"""What templates about all devices of a claim can use."""
DEVICE_VARIABLES: Final = frozenset(
    {
        *("adminAccess", "attributes", "capacity", "claim", "config", "driver", "group", "index", "labels", "model"),
        *("name", "node", "parent", "partition", "placement", "position", "request", "share", "type", "uuid", "values"),
    }
)
"""What templates about one device of a claim can use."""
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def container_problems(spec: DeviceProfileSpec) -> Iterator[FieldProblem]:
    """What is wrong whichever the device and the claim; what depends on a claim is left for when there is one."""
    yield from _template_problems(spec)
    for number, kind in enumerate(spec.configs):
        yield from _kind_problems(f"spec.configs[{number}]", kind)


def _template_problems(spec: DeviceProfileSpec) -> Iterator[FieldProblem]:
    yield from _environment_problems("spec.environment", spec.environment, CLAIM_VARIABLES)
    for number, file in enumerate(spec.files):
        yield from _text_problems(f"spec.files[{number}].content", file.content, CLAIM_VARIABLES)
    for number, group in enumerate(spec.groups):
        path = f"spec.groups[{number}]"
        yield from _environment_problems(f"{path}.environment", group.environment or (), DEVICE_VARIABLES)
        for part, partition in enumerate(group.partitions):
            where = f"{path}.partitions[{part}].environment"
            yield from _environment_problems(where, partition.environment or (), DEVICE_VARIABLES)


def _environment_problems(
    path: str, variables: Iterable[ContainerVariable], known: frozenset[str]
) -> Iterator[FieldProblem]:
    for number, each in enumerate(variables):
        where = f"{path}[{number}]"
        yield from _text_problems(f"{where}.name", each.name, known)
        if not is_template(each.name) and not _VARIABLE_NAME.fullmatch(each.name):
            yield FieldProblem(
                f"{where}.name", f"must be letters of English, digits and _, with no digit first, is {each.name}"
            )
        yield from _text_problems(f"{where}.value", each.value, known)
        if each.when:
            yield from _problems_of(f"{where}.when", partial(check_condition, each.when), known)


def _text_problems(path: str, text: str, known: frozenset[str]) -> Iterator[FieldProblem]:
    yield from _problems_of(path, lambda: _read_by(Template.compile(text)), known)


def _read_by(template: Template) -> frozenset[str]:
    return template.names - template.own


def _problems_of(path: str, read: Callable[[], frozenset[str]], known: frozenset[str]) -> Iterator[FieldProblem]:
    try:
        unknown = read() - known
    except TemplateError as error:
        yield FieldProblem(path, str(error))
        return
    for name in sorted(unknown):
        yield FieldProblem(path, f"there is no {name}, only {', '.join(sorted(known))}")


def _kind_problems(path: str, kind: ConfigKind) -> Iterator[FieldProblem]:
    if kind.openapi is None:
        return
    wrong = schema_problems(kind.openapi)
    yield from (problem.inside(f"{path}.schema") for problem in wrong)
    if kind.default is not None and not wrong:
        schema = StrictSchema(kind.openapi)
        for problem in schema.problems(schema.with_defaults(kind.default)):
            yield problem.inside(f"{path}.default")
