"""Faults by name, through the control socket of a running cluster."""

import asyncio
import inspect
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.faultcommand import FaultCommand
from fake_dra_driver.cluster.faults import ClusterFaults
from fake_dra_driver.cluster.kinds import Namespace
from fake_dra_driver.demo.settings import FAULTS
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ApiError, ConflictError, GoneError, TransportError
from fake_dra_driver.runtime.listwatch import Selection
from tests.unit.cluster.manifest import NAMESPACE

KEY = NamespacedName("", "a")


async def _ask(cluster: Cluster, fault: str, **options: Any) -> str:
    return await ask(str(cluster.kubeconfig), fault, options)


def _watch(cluster: Cluster, version: str) -> AsyncGenerator[Any, None]:
    selection = Selection(Namespace.resource)
    return cluster.client.list_watch.watch(selection, version, timeout_seconds=60, inactivity_seconds=60)


async def test_a_write_fails_as_often_as_asked(cluster: Cluster) -> None:
    said = await _ask(cluster, "fail-requests", answer="409", verb="patch", resource="namespaces", times=2)
    assert said == "the next 2 patch requests for namespaces will get 409"
    for _ in range(2):
        with pytest.raises(ConflictError):
            await cluster.apply(NAMESPACE)
    await cluster.apply(NAMESPACE)


async def test_a_write_takes_place_though_its_client_hears_nothing_of_it(cluster: Cluster) -> None:
    await _ask(cluster, "fail-requests", answer="reset", verb="patch", after=True)
    with pytest.raises(TransportError):
        await cluster.apply(NAMESPACE)
    assert (await cluster.client.get(Namespace, KEY)).metadata.name == "a"


async def test_until_it_is_healed(cluster: Cluster) -> None:
    await _ask(cluster, "fail-requests", verb="create", resource="namespaces", times=0)
    for _ in range(3):
        with pytest.raises(ApiError):
            await cluster.client.create(Namespace.from_wire({"metadata": {"name": "b"}}))
    assert await _ask(cluster, "heal") == "requests no longer fail"
    await cluster.client.create(Namespace.from_wire({"metadata": {"name": "b"}}))


async def test_nothing_to_heal(cluster: Cluster) -> None:
    assert await _ask(cluster, "heal") == "nothing was failing"
    await _ask(cluster, "fail-requests", verb="get", resource="namespaces")
    with pytest.raises(ApiError):
        await cluster.client.get(Namespace, KEY)
    assert await _ask(cluster, "heal") == "nothing was failing"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "the next request will get 500"),
        ({"verb": "get", "answer": "reset"}, "the next get request will lose the connection"),
        ({"resource": "pods", "times": 3}, "the next 3 requests for pods will get 500"),
        ({"resource": "po", "after": True}, "the next request for pods will be carried out, and get 500"),
        ({"resource": "Pod"}, "the next request for pods will get 500"),
        ({"resource": "deployment.apps"}, "the next request for deployments will get 500"),
        (
            {"resource": "pods/status", "verb": "patch", "answer": "timeout"},
            "the next patch request for pods/status will get no answer",
        ),
        ({"times": 0}, "all requests will get 500, until 'fake-dra-driver cluster fault heal'"),
    ],
)
async def test_the_answer_says_which_requests_will_fail(
    cluster: Cluster, options: Mapping[str, Any], said: str
) -> None:
    assert await _ask(cluster, "fail-requests", **options) == said


async def test_a_subresource_fails_and_its_object_does_not(cluster: Cluster) -> None:
    await cluster.apply(NAMESPACE)
    await _ask(cluster, "fail-requests", resource="ns/status")
    found = await cluster.client.get(Namespace, KEY)
    with pytest.raises(ApiError):
        await cluster.client.update_status(found)
    await cluster.client.update_status(found)


async def test_watches_break_and_history_is_forgotten(cluster: Cluster) -> None:
    before = (await cluster.client.list(Namespace)).resource_version
    await cluster.apply(NAMESPACE)
    watch = _watch(cluster, before)
    async with aclosing(watch):
        await anext(watch)
        waiting = asyncio.ensure_future(anext(watch))
        await _ask(cluster, "drop-watches")
        with pytest.raises((TransportError, StopAsyncIteration)):
            await waiting
    assert await _ask(cluster, "compact") == "the history is forgotten"
    async with aclosing(_watch(cluster, before)) as late:
        with pytest.raises(GoneError):
            await anext(late)


async def test_connections_that_break_on_purpose_are_no_error_of_the_server(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    client = await Client.connect(kubeconfig=str(cluster.kubeconfig), user_agent="tests")
    try:
        watch = client.list_watch.watch(Selection(Namespace.resource), "", timeout_seconds=60, inactivity_seconds=60)
        async with aclosing(watch):
            await anext(watch)
            await _ask(cluster, "drop-watches")
            with pytest.raises(TransportError):
                _ = [event async for event in watch]
        # Each time: a client may ask again by itself when a connection breaks that it has used before.
        await _ask(cluster, "fail-requests", answer="reset", verb="list", resource="namespaces", times=0)
        with pytest.raises(TransportError):
            await client.list(Namespace)
    finally:
        await client.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_api_server_comes_back_with_its_objects(cluster: Cluster) -> None:
    await cluster.apply(NAMESPACE)
    assert await _ask(cluster, "restart-apiserver", seconds=0) == "the API server was killed, and is back"
    assert (await cluster.client.get(Namespace, KEY)).metadata.name == "a"


async def test_the_api_server_is_restarted_by_one_at_a_time(cluster: Cluster) -> None:
    requests = [_ask(cluster, "restart-apiserver", seconds=0.5) for _ in range(4)]
    said = sorted(str(each) for each in await asyncio.gather(*requests, return_exceptions=True))
    assert said == [
        *["The API server is away already, and comes back by itself"] * 3,
        "the API server was away for 0.5 s",
    ]
    await cluster.client.list(Namespace)


async def test_a_component_is_restarted(cluster: Cluster) -> None:
    def scheduler() -> asyncio.Task[Any]:
        (found,) = [task for task in asyncio.all_tasks() if task.get_name() == "kube-scheduler"]
        return found

    before = scheduler()
    await cluster.faults.restart_component("kube-scheduler")
    assert before.done()
    assert scheduler() is not before
    with pytest.raises(ClusterError, match=r"There is no component etcd\. There are: kube-controller-manager, kube-"):
        await cluster.faults.restart_component("etcd")


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("explode", {}, "There is no fault explode. There are: compact, cut-health-streams, "),
        ("stop-nodes", {}, "There is no fault stop-nodes. Did you mean stop-node?"),
        ("heal", {"times": 3}, "The cluster is of another version, and its heal has other options: "),
        ("fail-requests", {"answer": "418"}, "The answer 418 is unknown"),
        ("fail-requests", {"resource": "nosuch"}, "There is no resource nosuch. There are: bindings, "),
        ("fail-requests", {"resource": "podss"}, "There is no resource podss. Did you mean pods?"),
        (
            "fail-requests",
            {"resource": "pods/statsu"},
            "There is no subresource of pods called statsu. Did you mean sta",
        ),
        ("fail-requests", {"verb": "pach"}, "There is no verb pach. Did you mean patch?"),
        (
            "fail-requests",
            {"resource": "pods/status", "verb": "list"},
            "There is no verb for pods called list. There are: get, patch, update.",
        ),
        ("stop-node", {"node": "missing"}, "There is no node missing. There are: fake-dra-driver-cluster-worker."),
        ("start-node", {"node": "worker"}, "There is no node worker. Did you mean fake-dra-driver-cluster-worker?"),
        ("kill-container", {}, "Name a pod with --pod. These run: none"),
        ("kill-container", {"pod": "p"}, "There is no running pod default/p. There are: none."),
    ],
)
async def test_what_is_refused(cluster: Cluster, fault: str, options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ClusterError, match=re.escape(message)):
        await _ask(cluster, fault, **options)


async def test_the_faults_of_the_command_line_have_the_options_that_the_cluster_knows() -> None:
    """Each side has the names of faults and options; none may be unknown to the other."""
    of_cluster = {
        fault: set(inspect.signature(command).parameters)
        for fault, command in FaultCommand(ClusterFaults(ApiServer(), {}, {})).commands.items()
    }
    of_settings = {model.fault: set(model.model_fields) - {"kubeconfig"} for model in FAULTS}
    assert of_settings == of_cluster
