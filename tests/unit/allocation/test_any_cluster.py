"""What holds for every cluster: nothing is given twice, counters suffice, the order of what is told does not matter."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fake_dra_driver.allocation import Allocation, AllocationError, Allocator, Refusal
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceClaimStatus, ResourceSlice
from tests.unit.allocation.gpus import DRIVER, Json, allocator, claim, device_class, node, request, slice_of, taint

SETS: Sequence[Json] = [{"name": "set", "counters": {"x": {"value": "3"}}}]
MAX_STEPS = 2_000
few = settings(max_examples=30)
"""A cluster takes a hundredth of a second to make. Thousands of others are held against a real scheduler."""


@dataclass(frozen=True)
class Cluster:
    """Things of a cluster, and the claims of pods that come one after the other."""

    slices: tuple[ResourceSlice, ...]
    pods: tuple[tuple[ResourceClaim, ...], ...]

    def allocator(self, slices: Sequence[ResourceSlice] | None = None) -> Allocator:
        """An allocator that knows it, in this order."""
        expression = f'device.attributes["{DRIVER}"].numa == 1'
        return allocator(*(self.slices if slices is None else slices), device_class("one", expression))


def device(name: str) -> st.SearchStrategy[Json]:
    consumed = [{"counterSet": "set", "counters": {"x": {"value": "2"}}}]
    # An attribute is there always: whatever lacks it ends the cycle of every pod that looks at it.
    always = {
        "name": st.just(name),
        "attributes": st.fixed_dictionaries({"numa": st.sampled_from([{"int": 0}, {"int": 1}])}),
    }
    sometimes = {
        "consumesCounters": st.just(consumed),
        "taints": st.just([taint()]),
        "allowMultipleAllocations": st.just(True),
        "capacity": st.just({"memory": {"value": "4", "requestPolicy": {"default": "1"}}}),
    }
    return st.fixed_dictionaries(always, optional=sometimes)


@st.composite
def pools(draw: st.DrawFn) -> tuple[ResourceSlice, ...]:
    """The slices of up to three pools, some of which lack slices."""
    found: list[ResourceSlice] = []
    for pool in draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True)):
        names = [f"{pool}{index}" for index in range(draw(st.integers(1, 4)))]
        devices = [draw(device(name)) for name in names]
        where: dict[str, Any] = draw(st.sampled_from([{"nodeName": "n1"}, {"nodeName": "n2"}, {"allNodes": True}]))
        count = draw(st.sampled_from([2, 2, 2, 3]))
        found += [
            slice_of(name=f"{pool}-counters", pool=pool, count=count, sharedCounters=SETS, **where),
            slice_of(*devices, name=f"{pool}-devices", pool=pool, count=count, **where),
        ]
    return tuple(found)


def details() -> st.SearchStrategy[Mapping[str, Any]]:
    mode: st.SearchStrategy[Mapping[str, Any]] = st.one_of(
        st.fixed_dictionaries({"count": st.integers(1, 3)}), st.just({"allocationMode": "All"})
    )
    rest = st.fixed_dictionaries(
        {"deviceClassName": st.sampled_from(["gpu", "one"])},
        optional={
            "tolerations": st.just([{"operator": "Exists"}]),
            "capacity": st.just({"requests": {"memory": "2"}}),
        },
    )
    return st.builds(lambda first, second: {**first, **second}, mode, rest)


@st.composite
def claims(draw: st.DrawFn, name: str) -> ResourceClaim:
    """A claim of one or two requests."""
    requests: list[Json] = []
    for index in range(draw(st.integers(1, 2))):
        alternatives = draw(st.lists(details(), min_size=1, max_size=2))
        if len(alternatives) == 1:
            admin = {"adminAccess": True} if draw(st.integers(0, 4)) == 0 else {}
            requests.append(request(f"r{index}", **alternatives[0], **admin))
        else:
            listed = [{**request(**each)["exactly"], "name": f"s{sub}"} for sub, each in enumerate(alternatives)]
            requests.append({"name": f"r{index}", "firstAvailable": listed})
    kind = draw(st.sampled_from([None, "matchAttribute", "distinctAttribute"]))
    return claim(*requests, name=name, **({"constraints": [{kind: f"{DRIVER}/numa"}]} if kind else {}))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """A cluster, and up to four pods with up to two claims each."""
    pods = [
        tuple(draw(claims(f"c{pod}-{index}")) for index in range(draw(st.integers(1, 2))))
        for pod in range(draw(st.integers(1, 4)))
    ]
    return Cluster(draw(pools()), tuple(pods))


def outcome(found: Allocator, wanted: Sequence[ResourceClaim], name: str) -> Allocation | Refusal | str:
    """The decision, or the words of the error."""
    try:
        return found.allocate(wanted, node(name), max_steps=MAX_STEPS)
    except AllocationError as error:
        return str(error)


def with_allocation(wanted: ResourceClaim, decision: Allocation, index: int) -> ResourceClaim:
    return wanted.model_copy(update={"status": ResourceClaimStatus(allocation=decision.results[index])})


def run(cluster: Cluster, found: Allocator) -> list[Allocation | Refusal | str]:
    """Decides about all pods on both nodes; what the first node grants is in use from then on."""
    decisions: list[Allocation | Refusal | str] = []
    for pod in cluster.pods:
        for name in ("n1", "n2"):
            decision = outcome(found, pod, name)
            decisions.append(decision)
            if isinstance(decision, Allocation):
                for index, each in enumerate(pod):
                    found.put_claim(with_allocation(each, decision, index))
                break
    return decisions


def without_shares(decisions: Sequence[Allocation | Refusal | str]) -> list[object]:
    """The decisions, apart from the numbers of shares."""
    return [
        [[{**each.to_wire(), "shareID": None} for each in result.devices.results] for result in decision.results]
        if isinstance(decision, Allocation)
        else decision
        for decision in decisions
    ]


@few
@given(clusters())
def test_nothing_is_given_twice_and_nothing_that_is_not_there(cluster: Cluster) -> None:
    decisions = run(cluster, cluster.allocator())
    results = [
        each
        for decision in decisions
        if isinstance(decision, Allocation)
        for result in decision.results
        for each in result.devices.results
        if not each.admin_access
    ]
    devices = {(each.spec.pool.name, device.name): device for each in cluster.slices for device in each.spec.devices}
    alone = Counter((each.pool, each.device) for each in results if each.share_id is None)
    assert all(times == 1 for times in alone.values())
    shared = {(each.pool, each.device) for each in results if each.share_id is not None}
    assert not shared & alone.keys()
    for pool, name in shared:
        amounts = [
            int(each.consumed_capacity.get("memory", "0"))
            for each in results
            if (each.pool, each.device) == (pool, name)
        ]
        assert sum(amounts) <= 4
    spent = Counter(pool for pool, name in {*alone, *shared} if devices[pool, name].consumes_counters)
    assert all(2 * times <= 3 for times in spent.values())


@few
@given(clusters(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_told_does_not_matter(cluster: Cluster, random: Any) -> None:
    shuffled = list(cluster.slices)
    random.shuffle(shuffled)
    decisions = run(cluster, cluster.allocator()), run(cluster, cluster.allocator(shuffled))
    assert without_shares(decisions[0]) == without_shares(decisions[1])


@few
@given(clusters())
def test_what_is_remembered_changes_nothing(cluster: Cluster) -> None:
    remembering = cluster.allocator()
    told: dict[str, ResourceClaim] = {}
    for pod in cluster.pods * 2:
        for name in ("n1", "n2"):
            fresh = cluster.allocator()
            for each in told.values():
                fresh.put_claim(each)
            first, second = outcome(remembering, pod, name), outcome(fresh, pod, name)
            assert without_shares([first]) == without_shares([second])
            pending = [each for each in pod if each.metadata.name not in told]
            if isinstance(first, Allocation) and len(pending) == len(pod):
                for index, each in enumerate(pod):
                    told[each.metadata.name] = with_allocation(each, first, index)
                    remembering.put_claim(told[each.metadata.name])
            elif told:
                # Something is freed, so that what was refused has to be looked at again.
                freed, _ = told.popitem()
                remembering.put_claim(claim(name=freed))


@few
@given(clusters())
def test_a_survey_agrees_with_the_search(cluster: Cluster) -> None:
    found = cluster.allocator()
    for pod in cluster.pods:
        decision = outcome(found, pod, "n1")
        survey = found.survey(pod, node("n1"))
        requests = {(each.claim, each.name): each for each in survey.requests}
        if isinstance(decision, Allocation):
            for index, result in enumerate(decision.results):
                for each in result.devices.results:
                    chosen = next(
                        device for pool in survey.pools for device in pool.devices if device.device == each.device
                    )
                    assert survey.judge(requests[index, each.request], chosen) == ()
        elif isinstance(decision, Refusal) and len(survey.requests) == 1 and not survey.requests[0].wants_all:
            # With one request for one device the search has to have found an obstacle at each.
            usable = [device for pool in survey.pools if pool.obstacle is None for device in pool.devices]
            if survey.requests[0].count == 1:
                assert all(survey.judge(survey.requests[0], each) for each in usable)
