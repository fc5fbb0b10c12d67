"""DeviceProfiles in files: as manifests, or in values of the chart, where a release has them under ``deviceProfiles``.

An object is checked as an API server with this program's CRD would check it, with unknown fields refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from fake_dra_driver.api.deviceprofile import PATTERN_WORDS, DeviceProfile
from fake_dra_driver.codegen import definition
from fake_dra_driver.convert.stream import DocumentError, documents
from fake_dra_driver.dra import FieldProblem, problems_of
from fake_dra_driver.dra.structured import StrictSchema
from fake_dra_driver.driver.profile.checking import profile_problems

__all__ = ["ProfileFile", "ProfileSource", "read_profiles"]

_KIND: Final = DeviceProfile.resource.kind
_API_VERSION: Final = DeviceProfile.resource.api_version


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """A profile of a file, or a part of it that is none."""

    name: str
    """Of the profile; empty where it is none."""
    title: str
    """As messages name it."""
    problems: Sequence[FieldProblem]
    profile: DeviceProfile | None = None
    """None: it cannot be read as one, as the problems say."""


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """What a file has."""

    sources: Sequence[ProfileSource]
    other_kinds: Sequence[str]
    """Kinds of its other objects."""


def read_profiles(text: str) -> ProfileFile:
    """Every profile of a file, and each document that cannot be read as one that has a problem."""
    sources: list[ProfileSource] = []
    others: list[str] = []
    for document in documents(text):
        try:
            found = document.value()
        except DocumentError as error:
            title = f"document {document.number}, line {document.line + error.line}"
            sources.append(ProfileSource("", title, (FieldProblem("", str(error)),)))
            continue
        if found is not None and not isinstance(found, Mapping):
            sources.append(ProfileSource("", f"document {document.number}", (FieldProblem("", "is no object"),)))
        elif found:
            sources += _objects(found, others)
    return ProfileFile(tuple(_among_others(sources)), others)


def _objects(found: Mapping[str, Any], others: list[str]) -> Iterator[ProfileSource]:
    if found.get("kind") == "List":
        for item in found.get("items") or ():
            yield from _objects(item, others)
    elif found.get("kind") == _KIND:
        version = found.get("apiVersion")
        wrong = FieldProblem("apiVersion", f"must be {_API_VERSION}, is {version or 'not set'}")
        yield _source(found, () if version == _API_VERSION else (wrong,))
    elif "kind" in found:
        others.append(str(found["kind"]))
    else:
        yield from _of_values(found)


def _of_values(values: Mapping[str, Any]) -> Iterator[ProfileSource]:
    driver = values.get("driverName")
    for entry in values.get("deviceProfiles") or ():
        spec = entry.get("spec") or {}
        if driver and isinstance(spec, Mapping):
            spec = {"driverName": driver, **spec}
        yield _source({"metadata": {"name": entry.get("name")}, "spec": spec})


def _source(found: Mapping[str, Any], wrong: Sequence[FieldProblem] = ()) -> ProfileSource:
    name = (found.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not name:
        return ProfileSource("", f"{_KIND} without a name", (*wrong, FieldProblem("metadata.name", "must be set")))
    title = f"{_KIND} {name}"
    if problems := _spec_schema().problems(found.get("spec")):
        return ProfileSource(name, title, (*wrong, *(_plain(problem.inside("spec")) for problem in problems)))
    try:
        profile = DeviceProfile.model_validate({"metadata": {"name": name}, "spec": found["spec"]})
    except ValidationError as error:
        return ProfileSource(name, title, (*wrong, *problems_of(error, DeviceProfile)))
    return ProfileSource(name, title, (*wrong, *profile_problems(profile)), profile)


def _plain(problem: FieldProblem) -> FieldProblem:
    """The problem in words that need no reading of a pattern."""
    for pattern, words in PATTERN_WORDS.items():
        told = f"must match {pattern}"
        if problem.message.startswith(told):
            return FieldProblem(problem.path, f"{words}{problem.message.removeprefix(told)}")
    return problem


def _among_others(sources: Sequence[ProfileSource]) -> Iterator[ProfileSource]:
    """The profiles of one file, each with what is wrong with it beside those before it."""
    before: list[ProfileSource] = []
    for source in sources:
        problems = list(source.problems)
        if source.name and any(other.name == source.name for other in before):
            problems.append(FieldProblem("metadata.name", f"{source.name} is the name of another profile of the file"))
        rival = next((other for other in before if _compete(other, source)), None)
        if rival is not None and source.profile is not None:
            priority = source.profile.spec.priority
            problems.append(
                FieldProblem(
                    "spec.priority", f"must differ from that of {rival.name}, for the same nodes, is {priority}"
                )
            )
        before.append(source)
        yield replace(source, problems=tuple(problems))


def _compete(one: ProfileSource, other: ProfileSource) -> bool:
    if one.profile is None or other.profile is None or one.name == other.name:
        return False
    specs = one.profile.spec, other.profile.spec
    first, second = ((spec.driver_name, spec.priority, spec.node_selector) for spec in specs)
    return first == second


@cache
def _spec_schema() -> StrictSchema:
    (version,) = definition(DeviceProfile)["spec"]["versions"]
    return StrictSchema(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
