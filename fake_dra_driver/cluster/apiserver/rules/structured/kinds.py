"""The rules of each kind of structured DRA, for one release and version of the API."""

from collections.abc import Mapping

from fake_dra_driver.cluster.apiserver.errors import Problem, go_value, invalid_value
from fake_dra_driver.cluster.apiserver.rules.structured.claimspec import (
    default_requests,
    validate_admin_requests,
    validate_claim_spec,
    validate_class_spec,
)
from fake_dra_driver.cluster.apiserver.rules.structured.claimstatus import drop_deallocated, validate_claim_status
from fake_dra_driver.cluster.apiserver.rules.structured.gatedfields import drop_disabled
from fake_dra_driver.cluster.apiserver.rules.structured.slices import (
    default_taints,
    slice_is_immutable,
    validate_slice_spec,
    warn_of_slice,
)
from fake_dra_driver.cluster.apiserver.rules.structured.taintrules import (
    date_effect,
    default_taint_of_rule,
    validate_rule_spec,
    validate_rule_status,
)
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import validate_template_metadata
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["structured_rules"]


def structured_rules(surroundings: Surroundings, version: str) -> Mapping[str, Rules]:
    """By kind, for one version of the API."""
    return {
        "DeviceClass": _class_rules(surroundings),
        "DeviceTaintRule": _taint_rule_rules(surroundings, version),
        "ResourceClaim": _claim_rules(surroundings),
        "ResourceClaimTemplate": _template_rules(surroundings),
        "ResourceSlice": _slice_rules(surroundings),
    }


def _class_rules(surroundings: Surroundings) -> Rules:
    def prepare(obj: Object, old: Object | None) -> None:
        drop_disabled("DeviceClass", obj, old, surroundings.release)

    return Rules(
        prepare=prepare,
        validate=lambda obj: validate_class_spec(obj["spec"], "spec", surroundings),
        has_generation=True,
        returns_deleted=True,
    )


def _claim_rules(surroundings: Surroundings) -> Rules:
    def prepare(obj: Object, old: Object | None) -> None:
        drop_disabled("ResourceClaim", obj, old, surroundings.release)
        if old is not None:
            drop_deallocated(obj, old)

    def validate(obj: Object) -> list[Problem]:
        problems = validate_admin_requests(obj["spec"], obj["metadata"].get("namespace", ""), surroundings)
        return problems + validate_claim_spec(obj["spec"], "spec", surroundings)

    return Rules(
        set_defaults=lambda obj: default_requests(obj["spec"].get("devices") or {}),
        prepare=prepare,
        validate=validate,
        validate_update=_spec_is_immutable,
        revalidates=False,
        validate_status=lambda obj, old: validate_claim_status(obj, old, surroundings),
        status_on_create={},
        returns_deleted=True,
    )


def _template_rules(surroundings: Surroundings) -> Rules:
    def set_defaults(obj: Object) -> None:
        default_requests((obj["spec"].get("spec") or {}).get("devices") or {})

    def prepare(obj: Object, old: Object | None) -> None:
        drop_disabled("ResourceClaimTemplate", obj, old, surroundings.release)

    def validate(obj: Object) -> list[Problem]:
        spec, namespace = obj["spec"], obj["metadata"].get("namespace", "")
        problems = validate_admin_requests(spec.get("spec") or {}, namespace, surroundings)
        problems += validate_template_metadata(spec.get("metadata") or {}, "spec.metadata")
        return problems + validate_claim_spec(spec.get("spec") or {}, "spec.spec", surroundings)

    return Rules(
        set_defaults=set_defaults,
        prepare=prepare,
        validate=validate,
        validate_update=_spec_is_immutable,
        revalidates=False,
        returns_deleted=True,
    )


def _spec_is_immutable(obj: Object, old: Object) -> list[Problem]:
    if obj["spec"] == old["spec"]:
        return []
    return [invalid_value("spec", go_value(obj["spec"]), "field is immutable")]


def _slice_rules(surroundings: Surroundings) -> Rules:
    limits = surroundings.release.slice_limits

    def drop(obj: Object, old: Object | None) -> None:
        drop_disabled("ResourceSlice", obj, old, surroundings.release)

    selectable = ("spec.nodeName", "spec.driver")
    return Rules(
        set_defaults=lambda obj: default_taints(obj, surroundings.now_text()),
        drop_fields=drop,
        warn=warn_of_slice,
        validate=lambda obj: validate_slice_spec(obj["spec"], "spec", limits),
        validate_update=slice_is_immutable,
        has_generation=True,
        returns_deleted=True,
        selectable=(*selectable, "spec.pool.name") if surroundings.release.selects_slices_by_pool else selectable,
    )


def _taint_rule_rules(surroundings: Surroundings, version: str) -> Rules:
    def prepare(obj: Object, old: Object | None) -> None:
        if surroundings.release.taint_rules_have_status:
            date_effect(obj, old, surroundings.now_text())

    return Rules(
        set_defaults=lambda obj: default_taint_of_rule(obj, surroundings.now_text()),
        prepare=prepare,
        validate=lambda obj: validate_rule_spec(obj["spec"], "spec"),
        validate_status=validate_rule_status,
        status_on_create={},
        has_generation=True,
        update_without_version=version != "v1",
    )
