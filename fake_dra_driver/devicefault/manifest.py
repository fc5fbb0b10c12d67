"""The DeviceFault that a command line asks for. Pure."""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.devicefault.settings import FaultSettings
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["CannotFaultError", "manifest_of"]


class CannotFaultError(RuntimeLayerError):
    """The command cannot be carried out; the text is a sentence for the person who gave it."""


def manifest_of(settings: FaultSettings) -> Mapping[str, Any]:
    """The whole object.

    Raises:
        CannotFaultError: what is asked for makes no sense together.
    """
    name = {"name": settings.name} if settings.name else {"generateName": "fault-"}
    spec = {
        "driverName": settings.driver_name,
        "target": _target(settings),
        "effects": _effects(settings),
        "duration": settings.duration,
        "random": _random(settings),
    }
    return {
        "apiVersion": DeviceFault.resource.api_version,
        "kind": DeviceFault.resource.kind,
        "metadata": name,
        "spec": _given(spec),
    }


def _target(settings: FaultSettings) -> Mapping[str, Any]:
    if settings.seed >= 0 and not settings.count and not settings.mean_time_between_failures:
        raise CannotFaultError("--seed chooses --count devices, or the times of random failures: give one of them, too")
    namespace, _, claim = settings.claim.partition("/")
    return _given(
        {
            "nodes": list(settings.nodes),
            "devices": list(settings.devices),
            "models": list(settings.models),
            "claim": {"namespace": namespace, "name": claim} if claim else None,
            "cel": settings.cel,
            "count": settings.count,
            "seed": settings.seed if settings.count and settings.seed >= 0 else None,
        }
    )


def _effects(settings: FaultSettings) -> Mapping[str, Any]:
    message = settings.message
    health = {"state": settings.health, "message": message} if settings.health != "none" else {}
    binding = {
        "failure": (message or "the device cannot be bound to") if settings.fail_binding else "",
        "delaySeconds": settings.delay_binding,
    }
    effects = _given(
        {
            "health": _given(health),
            "taint": _taint(settings.taint),
            "vanish": settings.vanish,
            "prepare": _calls(settings.fail_prepare, settings.delay_prepare, message),
            "unprepare": _calls(settings.fail_unprepare, settings.delay_unprepare, message),
            "binding": _given(binding),
            "slicesLost": settings.lose_slices,
            "deregister": settings.deregister,
        }
    )
    if not effects:
        raise CannotFaultError(
            "say what is to go wrong: --health Unhealthy, --taint, --vanish, --fail-prepare, --fail-unprepare, "
            "--fail-binding, --delay-prepare, --delay-unprepare, --delay-binding, --lose-slices or --deregister"
        )
    if message and not (health or settings.fail_prepare or settings.fail_unprepare or settings.fail_binding):
        raise CannotFaultError(
            "--message is of --health, --fail-prepare, --fail-unprepare and --fail-binding: give one of them, too"
        )
    return effects


def _taint(text: str) -> Mapping[str, Any] | None:
    label, _, effect = text.rpartition(":")
    key, _, value = label.partition("=")
    return _given({"key": key, "value": value, "effect": effect}) if text else None


def _calls(times: str, delay_seconds: float, message: str) -> Mapping[str, Any]:
    calls: dict[str, Any] = {"delaySeconds": delay_seconds}
    if times:
        # An empty object says all of them, with the message that there is by default.
        calls["fail"] = _given({"times": None if times == "all" else int(times), "message": message})
    return {name: value for name, value in calls.items() if name == "fail" or value}


def _random(settings: FaultSettings) -> Mapping[str, Any] | None:
    between, repair = settings.mean_time_between_failures, settings.mean_time_to_repair
    if bool(between) != bool(repair):
        raise CannotFaultError("--mean-time-between-failures and --mean-time-to-repair go together: give both or none")
    if not between:
        return None
    return {"seed": max(settings.seed, 0), "meanTimeBetweenFailures": between, "meanTimeToRepair": repair}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value or (name == "seed" and value == 0)}
