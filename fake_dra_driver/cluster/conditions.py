"""Changes one condition of a status and nothing else: several writers share the list of a pod's conditions.

kube-scheduler and kube-controller-manager use a strategic merge patch for it. Here it is a JSON patch, which is refused
when the list has changed since it was read.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kinds import Condition
from fake_dra_driver.runtime.patch import add, pointer, replace, test

__all__ = ["condition_patch", "is_true", "with_condition"]


def is_true(conditions: Sequence[Condition], type_: str) -> bool:
    """Whether there is a condition of that type with status True."""
    return any(each.type == type_ and each.status == "True" for each in conditions)


def condition_patch(
    uid: UID, conditions: Sequence[Condition], wanted: Condition, now: datetime
) -> Sequence[Mapping[str, Any]]:
    """JSON patch operations that set ``wanted`` in the status of the object; none when it is there already.

    The transition time is kept while the status of the condition stays the same.
    """
    before = {each.type: (at, each) for at, each in enumerate(conditions)}
    found = before.get(wanted.type)
    value = _dated(wanted, found[1] if found is not None else None, now).to_wire()
    if found is not None and found[1].to_wire() == {**found[1].to_wire(), **value}:
        return ()
    path = pointer("status", "conditions")
    operations = [test("/metadata/uid", uid)]
    if not conditions:
        return [*operations, test(path, None), add(path, [value])]
    if found is None:
        return [*operations, add(f"{path}/-", value)]
    kept = {name: each for name, each in (found[1].model_extra or {}).items() if each is not None}
    return [*operations, test(f"{path}/{found[0]}/type", wanted.type), replace(f"{path}/{found[0]}", {**kept, **value})]


def with_condition(conditions: Sequence[Condition], wanted: Condition, now: datetime) -> tuple[Condition, ...]:
    """The conditions with ``wanted`` in the place of the one of its type, or at the end."""
    dated = {each.type: each for each in conditions}
    dated[wanted.type] = _dated(wanted, dated.get(wanted.type), now)
    return tuple(dated.values())


def _dated(wanted: Condition, before: Condition | None, now: datetime) -> Condition:
    same = before is not None and before.status == wanted.status and before.last_transition_time is not None
    at = before.last_transition_time if before is not None and same else now.replace(microsecond=0)
    return wanted.model_copy(update={"last_transition_time": at})
