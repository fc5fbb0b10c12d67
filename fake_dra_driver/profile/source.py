"""DeviceProfiles in files: as manifests, or in values of the chart, where a release has them under ``deviceProfiles``.

An object is checked as an API server with this program's CRD would check it, with unknown fields refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.codegen import definition
from fake_dra_driver.convert.stream import DocumentError, documents
from fake_dra_driver.dra import FieldProblem, problems_of
from fake_dra_driver.dra.structured import StrictSchema
from fake_dra_driver.driver.profile.checking import profile_problems

__all__ = ["ProfileSource", "read_profiles"]

_KIND: Final = DeviceProfile.resource.kind


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """A profile of a file."""

    name: str
    problems: Sequence[FieldProblem]
    profile: DeviceProfile | None = None
    """None: it is no DeviceProfile at all, as the problems say."""


def read_profiles(text: str) -> Sequence[ProfileSource]:
    """Every profile of a file, and each document that cannot be read as one that has a problem."""
    return [source for document in documents(text) for source in _read(document.number, document.value)]


def _read(number: int, value: Any) -> Iterator[ProfileSource]:
    try:
        found = value()
    except DocumentError as error:
        yield ProfileSource(f"document {number}", (FieldProblem("", str(error)),))
        return
    if not isinstance(found, Mapping):
        if found is not None:
            yield ProfileSource(f"document {number}", (FieldProblem("", "is no object"),))
    elif found.get("kind") == "List":
        for item in found.get("items") or ():
            yield from _objects(item)
    elif "kind" in found:
        yield from _objects(found)
    else:
        yield from _of_values(found)


def _objects(found: Mapping[str, Any]) -> Iterator[ProfileSource]:
    if found.get("kind") == _KIND:
        yield _source(found)


def _of_values(values: Mapping[str, Any]) -> Iterator[ProfileSource]:
    driver = values.get("driverName")
    for entry in values.get("deviceProfiles") or ():
        spec = dict(entry.get("spec") or {})
        if driver:
            spec.setdefault("driverName", driver)
        yield _source({"metadata": {"name": entry.get("name")}, "spec": spec})


def _source(found: Mapping[str, Any]) -> ProfileSource:
    name = (found.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not name:
        return ProfileSource("without a name", (FieldProblem("metadata.name", "must be set"),))
    schema = _spec_schema()
    if wrong := schema.problems(found.get("spec")):
        return ProfileSource(name, [problem.inside("spec") for problem in wrong])
    try:
        profile = DeviceProfile.model_validate({"metadata": {"name": name}, "spec": found["spec"]})
    except ValidationError as error:
        return ProfileSource(name, problems_of(error, DeviceProfile))
    return ProfileSource(name, profile_problems(profile), profile)


@cache
def _spec_schema() -> StrictSchema:
    (version,) = definition(DeviceProfile)["spec"]["versions"]
    return StrictSchema(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
