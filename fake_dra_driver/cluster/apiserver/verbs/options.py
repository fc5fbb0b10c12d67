"""Parameters of requests, read and checked as a real API server does (metav1.CreateOptions and its kin)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    bad_request,
    forbidden,
    go_value,
    internal_error,
    invalid,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.types.user import User

__all__ = ["DeleteOptions", "ListOptions", "WriteOptions", "is_set", "parse_integer", "parse_version"]

_META = "meta.k8s.io"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_LONGEST_INTEGER = 30
"""Signs of the longest number that is looked at: more than 64 bits need, less than what Python takes long to read."""
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Parameters of create, update and patch."""

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"
    """What to do about unknown fields: Ignore, Warn or Strict."""
    force: bool = False
    duplicates: list[str] = field(default_factory=list)
    """Fields that the body has twice."""
    warnings: list[str] = field(default_factory=list)
    """Collects the texts for Warning headers."""
    user: User | None = None
    """Who writes; None: the server itself, which everything admits."""

    @classmethod
    def parse(
        cls,
        query: Mapping[str, str],
        user_agent: str,
        kind: str,
        *,
        is_apply: bool = False,
        user: User | None = None,
    ) -> "WriteOptions":
        """Reads the parameters. ``kind`` is CreateOptions, UpdateOptions or PatchOptions. Raises StatusError."""
        problems: list[Problem] = []
        manager, force = query.get("fieldManager", ""), query.get("force")
        if kind == "PatchOptions" and is_apply and not manager:
            problems.append(required("fieldManager", "is required for apply patch"))
        if kind == "PatchOptions" and not is_apply and force is not None:
            problems.append(forbidden("force", "may not be specified for non-apply patch"))
        if len(manager.encode(errors="replace")) > 128:
            problems.append(Problem("FieldValueTooLong", "fieldManager", "Too long: must have at most 128 bytes"))
        for at, sign in enumerate(manager):
            if not sign.isprintable():
                detail = f"invalid character U+{ord(sign):04X} (at position {at})"
                problems.append(invalid_value("fieldManager", go_value(manager), detail))
                break
        dry_run = query.get("dryRun")
        if dry_run not in (None, "", "All"):
            problems.append(unsupported_value("dryRun", f'[]string{{"{dry_run}"}}', ("All",)))
        validation = query.get("fieldValidation", "")
        if validation not in ("", "Ignore", "Warn", "Strict"):
            problems.append(unsupported_value("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
        if problems:
            raise invalid(_META, kind, "", problems)
        return cls(
            dry_run=dry_run == "All",
            manager=manager or user_agent.split("/", 1)[0][:128] or "unknown",
            validation=validation or "Warn",
            force=(force or "").lower() in ("true", "1"),
            user=user,
        )


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a deletion asks for, in its parameters or its body."""

    dry_run: bool = False
    grace_seconds: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str], body: Mapping[str, Any]) -> "DeleteOptions":
        """Reads body and parameters; the body wins. Raises StatusError."""
        propagation = body.get("propagationPolicy", query.get("propagationPolicy"))
        orphan = body.get("orphanDependents")
        dry_run = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
        problems = []
        if propagation not in (None, "", *_POLICIES):
            problems.append(unsupported_value("propagationPolicy", propagation, (*_POLICIES, "nil")))
        if dry_run and dry_run != ["All"]:
            listed = ", ".join(f'"{each}"' for each in dry_run)
            problems.append(unsupported_value("dryRun", f"[]string{{{listed}}}", ("All",)))
        if problems:
            raise invalid(_META, "DeleteOptions", "", problems)
        if not propagation and orphan is not None:
            propagation = "Orphan" if orphan else "Background"
        grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        preconditions = body.get("preconditions") or {}
        return cls(
            dry_run=bool(dry_run),
            grace_seconds=parse_integer(grace) if grace is not None else None,
            propagation=propagation or None,
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
        )


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Parameters of list and watch."""

    watch: bool = False
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""
    timeout_seconds: int | None = None
    bookmarks: bool = False
    initial_events: bool | None = None
    """Whether a watch begins with the present objects (``sendInitialEvents``); None: as its version says."""

    @classmethod
    def parse(cls, query: Mapping[str, str], *, watch_list: bool) -> "ListOptions":
        """Reads and checks the parameters. Raises StatusError.

        Args:
            query: the parameters.
            watch_list: whether watches can be asked for their initial events (the gate WatchList).
        """
        options = cls(
            watch=is_set(query.get("watch")),
            label_selector=query.get("labelSelector", ""),
            field_selector=query.get("fieldSelector", ""),
            limit=parse_integer(query.get("limit", "") or 0),
            continue_token=query.get("continue", ""),
            resource_version=query.get("resourceVersion", ""),
            match=query.get("resourceVersionMatch", ""),
            timeout_seconds=parse_integer(query["timeoutSeconds"]) if query.get("timeoutSeconds") else None,
            bookmarks=is_set(query.get("allowWatchBookmarks")),
            initial_events=is_set(query["sendInitialEvents"]) if "sendInitialEvents" in query else None,
        )
        problems = _watch_problems(options, watch_list=watch_list) if options.watch else _list_problems(options)
        if problems:
            raise invalid(_META, "ListOptions", "", problems)
        return options


def _list_problems(options: ListOptions) -> list[Problem]:
    problems = []
    if options.match:
        if not options.resource_version:
            detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            problems.append(forbidden("resourceVersionMatch", detail))
        if options.continue_token:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(forbidden("resourceVersionMatch", detail))
        if options.match not in ("Exact", "NotOlderThan"):
            problems.append(unsupported_value("resourceVersionMatch", options.match, ("Exact", "NotOlderThan", "")))
        if options.match == "Exact" and options.resource_version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            problems.append(forbidden("resourceVersionMatch", detail))
    if options.initial_events is not None:
        problems.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return problems


def _watch_problems(options: ListOptions, *, watch_list: bool) -> list[Problem]:
    problems = []
    if options.initial_events is not None:
        if options.match != "NotOlderThan":
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            problems.append(forbidden("resourceVersionMatch", detail))
        if not watch_list:
            detail = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            problems.append(forbidden("sendInitialEvents", detail))
    if options.match:
        if options.initial_events is None:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            problems.append(forbidden("resourceVersionMatch", detail))
        if options.match != "NotOlderThan":
            problems.append(unsupported_value("resourceVersionMatch", options.match, ("NotOlderThan",)))
        if options.continue_token:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            problems.append(forbidden("resourceVersionMatch", detail))
    return problems


def is_set(text: str | None) -> bool:
    """Whether a boolean parameter is set."""
    return (text or "").lower() in ("true", "1")


def parse_integer(value: Any) -> int:
    """A numeric parameter: 64 bits, with a sign. Raises StatusError (400)."""
    text = str(value)
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if len(text) > _LONGEST_INTEGER or not -(2**63) <= int(text) < 2**63:
        raise bad_request(f'strconv.ParseInt: parsing "{value}": value out of range')
    return int(text)


def parse_version(text: str, *, field: str = "resourceVersion") -> int:
    """A resourceVersion as a number: 64 bits. Raises StatusError as a real API server does: with 500."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()):
        fault = "invalid syntax"
    elif len(text) > _LONGEST_INTEGER or int(text) >= 2**64:
        fault = "value out of range"
    else:
        return int(text)
    raise internal_error(str(invalid_value(field, f'"{text}"', f'strconv.ParseUint: parsing "{text}": {fault}')))
