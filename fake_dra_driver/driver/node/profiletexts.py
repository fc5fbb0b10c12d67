"""What a profile's templates say for the devices of one claim: variables and files of its containers. Pure.

A template sees what the profile says about the device, and what the claim makes of it. What cannot be rendered keeps
the claim from being prepared, with a sentence that names the profile and the place in it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import NodeClaim, PrepareError, RequestResult
from fake_dra_driver.driver.node.prepared import PreparedFile, WantedDevice, quickstart_variables
from fake_dra_driver.driver.profile.containers import ConfigKind, EnvironmentVariable, MountedFile
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode

if TYPE_CHECKING:
    from fake_dra_driver.api.resource import v1

__all__ = ["PlannedDevice", "ProfileTexts"]

MAX_CONTENT_BYTES: Final = 65536
"""Of one file: it is kept in the checkpoint, which is written as a whole for each claim."""
MAX_STEPS: Final = 100_000
"""Steps of all templates for one claim, which are rendered while the kubelet waits: a quarter of a second or so."""
_OF_NODE: Final = ("node", "labels", "driver", "claim")
"""The variables that are the same for all devices of a claim."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """A device, or a child of one, that a claim is to get."""

    uuid: str
    parent_uuid: str | None
    """The device that this is a child of; None for a whole device."""
    device: Device
    """The whole device."""
    mock: MockDevice | None
    """What the profile says about it; None: the node does not have it any more."""
    wanted: WantedDevice

    @property
    def identity(self) -> tuple[str, RequestResult | None]:
        """What it is, and what it was allocated as."""
        return self.uuid, self.wanted.result


class ProfileTexts:
    """The texts for one claim.

    Args:
        node: what its profile describes.
        claim: for which they are.
        devices: what it is to get, in the order in which containers see them.
    """

    def __init__(self, node: MockNode, claim: NodeClaim, devices: Sequence[PlannedDevice]) -> None:
        self._node = node
        self._claim = claim
        self._devices = devices

    def limited(self) -> AbstractContextManager[None]:
        """Within it, all texts of the claim have one budget: what they read comes from users of a namespace, too."""
        own = any(device.mock is not None and device.mock.environment for device in self._devices)
        if not (own or self._node.environment or self._node.files):
            return nullcontext()
        from fake_dra_driver.valuetemplate import limited_together

        return limited_together(MAX_STEPS)

    def environment(self, position: int) -> tuple[tuple[str, str], ...] | None:
        """The variables for one of the devices, each name once; None: those of the quickstart alone.

        Raises:
            PrepareError: a template cannot be rendered, or a container cannot have what it says.
        """
        mock = self._devices[position].mock
        own = None if mock is None else mock.environment
        if own is None and not self._node.environment:
            return None
        found = dict(self._rendered(self._node.environment, self._of_all))
        if own is None:
            device = self._devices[position]
            found |= quickstart_variables(self._claim.uid, position, device.uuid, device.device.model)
        else:
            found |= self._rendered(own, self._of_each[position])
        return tuple(found.items())

    def files(self) -> tuple[PreparedFile, ...]:
        """What containers find, whichever devices of the claim they use. Raises PrepareError, as ``environment``."""
        return tuple(self._file(file) for file in self._node.files)

    def _file(self, file: MountedFile) -> PreparedFile:
        place = f"{file.source}.content"
        content = self._text(file.content, self._of_all, place)
        if (size := len(content.encode())) > MAX_CONTENT_BYTES:
            raise self._error(place, f"makes a file of {size} bytes; at most {MAX_CONTENT_BYTES} are allowed")
        return PreparedFile(file.path, content, file.mode)

    def _rendered(self, entries: Iterable[EnvironmentVariable], variables: Mapping[str, Any]) -> Mapping[str, str]:
        found = {}
        for entry in entries:
            if entry.when and not self._holds(entry.when, variables, f"{entry.source}.when"):
                continue
            name = self._text(entry.name, variables, f"{entry.source}.name")
            if not _NAME.fullmatch(name):
                raise self._error(f"{entry.source}.name", f"{name!r} is not the name of an environment variable")
            value = self._text(entry.value, variables, f"{entry.source}.value")
            if _CONTROL.search(value):
                raise self._error(f"{entry.source}.value", f"{value!r} has a control character, such as a line break")
            found[name] = value
        return found

    # --- Templates: loaded only where a profile has some, nodes with the default profile do without them

    def _text(self, template: str, variables: Mapping[str, Any], place: str) -> str:
        from fake_dra_driver.valuetemplate import TemplateError, render

        try:
            return render(template, variables)
        except TemplateError as error:
            raise self._error(place, str(error)) from error

    def _holds(self, expression: str, variables: Mapping[str, Any], place: str) -> bool:
        from fake_dra_driver.valuetemplate import TemplateError, holds

        try:
            return holds(expression, variables)
        except TemplateError as error:
            raise self._error(place, str(error)) from error

    def _error(self, place: str, problem: str) -> PrepareError:
        return PrepareError(f"claim {self._claim}: DeviceProfile {self._node.profile.name}: {place}: {problem}")

    @cached_property
    def _of_each(self) -> Sequence[Mapping[str, Any]]:
        """What a template can use that is about one device."""
        return [
            _variables(self._claim, device, position, self._node.configs)
            for position, device in enumerate(self._devices)
        ]

    @cached_property
    def _of_all(self) -> Mapping[str, Any]:
        """What a template can use that is about all devices of the claim."""
        first = self._of_each[0]
        shared = {name: first[name] for name in _OF_NODE if name in first}
        return {**shared, "devices": self._of_each}


def _variables(
    claim: NodeClaim, device: PlannedDevice, position: int, configs: Sequence[ConfigKind]
) -> Mapping[str, Any]:
    """What a template can use that is about one device: what the profile has for it, and what the claim makes of it."""
    wanted, result = device.wanted, device.wanted.result
    share_id = None if result is None else result.share_id
    return {
        **({} if device.mock is None else _of_profile(device.mock)),
        "uuid": device.uuid,
        "type": device.device.type,
        "model": device.device.model,
        "claim": {"namespace": claim.namespace, "name": claim.name, "uid": claim.uid},
        "position": position,
        "request": "" if result is None else result.request,
        "adminAccess": result is not None and result.admin_access,
        "share": {"id": share_id or "", "capacity": dict(wanted.capacity)},
        "config": _default_config(device.device.type, configs) if wanted.config is None else wanted.config,
    }


def _of_profile(mock: MockDevice) -> Mapping[str, Any]:
    return {
        **mock.variables,
        "attributes": {name: _plain(value) for name, value in mock.published.attributes.items()},
        "capacity": {name: capacity.value for name, capacity in mock.published.capacity.items()},
    }


def _default_config(device_type: str, configs: Sequence[ConfigKind]) -> Mapping[str, Any]:
    """What holds for a device about which nothing is said. Empty: nothing."""
    for kind in configs:
        if kind.default is not None and kind.is_for(device_type):
            return {"apiVersion": kind.api_version, "kind": kind.kind, **kind.default}
    return {}


def _plain(attribute: "v1.DeviceAttribute") -> Any:
    """The value of an attribute."""
    (value,) = attribute.to_wire().values()
    return value
