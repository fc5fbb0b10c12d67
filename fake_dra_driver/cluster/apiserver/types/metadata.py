"""The rules of ObjectMeta: names, labels, annotations, finalizers, owners, and what an update may not change.

Follows k8s.io/apimachinery/pkg/api/validation (objectmeta.go) and pkg/util/validation, with their messages.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    too_long,
)
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = [
    "dns_1035_label",
    "dns_label",
    "dns_subdomain",
    "label_value",
    "path_segment",
    "qualified_name",
    "validate_labels",
    "validate_metadata",
    "validate_metadata_update",
    "validate_template_metadata",
]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_QUALIFIED_NAME = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED}')"
)
_NO_OWNERS = frozenset({("v1", "Event")})
_MAX_ANNOTATIONS_BYTES = 256 * 1024
"""TotalAnnotationSizeLimitB."""


def dns_subdomain(value: str) -> list[str]:
    """What is wrong with a name that has to be a DNS subdomain: most kinds' names."""
    problems = ["must be no more than 253 characters"] if len(value) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, value):
        problems.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            f"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{_SUBDOMAIN}')"
        )
    return problems


def dns_label(value: str) -> list[str]:
    """What is wrong with a name that has to be a DNS label: those of namespaces and services."""
    problems = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not re.fullmatch(_LABEL, value):
        problems.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
            "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            f"'{_LABEL}')"
        )
    return problems


def dns_1035_label(value: str) -> list[str]:
    """What is wrong with a name that has to begin with a letter: those of services."""
    problems = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not re.fullmatch(_LABEL_1035, value):
        problems.append(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            f"validation is '{_LABEL_1035}')"
        )
    return problems


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that only has to fit in a URL: those of RBAC."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in value]


def qualified_name(value: str) -> list[str]:
    """What is wrong with the key of a label or of an annotation."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [f"{_QUALIFIED_NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    problems = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        problems += [f"prefix part {problem}" for problem in (dns_subdomain(prefix) if prefix else [])]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not re.fullmatch(_QUALIFIED, name):
        problems.append(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            f"'{_QUALIFIED}')"
        )
    return problems


def label_value(value: str) -> list[str]:
    """What is wrong with the value of a label."""
    problems = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not re.fullmatch(_VALUE, value):
        problems.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            f"validation is '{_VALUE}')"
        )
    return problems


def validate_labels(labels: Mapping[str, str], field: str) -> list[Problem]:
    """What is wrong with labels."""
    problems = []
    for key, value in sorted(labels.items()):
        problems += [invalid_value(field, go_value(key), each) for each in qualified_name(key)]
        problems += [invalid_value(field, go_value(value), each) for each in label_value(value)]
    return problems


def validate_metadata(obj: Object, name_problems: Any, *, numbers_owners: bool) -> list[Problem]:
    """What is wrong with the metadata of a new object.

    Args:
        obj: the object.
        name_problems: tells what is wrong with a name.
        numbers_owners: whether the paths of owners have their places in the list.
    """
    metadata = obj["metadata"]
    problems = []
    if metadata.get("generateName"):
        base = metadata["generateName"].rstrip("-") or metadata["generateName"]
        problems += [
            invalid_value("metadata.generateName", go_value(metadata["generateName"]), each)
            for each in name_problems(base)
        ]
    if not metadata.get("name"):
        problems.append(required("metadata.name", "name or generateName is required"))
    else:
        name = metadata["name"]
        problems += [invalid_value("metadata.name", go_value(name), each) for each in name_problems(name)]
    return problems + _validate_any(metadata, numbers_owners=numbers_owners)


def _validate_any(metadata: Mapping[str, Any], *, numbers_owners: bool) -> list[Problem]:
    problems = validate_labels(metadata.get("labels") or {}, "metadata.labels")
    problems += _validate_annotations(metadata.get("annotations") or {}, "metadata.annotations")
    problems += _validate_owners(metadata.get("ownerReferences") or (), is_numbered=numbers_owners)
    return problems + _validate_finalizers(metadata.get("finalizers") or (), "metadata.finalizers")


def validate_template_metadata(metadata: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with the metadata in a template."""
    problems = validate_labels(metadata.get("labels") or {}, f"{path}.labels")
    problems += _validate_annotations(metadata.get("annotations") or {}, f"{path}.annotations")
    return problems + _validate_finalizers(metadata.get("finalizers") or (), f"{path}.finalizers")


def _validate_annotations(annotations: Mapping[str, str], path: str) -> list[Problem]:
    problems = []
    for key in sorted(annotations):
        problems += [invalid_value(path, go_value(key), each) for each in qualified_name(key.lower())]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _MAX_ANNOTATIONS_BYTES:
        problems.append(too_long(path, _MAX_ANNOTATIONS_BYTES))
    return problems


def _validate_finalizers(finalizers: Sequence[str], path: str) -> list[Problem]:
    problems = []
    for finalizer in finalizers:
        wrong = qualified_name(finalizer)
        problems += [invalid_value(path, go_value(finalizer), each) for each in wrong]
        if not wrong and "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            problems.append(invalid_value(f"{path}[{finalizers.index(finalizer)}]", go_value(finalizer), detail))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        listed = ", ".join(go_value(each) for each in finalizers)
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(invalid_value(path, f"[]string{{{listed}}}", detail))
    return problems


def _no_owner(path: str, name: str, is_required: bool) -> Problem:
    if is_required and name in ("name", "uid"):
        return required(path)
    return invalid_value(path, '""', f"{name} must not be empty")


def _validate_owners(owners: Sequence[Mapping[str, Any]], *, is_numbered: bool) -> list[Problem]:
    path, problems = "metadata.ownerReferences", []
    for at, owner in enumerate(owners):
        version = owner.get("apiVersion", "")
        place = f"{path}[{at}]" if is_numbered else path
        if not version or version.count("/") > 1:
            problems.append(invalid_value(f"{place}.apiVersion", go_value(version), "version must not be empty"))
        problems += [
            _no_owner(f"{place}.{name}", name, is_numbered) for name in ("kind", "name", "uid") if not owner.get(name)
        ]
        if (version, owner.get("kind")) in _NO_OWNERS:
            detail = f"/{version}, Kind={owner['kind']} is disallowed from being an owner"
            problems.append(invalid_value(path, f"v1.OwnerReference{go_value(owner)}", detail))
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        detail = (
            "Only one reference can have Controller set to true. Found "
            f'"true" in references for {controllers[0]} and {controllers[1]}'
        )
        problems.append(invalid_value(path, go_value(owners), detail))
    return problems


def validate_metadata_update(obj: Object, old: Object, *, numbers_owners: bool) -> list[Problem]:
    """What an update must not do to the metadata, but does."""
    new_meta, old_meta = obj["metadata"], old["metadata"]
    immutable = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
    problems = [
        invalid_value(f"metadata.{name}", go_value(new_meta.get(name)), "field is immutable")
        for name in immutable
        if new_meta.get(name) != old_meta.get(name)
    ]
    if old_meta.get("deletionTimestamp"):
        added = sorted(set(new_meta.get("finalizers") or ()) - set(old_meta.get("finalizers") or ()))
        if added:
            listed = ", ".join(f'"{each}"' for each in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}"
            )
            problems.append(forbidden("metadata.finalizers", detail))
    return problems + _validate_any(new_meta, numbers_owners=numbers_owners)
