"""Pods that wait are woken once for many changes at a time."""

import asyncio

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.scheduler.gathering import Gathering

pytestmark = pytest.mark.looptime

PODS = [NamespacedName("default", "a"), NamespacedName("default", "b")]


async def test_many_changes_wake_each_pod_once() -> None:
    woken: list[NamespacedName] = []
    gathering = Gathering(lambda: PODS, woken.append)
    for _ in range(1000):
        gathering.ask()
    assert woken == []
    await asyncio.sleep(1)
    assert woken == PODS


async def test_a_change_after_that_wakes_them_again() -> None:
    woken: list[NamespacedName] = []
    gathering = Gathering(lambda: PODS[:1], woken.append)
    for _ in range(3):
        gathering.ask()
        await asyncio.sleep(1)
    assert woken == PODS[:1] * 3


async def test_those_that_wait_when_it_is_time_are_woken() -> None:
    waiting: list[NamespacedName] = []
    woken: list[NamespacedName] = []
    gathering = Gathering(lambda: waiting, woken.append)
    gathering.ask()
    waiting.append(PODS[1])
    await asyncio.sleep(1)
    assert woken == PODS[1:]
