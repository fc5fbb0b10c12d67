"""Says in the status of DeviceTaintRules how far the eviction of pods has come.

Part of k8s.io/kubernetes/pkg/controller/devicetainteviction (maybeUpdateRuleStatus). A rule gets its first condition at
once, and another one at most every ten seconds. A rule without effect says which devices it is about and how many pods
would have to go: that is how administrators try one out.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.controllers.devicetaints import DeviceTaints, Eviction
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["RuleStatusReconciler", "RuleStatusReports", "taint_rule_controller"]

_TYPE: Final = "EvictionInProgress"
"""DeviceTaintConditionEvictionInProgress."""
_FIELD_MANAGER: Final = "device-taint-eviction-controller"
_PERIOD_SECONDS: Final = 10.0
"""ruleStatusPeriod."""
_HINT: Final = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."


class RuleStatusReports:
    """What the eviction of pods tells of rules: how many pods it has ended for each, and that a status is outdated."""

    def __init__(self, rules: Informer[v1.DeviceTaintRule] | None) -> None:
        self._rules = rules
        self._controller: Controller | None = None
        self._evicted: Counter[UID] = Counter()

    def tell(self, controller: Controller) -> None:
        """Has a controller look at rules whose status is outdated."""
        self._controller = controller

    def evicted(self, rule: UID) -> int:
        """How many pods were ended because of the rule, since the start of this program."""
        return self._evicted[rule]

    def pod_is_pending(self, rules: Iterable[UID]) -> None:
        """A pod has to go because of these rules."""
        self._outdate(rules)

    def pod_was_evicted(self, rules: Iterable[UID]) -> None:
        """A pod was ended because of these rules."""
        self._evicted.update(rules)
        self._outdate(rules)

    def forget(self, change: Change[v1.DeviceTaintRule]) -> None:
        """Handler for rules: forgets one that is gone."""
        if change.old is not None and (change.new is None or change.new.uid != change.old.uid):
            del self._evicted[change.old.uid]

    def _outdate(self, uids: Iterable[UID]) -> None:
        if self._controller is None or self._rules is None:
            return
        for uid in uids:
            rule = self._rules.by_uid(uid)
            if rule is not None:
                # Later, so that one write tells of all pods that end now.
                self._controller.enqueue(rule.key, _PERIOD_SECONDS)


class RuleStatusReconciler(Reconciler):
    """Reconciles the condition of one rule."""

    def __init__(
        self,
        client: Client,
        rules: Informer[v1.DeviceTaintRule],
        pods: Informer[Pod],
        taints: DeviceTaints,
        reports: RuleStatusReports,
        now: WallClock,
    ) -> None:
        self._client = client
        self._rules = rules
        self._pods = pods
        self._taints = taints
        self._reports = reports
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        rule = self._rules.get(request)
        if rule is None:
            return Result()
        before = next((each for each in rule.status.conditions if each.type == _TYPE), None)
        if before is not None and before.last_transition_time is not None:
            left = _PERIOD_SECONDS - (self._now() - before.last_transition_time).total_seconds()
            if left > 0 and before.observed_generation == rule.metadata.generation:
                return Result(requeue_after=left)
        dated = {"last_transition_time": before.last_transition_time if before is not None else None}
        wanted = self._condition(rule)
        if before is None or wanted.model_copy(update=dated).to_wire() != before.to_wire():
            # Unlike other conditions, this one is dated at every change: the next write is ten seconds later.
            current = wanted.model_copy(update={"last_transition_time": self._now().replace(microsecond=0)})
            body = {"metadata": {"uid": rule.uid}, "status": {"conditions": [current.to_wire()]}}
            kind = type(rule)
            await self._client.apply(
                kind, rule.key, body, field_manager=_FIELD_MANAGER, force=True, subresource="status"
            )
        return Result()

    def _condition(self, rule: v1.DeviceTaintRule) -> v1.StatusCondition:
        """The condition as it should be, without a date."""
        evicted = self._reports.evicted(rule.uid)
        status, message = "False", ""
        match rule.spec.taint.effect:
            case "NoExecute":
                pods, namespaces = self._pending(rule, self._taints.eviction_of)
                reason = "Completed" if evicted else "NotStarted"
                if pods:
                    status, reason = "True", "PodsPendingEviction"
                    need = "1 pod needs" if pods == 1 else f"{pods} pods need"
                    message = f"{need} to be evicted in {_count(namespaces, 'namespace', 'different namespaces')}."
            case "None":
                reason, message = "NoEffect", self._preview(rule)
            case _:
                reason, message = "OtherEffect", "Eviction only happens for the NoExecute effect."
        if evicted:
            message = f"{message} {_count(evicted, 'pod', 'pods')} evicted since starting the controller.".lstrip()
        return v1.StatusCondition(
            type=_TYPE,
            status=status,
            reason=reason,
            message=message,
            observed_generation=rule.metadata.generation,
        )

    def _preview(self, rule: v1.DeviceTaintRule) -> str:
        """What the rule would do if it had an effect."""
        pods, namespaces = self._pending(rule, lambda pod: self._taints.eviction_by(pod, rule))
        published, allocated = self._taints.published(rule), self._taints.allocated(rule)
        return (
            f"{_count(published, 'published device', 'published devices')} selected. "
            f"{_count(allocated, 'allocated device', 'allocated devices')} selected. "
            f"{_count(pods, 'pod', 'pods')} would be evicted in "
            f"{_count(namespaces, 'namespace', 'different namespaces')} if the effect was NoExecute. {_HINT}"
        )

    def _pending(self, rule: v1.DeviceTaintRule, eviction_of: Callable[[Pod], Eviction | None]) -> tuple[int, int]:
        """How many pods have to go because of the rule, and in how many namespaces they are."""
        evictions = ((pod, eviction_of(pod)) for pod in self._pods.list() if not pod.is_deleting)
        pending = [pod for pod, each in evictions if each is not None and rule.uid in each.rules]
        return len(pending), len({pod.metadata.namespace for pod in pending})


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number} {many}"


def taint_rule_controller(
    client: Client,
    rules: Informer[v1.DeviceTaintRule],
    pods: Informer[Pod],
    taints: DeviceTaints,
    reports: RuleStatusReports,
    now: WallClock,
) -> Controller:
    """The controller of the conditions of rules."""
    rules.subscribe(reports.forget)
    controller = Controller("device-taint-rule", RuleStatusReconciler(client, rules, pods, taints, reports, now))
    reports.tell(controller)
    controller.watch(rules, predicate=_is_of_interest)
    return controller


def _is_of_interest(change: Change[v1.DeviceTaintRule]) -> bool:
    """Whether there is a rule that says something else than before."""
    old, new = change.old, change.new
    return new is not None and (old is None or old.uid != new.uid or old.spec != new.spec)
