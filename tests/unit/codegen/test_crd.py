"""CRDs of any kind: what a structural schema cannot say is refused."""

from typing import Annotated

import pytest
from pydantic import Field

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import Crd, CustomResource, ServerDefault
from fake_dra_driver.codegen import SchemaError, definition, render_crd


class _Odd(CustomResource):
    resource = ResourceKind("example.com", "v1", "Odd", "odds")
    crd = Crd(singular="odd")


class _OddDefault(_Odd):
    field: Annotated[int, ServerDefault()] = Field(default=0, ge=1)


class _OddName(_Odd):
    field: int = Field(default=0, alias="not-a-name")


def _named(name: str, plural: str, group: str = "example.com") -> type[CustomResource]:
    resource = ResourceKind(group, "v1", name, plural)
    return type(name, (_Odd,), {"resource": resource, "__doc__": "Odd.", "__module__": __name__})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (_named("Lamp_Config", "lampconfigs"), "Lamp_Config: 'lamp_config' cannot be the kind of a CRD"),
        (_named("Lämpchen", "lampchens"), "'lämpchen' cannot be the kind"),
        (_named("L" * 64, "lamps"), "cannot be the kind"),
        (_named("Lamp", "lamp_s"), "'lamp_s' cannot be the plural"),
        (_named("Lamp", "lamps", "example"), "'example' cannot be the group of a CRD: it must be a domain"),
        (_OddDefault, r"Odd\.field: the default 0 is out of bounds"),
        (_OddName, r"'not-a-name' is no name of a field"),
    ],
)
def test_what_a_crd_cannot_say_is_an_error(kind: type[CustomResource], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        definition(kind)


class _OnField(_Odd):
    on: int = 0


def test_text_that_yaml_reads_differently_is_an_error() -> None:
    with pytest.raises(SchemaError, match="does not survive"):
        render_crd(_OnField, "")
