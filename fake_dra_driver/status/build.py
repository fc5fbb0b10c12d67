"""Makes the report of what was read. Pure: it answers from the informers of a view."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.nodestate.deviceuse import DeviceUse, device_uses
from fake_dra_driver.dra.nodestate.layout import EntryT, StateT
from fake_dra_driver.dra.nodestate.pluginpart import is_by_controller
from fake_dra_driver.dra.nodestate.state import NOT_READY, closed_reason
from fake_dra_driver.dra.reason import PREPARE_FAILED
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.faults import NodeFaults
from fake_dra_driver.status.nodes import NODES_HIDDEN
from fake_dra_driver.status.poolfacts import CLOSING_EFFECTS, UNPUBLISHED, DeviceFacts
from fake_dra_driver.status.report import (
    ChildReport,
    ClaimReport,
    Counts,
    DeviceReport,
    ModelReport,
    NodeReport,
    Report,
    Summary,
)
from fake_dra_driver.status.view import ClusterView
from fake_dra_driver.untrustedtext import MAX_NAME, one_line, short_name

__all__ = ["Reporter"]

_Model = tuple[str, str]
"""Type and model."""

NAMED_IN_A_PROBLEM: Final = 3
"""How many claims a problem names; the rest are counted."""
MAX_PROBLEM: Final = 200
"""Characters of what is said of one device."""
MAX_SAID: Final = 400
"""Characters of what the node says of one claim."""


class Reporter(Generic[StateT, EntryT]):
    """Makes reports of a view, as often as one is wanted.

    Args:
        view: what was read.
        namespace: of the NodeAllocationState objects; empty when there are none.
        nodes: the nodes to report, of those that there are; none: all.
    """

    def __init__(self, view: ClusterView[StateT, EntryT], namespace: str, nodes: Collection[str] = ()) -> None:
        self._view = view
        self._layout = view.driver.layout
        self._namespace = namespace
        self._nodes = nodes

    def report(self) -> Report:
        """The state at this moment."""
        every = sorted(
            [
                *map(self._node, filter(self._view.driver.includes, self._view.states.list())),
                *map(_unreadable, self._view.states.invalid()),
            ],
            key=lambda node: natural_order(node.name),
        )
        waiting, unused = self._view.claims.waiting()
        return Report(
            driver=self._view.driver.names.driver,
            namespace=self._namespace,
            summary=Summary(
                nodes=len(every),
                ready_nodes=sum(node.ready for node in every),
                cordoned_nodes=sum(node.is_cordoned for node in every),
                simulated_nodes=sum(node.simulated for node in every),
                counts=_sum(node.counts for node in every),
                closed_devices=sum(node.counts.unavailable for node in every if not node.ready),
                models=_models_of(every),
                claims=sum(node.claims for node in every),
                waiting=len(waiting),
                unused=unused,
            ),
            nodes=tuple(node for node in every if not self._nodes or node.name in self._nodes),
            waiting=tuple(waiting),
            faults=tuple(self._view.faults.reports()),
            notes=(*(() if self._view.nodes.informer is not None else (NODES_HIDDEN,)), *self._view.faults.notes),
        )

    def _node(self, state: StateT) -> NodeReport:
        source, layout = self._view.claims, self._layout
        entries, prepared = source.entries_of(state), layout.prepared_of(state)
        claims = {uid: source.claim(UID(uid)) for uid in (*entries, *prepared)}
        name = state.metadata.name
        reasons = (
            closed_reason(layout, state),
            self._view.nodes.unusable_reason(name),
            source.unpublished_reason(state),
        )
        closed = [reason for reason in reasons if reason is not None]
        pool = source.pool(state)
        faults = self._view.faults.on(name)
        uses = device_uses(layout, state, entries, is_usable=not closed)
        names = {layout.key_of(device): layout.name_of(device) for device in layout.inventory_of(state)}
        facts = {use.key: pool.devices.get(names.get(use.key) or use.key, UNPUBLISHED) for use in uses}
        devices = tuple(self._device(use, claims, facts[use.key], faults) for use in uses)
        return NodeReport(
            name=name,
            status=layout.status_of(state) or NOT_READY,
            ready=not closed,
            node_status=self._view.nodes.status(name),
            counts=_counts(devices),
            models=_models(devices),
            claims=len(entries),
            devices=devices,
            counter_sets=pool.counter_sets,
            simulated=is_by_controller(layout, state),
            profile=self._view.driver.profile_of(state),
            faults=faults.names,
            problems=(
                *closed,
                *self._outdated(state),
                *_problems(prepared, uses, entries, claims, source.unrecorded(state)),
                *self._failed(uses, claims),
            ),
        )

    def _outdated(self, state: StateT) -> Iterator[str]:
        """What keeps the node from saying which devices it has now."""
        if problem := self._layout.inventory_problem_of(state):
            yield f"its devices may have changed since: {one_line(problem, MAX_SAID)}"
        if problem := self._view.driver.profile_problem_of(state):
            yield one_line(problem, MAX_SAID)

    def _failed(self, uses: Sequence[DeviceUse], claims: Mapping[str, ClaimReport]) -> Iterator[str]:
        """What the node has said of claims whose devices it cannot make ready, and which pods wait for."""
        # In the order of the devices: each claim once.
        held = dict.fromkeys(uid for use in uses if use.state == "allocated" for uid in (use.claim, *use.others))
        waited_for = [claims[uid] for uid in held if uid is not None and claims[uid].pods]
        said = [(claim, self._view.claims.told(UID(claim.uid))) for claim in waited_for]
        failed = [(claim, told) for claim, told in said if told is not None and told.reason == PREPARE_FAILED.name]
        for claim, told in failed[:NAMED_IN_A_PROBLEM]:
            yield f"claim {claim.namespace}/{claim.name} cannot be prepared: {one_line(told.message, MAX_SAID)}"
        if (more := len(failed) - NAMED_IN_A_PROBLEM) > 0:
            yield f"{more} more claims cannot be prepared"

    def _device(
        self, use: DeviceUse, claims: Mapping[str, ClaimReport], facts: DeviceFacts, faults: NodeFaults
    ) -> DeviceReport:
        prepared = set(use.prepared_parts)
        parts = self._layout.part_keys(use.key, use.parts)
        return DeviceReport(
            uuid=use.key,
            name=facts.name,
            type=facts.type,
            model=use.model,
            state="unavailable" if use.state == "free" and facts.keeps_claims_away else use.state,
            parent=facts.parent,
            claim=claims[use.claim] if use.claim is not None else None,
            shared_with=tuple(claims[uid] for uid in use.others),
            children=tuple(ChildReport(uuid=uuid, prepared=uuid in prepared) for uuid in parts),
            problem=use.problem,
            taints=facts.taints,
            shared=facts.is_shared,
            shares=facts.shares,
            capacity=facts.capacity,
            counters=facts.counters,
            lacks=facts.lacks,
            faults=faults.by_device.get(facts.name or use.key, ()),
            health=faults.health.get(facts.name or use.key, ""),
        )


def _unreadable(error: InvalidObjectError) -> NodeReport:
    return NodeReport(
        name=error.key.name,
        status="Unreadable",
        ready=False,
        counts=Counts(),
        claims=0,
        devices=(),
        problems=(f"its NodeAllocationState cannot be read: {'; '.join(error.problems)}",),
    )


def _counts(devices: Iterable[DeviceReport]) -> Counts:
    counted = list(devices)
    tally = Counter[str](device.state for device in counted)
    shareable = sum(map(_has_shares_left, counted))
    return Counts(devices=tally.total() - tally["missing"], shareable=shareable, **tally)


def _has_shares_left(device: DeviceReport) -> bool:
    is_closed = device.problem or any(taint.effect in CLOSING_EFFECTS for taint in device.taints)
    is_held = device.state in ("allocated", "prepared")
    return device.shared and is_held and not is_closed and all(amount.left != "0" for amount in device.capacity)


def _models(devices: Sequence[DeviceReport]) -> tuple[ModelReport, ...]:
    by_model: dict[_Model, list[DeviceReport]] = {}
    for device in devices:
        if device.state != "missing":
            by_model.setdefault((device.type, device.model), []).append(device)
    return tuple(
        ModelReport(type=type_, model=model, counts=_counts(members)) for (type_, model), members in by_model.items()
    )


def _models_of(nodes: Iterable[NodeReport]) -> tuple[ModelReport, ...]:
    by_model: dict[_Model, list[Counts]] = {}
    for node in nodes:
        for found in node.models:
            by_model.setdefault((found.type, found.model), []).append(found.counts)
    ordered = sorted(by_model, key=lambda model: tuple(map(natural_order, model)))
    return tuple(ModelReport(type=model[0], model=model[1], counts=_sum(by_model[model])) for model in ordered)


def _sum(counts: Iterable[Counts]) -> Counts:
    tally: Counter[str] = Counter()
    for count in counts:
        tally.update(count.model_dump())
    return Counts(**tally)


def _problems(
    prepared: Collection[str],
    uses: Sequence[DeviceUse],
    entries: Collection[str],
    claims: Mapping[str, ClaimReport],
    unrecorded: Sequence[str],
) -> Iterator[str]:
    if broken := [f"{short_name(use.key)} ({use.problem})" for use in uses if use.problem]:
        yield f"no claim can get devices that are not healthy: {_listed(broken, MAX_PROBLEM)}"
    if missing := [use.key for use in uses if use.state == "missing"]:
        yield f"claims hold devices that the node does not have: {_listed(missing)}"
    if gone := [uid for uid in entries if not claims[uid].exists]:
        yield f"devices are on record for claims that do not exist: {_listed(gone)}"
    if stale := [uid for uid in prepared if uid not in entries]:
        yield f"prepared for claims that hold nothing here: {_listed([claims[uid].name or uid for uid in stale])}"
    if unrecorded:
        yield f"claims are allocated here but not on record: {_listed(unrecorded)}"


def _listed(names: Sequence[str], most: int = MAX_NAME) -> str:
    more = len(names) - NAMED_IN_A_PROBLEM
    shown = [one_line(name, most) for name in sorted(names, key=natural_order)[:NAMED_IN_A_PROBLEM]]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
