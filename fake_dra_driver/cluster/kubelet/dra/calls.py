"""Calls to the gRPC service of a DRA plugin: what is asked and answered, whichever version of it carries them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from fake_dra_driver.api.kube.meta import UID

__all__ = [
    "CHANNEL_OPTIONS",
    "ClaimRequest",
    "Failure",
    "PluginDevice",
    "PluginError",
    "PluginService",
    "UnimplementedError",
    "describe",
    "plugin_error",
]

CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
"""Otherwise channels to one path share a connection and its backoff: a plugin that is back would go unnoticed."""


class PluginError(Exception):
    """A call to the plugin failed as a whole."""


class UnimplementedError(PluginError):
    """The plugin does not offer this version of the service."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What the plugin is told of a claim."""

    namespace: str
    name: str
    uid: UID
    handle: str = ""
    """``resourceHandles[].data`` of the claim's allocation. Plugins of structured DRA read the claim themselves."""


@dataclass(frozen=True, slots=True)
class PluginDevice:
    """What a plugin has prepared: in classic DRA all of a claim, in structured DRA one of its devices."""

    cdi_ids: tuple[str, ...]
    """CDI device names."""
    requests: tuple[str, ...] = ()
    """The requests of the claim that the device is for; none: all."""
    pool: str = ""
    device: str = ""
    share_id: str | None = None

    def is_for(self, request: str) -> bool:
        """Whether a container gets it that uses this request of the claim; empty: the whole claim."""
        return not request or not self.requests or request in self.requests


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one claim of a call."""

    message: str


class PluginService(Protocol):
    """The service of one plugin in one version."""

    async def prepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Sequence[PluginDevice] | Failure]:
        """The devices, or what went wrong, for each UID that the plugin answers for.

        Raises:
            PluginError: the call failed as a whole.
        """
        ...

    async def unprepare(self, claims: Sequence[ClaimRequest]) -> Mapping[UID, Failure | None]:
        """None, or what went wrong, for each UID that the plugin answers for.

        Raises:
            PluginError: the call failed as a whole.
        """
        ...


def plugin_error(error: grpc.aio.AioRpcError) -> PluginError:
    """What a call that failed as a whole means."""
    kind = UnimplementedError if error.code() is grpc.StatusCode.UNIMPLEMENTED else PluginError
    return kind(describe(error))


def describe(error: grpc.aio.AioRpcError) -> str:
    """An error as Go's gRPC words it, which is what people find in events and search for."""
    words = [word.capitalize() for word in error.code().name.split("_")]
    return f"rpc error: code = {''.join(words)} desc = {error.details()}"
