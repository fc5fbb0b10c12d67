"""Claims of a driver of lamps, as a scheduler leaves them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.config import ParameterKinds

DRIVER = "lamps.example.com"
POOL = "study"
LAMP_VERSION = "lamps.example.com/v1"


class Shade(BaseModel):
    # As the models of this project are, which keep what they do not know: it is the reader that has to be strict.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    color_name: str = Field(default="white", min_length=1, max_length=8)


class LampSettings(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    brightness: int = Field(default=5, ge=0, le=10)
    shades: tuple[Shade, ...] = ()
    is_dimmed: bool | None = None

    @model_validator(mode="after")
    def _dim_lamps_are_not_bright(self) -> "LampSettings":
        if self.is_dimmed and self.brightness > 7:
            raise ValueError(f"brightness of a dimmed lamp must be at most 7, is {self.brightness}")
        return self


class LampParameters(BaseModel):
    model_config = ConfigDict(extra="allow")

    spec: LampSettings = Field(default_factory=LampSettings)


KINDS: ParameterKinds = {(LAMP_VERSION, "LampParameters"): LampParameters}


def parameters(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": LAMP_VERSION, "kind": "LampParameters", "spec": spec}


def config(*requests: str, driver: str = DRIVER, **spec: Any) -> dict[str, Any]:
    """An entry of a claim's config; of a class's without requests."""
    entry: dict[str, Any] = {"opaque": {"driver": driver, "parameters": parameters(**spec)}}
    return {**entry, "requests": list(requests)} if requests else entry


def from_class(entry: Mapping[str, Any], *requests: str) -> dict[str, Any]:
    return {**entry, "source": "FromClass", "requests": list(requests)}


def from_claim(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "source": "FromClaim"}


def result(device: str, request: str = "lamp", *, driver: str = DRIVER, pool: str = POOL) -> dict[str, Any]:
    return {"request": request, "driver": driver, "pool": pool, "device": device}


def exactly(name: str, device_class: str = "lamps") -> dict[str, Any]:
    return {"name": name, "exactly": {"deviceClassName": device_class, "allocationMode": "ExactCount", "count": 1}}


def claim(
    *results: Mapping[str, Any],
    requests: Sequence[Mapping[str, Any]] = (exactly("lamp"),),
    written: Sequence[Mapping[str, Any]] = (),
    copied: Sequence[Mapping[str, Any]] | None = None,
    is_allocated: bool = True,
    name: str = "claim",
    uid: str = "uid-1",
) -> v1.ResourceClaim:
    """A claim.

    Args:
        results: what was allocated.
        requests: what it asks for.
        written: its config.
        copied: the config of its allocation; ``written`` when left out.
        is_allocated: whether the scheduler has seen to it.
        name: of the claim.
        uid: of the claim.
    """
    allocated = [from_claim(entry) for entry in written] if copied is None else copied
    raw: dict[str, Any] = {
        "metadata": {"namespace": "default", "name": name, "uid": uid},
        "spec": {"devices": {"requests": list(requests), "config": list(written)}},
    }
    if is_allocated:
        raw["status"] = {"allocation": {"devices": {"results": list(results), "config": list(allocated)}}}
    return v1.ResourceClaim.from_wire(raw)
