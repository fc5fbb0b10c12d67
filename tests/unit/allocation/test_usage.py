"""Which claims have which devices."""

from fake_dra_driver.allocation import Holder, PoolId
from fake_dra_driver.allocation.usage import PoolUsage, Usage
from fake_dra_driver.api.kube.meta import NamespacedName
from tests.unit.allocation.gpus import DRIVER, allocated, claim

POOL = PoolId(DRIVER, "n1")
PENDING = claim()


def usage_of(usage: Usage) -> PoolUsage:
    return usage.of(POOL)


def test_an_allocated_claim_has_its_devices_until_it_is_deallocated() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a", "b"))
    holder = Holder(NamespacedName("default", "c"), "uid-c", "gpu", in_flight=False)
    assert usage_of(usage).exclusive == {"a": [holder], "b": [holder]}
    usage.observe(PENDING)
    assert usage_of(usage).exclusive == {}


def test_a_claim_that_is_gone_has_nothing() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a"))
    usage.remove(PENDING)
    assert usage_of(usage).devices == set()
    usage.remove(PENDING)


def test_a_claim_of_the_same_name_is_the_successor() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a"))
    successor = PENDING.model_copy(update={"metadata": PENDING.metadata.model_copy(update={"uid": "other"})})
    usage.observe(allocated(successor, "b"))
    assert usage_of(usage).devices == {"b"}
    usage.remove(PENDING)
    assert usage_of(usage).devices == {"b"}, "the deletion of the first one was heard of later"


def test_admin_access_uses_nothing() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a", adminAccess=True))
    assert usage_of(usage).devices == set()


def test_what_is_decided_counts_before_it_is_observed() -> None:
    usage = Usage(shares=True)
    decided = allocated(PENDING, "a").status.allocation
    assert decided is not None
    usage.observe(PENDING)
    usage.assume(PENDING, decided)
    assert [each.in_flight for each in usage_of(usage).holders("a")] == [True]
    usage.observe(PENDING)
    assert usage_of(usage).devices == {"a"}, "an older event says nothing about it"
    usage.observe(allocated(PENDING, "a"))
    usage.forget(PENDING)
    assert [each.in_flight for each in usage_of(usage).holders("a")] == [False]
    usage.forget(PENDING)


def test_what_was_decided_in_vain_is_free_again() -> None:
    usage = Usage(shares=True)
    decided = allocated(PENDING, "a").status.allocation
    assert decided is not None
    usage.assume(PENDING, decided)
    usage.forget(PENDING)
    assert usage_of(usage).devices == set()


def test_shares_add_up() -> None:
    usage = Usage(shares=True)
    for name, amount in (("one", "1Gi"), ("two", "2Gi")):
        shared = allocated(claim(name=name), "a", shareID=name, consumedCapacity={"memory": amount})
        usage.observe(shared)
    assert (usage_of(usage).exclusive, usage_of(usage).devices) == ({}, {"a"})
    assert sum(each.consumed["memory"] for each in usage_of(usage).shares["a"]) == 3 * 2**30 * 10**9
    assert [each.claim.name for each in usage_of(usage).holders("a")] == ["one", "two"]
    usage.observe(claim(name="one"))
    assert [each.claim.name for each in usage_of(usage).holders("a")] == ["two"]


def test_a_share_is_the_whole_device_where_there_are_no_shares() -> None:
    usage = Usage(shares=False)
    usage.observe(allocated(PENDING, "a", shareID="1"))
    assert list(usage_of(usage).exclusive) == ["a"]


def test_two_shares_of_one_claim_are_freed_together() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a", "a", shareID="1", consumedCapacity={"memory": "1"}))
    assert len(usage_of(usage).shares["a"]) == 2
    usage.observe(PENDING)
    assert usage_of(usage).devices == set()


def test_what_is_freed_is_counted() -> None:
    usage = Usage(shares=True)
    usage.observe(allocated(PENDING, "a"))
    assert (usage_of(usage).changes, usage_of(usage).releases) == (1, 0)
    usage.observe(PENDING)
    assert usage_of(usage).releases == 1


def test_nothing_is_freed_by_a_confirmation_or_an_update() -> None:
    usage = Usage(shares=True)
    decided = allocated(PENDING, "a").status.allocation
    assert decided is not None
    usage.assume(PENDING, decided)
    usage.observe(allocated(PENDING, "a"))
    usage.forget(PENDING)
    usage.observe(allocated(PENDING, "a"))
    assert (usage_of(usage).devices, usage_of(usage).releases) == ({"a"}, 0)
    usage.observe(allocated(PENDING, "b"))
    assert (usage_of(usage).devices, usage_of(usage).releases) == ({"b"}, 1)
