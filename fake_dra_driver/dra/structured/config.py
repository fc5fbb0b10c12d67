"""Opaque parameters: which of them apply to an allocated device, and what they say, read strictly.

The scheduler copies the ``config`` of the classes and of the claim into the allocation (KEP-4381). What it copies comes
in order of precedence: a class's before the claim's, and of either the later one wins. An entry without requests is for
all of them; one for ``request`` covers its subrequests, one for ``request/subrequest`` that alternative alone. Releases
before 1.37 repeat entries, once for each of their requests. Kubernetes 1.32 does not say which requests a class is for:
the class of one request then configures all of them, and of several classes the last.

Parameters are decoded as the API server decodes objects with ``fieldValidation=Strict``: an unknown field, a value of a
wrong type or out of bounds, and a kind that the driver does not take are errors, each with the path at which a person
finds it in the claim or class that was written, not in the allocation.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from fake_dra_driver.api.fieldproblem import FieldProblem, join_path, problems_of, shown
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.driver import PrepareError

__all__ = [
    "Config",
    "ConfigEntry",
    "ConfigError",
    "ParameterKinds",
    "config_for",
    "covers",
    "decode",
    "entries_in",
    "entries_of",
]

ParameterKinds = Mapping[tuple[str, str], type[BaseModel]]
"""By apiVersion and kind: the model of what stands beside those two. All that a driver accepts."""

_FROM_CLASS: Final = "FromClass"
_PARAMETERS: Final = ("opaque", "parameters")


class ConfigError(PrepareError):
    """Parameters that cannot be used; the text has a sentence for each problem."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """Parameters for the driver, as they were written."""

    path: str
    """Where a person finds them: ``spec.devices.config[1].opaque.parameters``, or the same of a DeviceClass."""
    requests: tuple[str, ...]
    """The requests, or ``request/subrequest``, that they are for; none: all."""
    parameters: Any


@dataclass(frozen=True, slots=True)
class Config:
    """Parameters for the driver, decoded."""

    path: str
    requests: tuple[str, ...]
    parameters: BaseModel
    """Of the model that the driver has for their kind; ``model_fields_set`` says what was written down."""
    kind: tuple[str, str] = ("", "")
    """Their apiVersion and kind."""

    def problem(self, field: str, message: str) -> FieldProblem:
        """What is wrong with a field as far as only the driver can tell; ``field`` is its path from the parameters."""
        return FieldProblem(field, message).inside(self.path)


def entries_of(claim: v1.ResourceClaim, driver: str) -> tuple[ConfigEntry, ...]:
    """The driver's parameters in the allocation of a claim, in order of precedence: later ones win. No repeats."""
    if claim.status.allocation is None:
        return ()
    found: list[ConfigEntry] = []
    copied = claim.status.allocation.devices.config
    paths = _paths_in_allocation(claim)
    # In this order already, as the scheduler writes it; the API asks for it, and nothing enforces it.
    for is_claim in (False, True):
        for path, config in zip(paths, copied, strict=True):
            if is_claim == (config.source == _FROM_CLASS) or config.opaque is None or config.opaque.driver != driver:
                continue
            entry = ConfigEntry(join_path(path, *_PARAMETERS), config.requests, config.opaque.parameters)
            if entry in found:
                found.remove(entry)
            found.append(entry)
    return tuple(found)


def covers(requests: Sequence[str], request: str) -> bool:
    """Whether an entry with these requests is for a device that was allocated for ``request``."""
    return not requests or request in requests or request.partition("/")[0] in requests


def config_for(request: str, configs: Sequence[Config]) -> Config | None:
    """What applies to a device that was allocated for ``request``: the last that covers it; None: its defaults."""
    return next((config for config in reversed(configs) if covers(config.requests, request)), None)


def decode(entries: Iterable[ConfigEntry], kinds: ParameterKinds) -> tuple[Config, ...]:
    """Reads parameters, all of them: what cannot be read is an error also where a later entry would win.

    Raises:
        ConfigError: with every problem.
    """
    configs: list[Config] = []
    problems: list[FieldProblem] = []
    for entry in entries:
        found = _decoded(entry, kinds)
        if isinstance(found, Config):
            configs.append(found)
        else:
            problems += found
    if problems:
        raise ConfigError(problems)
    return tuple(configs)


def entries_in(configs: Sequence[v1.DeviceClassConfiguration], driver: str, path: str) -> Iterator[ConfigEntry]:
    """The driver's parameters as a person has written them, in the list of that path."""
    for index, config in enumerate(configs):
        if config.opaque is not None and config.opaque.driver == driver:
            requests = config.requests if isinstance(config, v1.DeviceClaimConfiguration) else ()
            yield ConfigEntry(join_path(path, index, *_PARAMETERS), requests, config.opaque.parameters)


def _decoded(entry: ConfigEntry, kinds: ParameterKinds) -> Config | Sequence[FieldProblem]:
    parameters = entry.parameters
    if not isinstance(parameters, Mapping):
        return [FieldProblem(entry.path, f"must be an object, is {shown(parameters)}")]
    version, kind = parameters.get("apiVersion"), parameters.get("kind")
    model = kinds.get((version, kind)) if isinstance(version, str) and isinstance(kind, str) else None
    if model is None or not isinstance(version, str) or not isinstance(kind, str):
        return [_wrong_kind(entry, kinds)]
    fields = {name: value for name, value in parameters.items() if name not in ("apiVersion", "kind")}
    try:
        # As JSON, since strict Python values would have to be tuples where JSON has lists.
        decoded = model.model_validate_json(
            json.dumps(fields), strict=True, extra="forbid", by_alias=True, by_name=False
        )
    except ValidationError as error:
        return [problem.inside(entry.path) for problem in problems_of(error, model)]
    return Config(entry.path, entry.requests, decoded, (version, kind))


def _wrong_kind(entry: ConfigEntry, kinds: ParameterKinds) -> FieldProblem:
    allowed = " or ".join(f"kind {kind} with apiVersion {version}" for version, kind in kinds)
    found = ", ".join(
        f"{name} {shown(entry.parameters[name])}" for name in ("kind", "apiVersion") if name in entry.parameters
    )
    must = f"must be {allowed}" if allowed else "must be left out, since the driver takes none"
    return FieldProblem(entry.path, f"{must}, has {found or 'neither kind nor apiVersion'}")


# --- Where the entries of an allocation were written ---------------------------------------------------------------


def _paths_in_allocation(claim: v1.ResourceClaim) -> Sequence[str]:
    """For each entry of the allocation's config: where it was copied from, as far as that can be told."""
    copied = claim.status.allocation.devices.config if claim.status.allocation is not None else ()
    paths = [f"status.allocation.devices.config[{index}]" for index in range(len(copied))]
    in_claim = 0
    """From this entry of the claim on the next one is looked for: copies keep the order of what they are copies of."""
    for (source, requests), group in groupby(range(len(copied)), lambda at: (copied[at].source, copied[at].requests)):
        indexes = list(group)
        if source == _FROM_CLASS and (name := _class_of(claim, requests)):
            size = _size_of_class(claim, requests, len(indexes))
            for position, index in enumerate(indexes):
                paths[index] = f"DeviceClass {name}: spec.config[{position % size}]"
        elif source != _FROM_CLASS:
            for index in indexes:
                if (found := _index_in_claim(claim, copied[index], in_claim)) is not None:
                    in_claim = found
                    paths[index] = f"spec.devices.config[{found}]"
    return paths


def _index_in_claim(claim: v1.ResourceClaim, copy: v1.DeviceAllocationConfiguration, start: int) -> int | None:
    """The first entry from ``start`` on, else the first one, that the copy may be of."""
    indexes = [
        index
        for index, entry in enumerate(claim.spec.devices.config)
        if entry.opaque == copy.opaque
        # 1.37 leaves the requests out when they are all of the claim's.
        and (entry.requests == copy.requests or (not copy.requests and _covers_all(entry.requests, claim)))
    ]
    return next((index for index in indexes if index >= start), indexes[0] if indexes else None)


def _covers_all(requests: Sequence[str], claim: v1.ResourceClaim) -> bool:
    allocation = claim.status.allocation
    return allocation is not None and all(covers(requests, each.request) for each in allocation.devices.results)


def _class_of(claim: v1.ResourceClaim, requests: Sequence[str]) -> str:
    """The one class that these requests are of (no requests: all of the claim's); empty when they are of several."""
    classes = {
        name
        for request in claim.spec.devices.requests
        for full_name, name in _classes_in(request)
        if covers(requests, full_name) and _is_chosen(claim, full_name)
    }
    return classes.pop() if len(classes) == 1 else ""


def _size_of_class(claim: v1.ResourceClaim, requests: Sequence[str], copied: int) -> int:
    """How many entries the config of a class has, of which so many copies follow each other."""
    # 1.32 copies a class once for each of its requests, and leaves these out; later releases copy it once.
    copies = 1 if requests else len(claim.spec.devices.requests)
    return copied // copies if copied % copies == 0 else copied


def _classes_in(request: v1.DeviceRequest) -> Iterator[tuple[str, str]]:
    """Each request or subrequest, as results name it, with its class."""
    if request.exactly is not None:
        yield request.name, request.exactly.device_class_name
    for subrequest in request.first_available:
        yield f"{request.name}/{subrequest.name}", subrequest.device_class_name


def _is_chosen(claim: v1.ResourceClaim, full_name: str) -> bool:
    """False for an alternative that the scheduler did not choose."""
    allocation = claim.status.allocation
    return allocation is not None and any(result.request == full_name for result in allocation.devices.results)
