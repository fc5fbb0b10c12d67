"""A kind with one field of each sort that ``api.schema`` knows, of a project that is not this driver."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from fake_dra_driver.api.kube.meta import ResourceKind, Time
from fake_dra_driver.api.schema import (
    CelRule,
    Crd,
    CustomResource,
    Double,
    Int32,
    Int64,
    ListMap,
    ListSet,
    Nullable,
    OneOf,
    PrinterColumn,
    ResourceQuantity,
    SchemaModel,
    ServerDefault,
)

GROUP = "kiln.example.com"


class Glaze(StrEnum):
    """What pots are covered with."""

    MATT = "matt"
    GLOSSY = "glossy"


class Shelf(IntEnum):
    """Where pots stand."""

    LOW = 1
    HIGH = 2


class Step(SchemaModel):
    """One step of firing."""

    name: str = Field(min_length=1, max_length=20, pattern="^[a-z]+$")
    """Of the step."""
    part: Annotated[int, ServerDefault()] = Field(default=1, ge=1)
    """Of several steps with a name."""
    degrees: int = Field(gt=0, lt=1400, multiple_of=5)
    """How hot it gets, in degrees Celsius."""


class Gas(SchemaModel):
    """Fired with gas."""

    kind: Literal["gas"] = "gas"
    """Says that it is gas."""
    pressure: int = Field(ge=1)
    """In millibars."""
    draught: bool = False
    """Whether air is sucked in."""


class Electric(SchemaModel):
    """Fired with electric heating."""

    cel_rules = (CelRule("self.volts != 110 || has(self.draught)", "110 volts need a draught"),)

    kind: Literal["electric", "electricTurbo"] = "electric"
    """Says that it is electric, and how fast."""
    volts: int = Field(ge=1, le=400)
    """Of the mains."""
    draught: bool = False
    """Whether air is blown in."""


class Clay(OneOf):
    """What the pots are made of."""

    bag: str | None = None
    """Name of a bag."""
    pit: str | None = None
    """Name of a pit."""


class FiringSpec(SchemaModel):
    """How a kiln is fired."""

    cel_rules = (CelRule("!has(self.cones) || self.cones.size() != 13", "13 cones are bad luck"),)

    glaze: Annotated[Glaze, ServerDefault()] = Glaze.MATT
    """What the pots are covered with."""
    speed: Literal["slow", "fast"] = "slow"
    """How fast it heats."""
    shelf: Shelf | None = None
    """Where the pots stand."""
    program: Literal[4, 6] = 4
    """Number of the program."""
    steps: Annotated[tuple[Step, ...], ListMap("name", "part")] = ()
    """What is done in turn."""
    cones: Annotated[tuple[Annotated[str, Field(max_length=8)], ...], ListSet(), Field(max_length=20)] = ()
    """Which cones are put in."""
    heat: Annotated[Gas | Electric, Field(discriminator="kind")] | None = None
    """What it is fired with."""
    clay: Clay | None = None
    """What the pots are made of."""
    weight: Annotated[ResourceQuantity, ServerDefault()] = "1500m"
    """Of the pots, in kilograms."""
    chimney: int | str = "default"
    """Number or name of the chimney."""
    bricks: Int32 = 0
    """How many bricks it has."""
    seconds: Int64 = 0
    """How long it has been hot."""
    draught: Double = 0.5
    """In metres a second."""
    lot: Annotated[int | None, Nullable(), Field(ge=1)] = None
    """Number of the lot; null where it has none."""
    seal: Annotated[str | None, Nullable(), Field(max_length=5)] = None
    """What the door is sealed with."""
    bought: date | None = None
    """When the kiln was bought."""
    lit: Time | None = None
    """When it was lit."""
    serial: UUID | None = None
    """Of the kiln."""
    address: IPv4Address | None = None
    """Of its thermometer."""
    labels: Mapping[str, Annotated[str, Field(max_length=10)]] = Field(default_factory=dict)
    """Notes, by what they are about."""
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """Anything else."""
    even: Annotated[int, CelRule("self % 2 == 0", "it has to be even")] = 0
    """An even number."""


class Firing(CustomResource):
    """The firing of a kiln."""

    resource = ResourceKind(GROUP, "v1", "Firing", "firings")
    crd = Crd(singular="firing", printer_columns=(PrinterColumn("Glaze", "string", ".spec.glaze", "Of the pots."),))

    spec: Annotated[FiringSpec, ServerDefault()] = Field(default_factory=FiringSpec)
    """How the kiln is fired."""


GOOD: Sequence[Mapping[str, Any]] = (
    {},
    {"glaze": "glossy", "speed": "fast", "shelf": 2, "program": 6},
    {"steps": [{"name": "dry", "degrees": 80}, {"name": "dry", "part": 2, "degrees": 90}], "cones": ["08", "6"]},
    {"heat": {"kind": "gas", "pressure": 20, "draught": True}, "clay": {"bag": "red"}},
    {"heat": {"kind": "electricTurbo", "volts": 230}, "clay": {"pit": "north"}},
    {"weight": 4, "chimney": 2},
    {"weight": "4Ki", "chimney": "west"},
    {"bricks": -(2**31), "seconds": 2**63 - 1, "draught": 2.25, "even": -2},
    {"lot": None, "seal": None},
    {"lot": 3, "seal": "wax", "bought": "2024-02-29", "lit": "2024-02-29T12:00:00Z"},
    {"serial": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "address": "10.0.0.1"},
    {"labels": {"a": "b"}, "extra": {"any": {"thing": [1, None, "x"]}}},
)
"""Values of ``spec``."""

_DRY: Mapping[str, Any] = {"name": "dry", "degrees": 80}
BAD: Sequence[tuple[Mapping[str, Any], str]] = (
    ({"glaze": "pink"}, 'spec.glaze: Unsupported value: "pink": supported values: "matt", "glossy"'),
    ({"speed": "idle"}, 'spec.speed: Unsupported value: "idle": supported values: "slow", "fast"'),
    ({"shelf": 3}, "spec.shelf: Unsupported value: 3: supported values:"),
    ({"program": 5}, "spec.program: Unsupported value: 5: supported values:"),
    ({"steps": [_DRY, _DRY]}, "spec.steps[1]: Duplicate value"),
    ({"steps": [{"degrees": 80}]}, "spec.steps[0].name: Required value"),
    ({"steps": [{**_DRY, "degrees": 0}]}, "spec.steps[0].degrees in body should be greater than 0"),
    ({"steps": [{**_DRY, "degrees": 1400}]}, "spec.steps[0].degrees in body should be less than 1400"),
    ({"steps": [{**_DRY, "degrees": 81}]}, "spec.steps[0].degrees in body should be a multiple of 5"),
    ({"steps": [{**_DRY, "name": "A"}]}, "spec.steps[0].name in body should match '^[a-z]+$'"),
    ({"cones": ["6", "6"]}, "spec.cones[1]: Duplicate value"),
    ({"cones": ["123456789"]}, "spec.cones[0]: Too long: may not be"),
    ({"heat": {"pressure": 20}}, "spec.heat.kind: Required value"),
    ({"heat": {"kind": "wood"}}, 'spec.heat.kind: Unsupported value: "wood"'),
    ({"heat": {"kind": "gas"}}, "pressure is required for kind gas"),
    ({"clay": {}}, "exactly one of bag, pit has to be set"),
    ({"clay": {"bag": "red", "pit": "north"}}, "exactly one of bag, pit has to be set"),
    ({"weight": "heavy"}, "spec.weight in body should match"),
    ({"chimney": 1.5}, "spec.chimney in body must be of type integer,string"),
    ({"bricks": 2**31}, "spec.bricks in body should be less than or equal to 2147483647"),
    ({"lot": 0}, "spec.lot in body should be greater than or equal to 1"),
    ({"seal": "string"}, "spec.seal: Too long: may not be"),
    ({"bought": "2023-02-29"}, "spec.bought in body must be of type date"),
    ({"lit": "noon"}, "spec.lit in body must be of type date-time"),
    ({"serial": "17"}, "spec.serial in body must be of type uuid"),
    ({"address": "10.0.0"}, "spec.address in body must be of type ipv4"),
    ({"labels": {"a": "12345678901"}}, "spec.labels.a: Too long: may not be"),
    ({"labels": {"a": 1}}, "spec.labels.a in body must be of type string"),
)
"""Values of ``spec``, and what an API server says of them; Python refuses them as well."""

BROKEN_RULES: Sequence[tuple[Mapping[str, Any], str]] = (
    ({"even": 3}, "it has to be even"),
    ({"cones": [str(number) for number in range(13)]}, "13 cones are bad luck"),
    ({"heat": {"kind": "electric", "volts": 110}}, "110 volts need a draught"),
    ({"heat": {"kind": "gas", "pressure": 20, "volts": 230}}, "volts is for kind electric or electricTurbo alone"),
)
"""Values of ``spec``, and what an API server alone says of them."""
