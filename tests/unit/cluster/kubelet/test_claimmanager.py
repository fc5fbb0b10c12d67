"""Claims of pods: prepared before containers start, by the rules of each release, and unprepared after their end."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import yaml

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.kubelet.dra.claimmanager import ClaimManager
from fake_dra_driver.cluster.kubelet.dra.claimstate import DraError
from fake_dra_driver.cluster.kubelet.dra.plugins import PluginRegistry
from fake_dra_driver.cluster.kubelet.dra.socketfolders import SocketFolders
from fake_dra_driver.cluster.releases import DEFAULT
from tests.unit.cluster.kubelet.standin import StandInPlugin
from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import DRIVER, FOREVER, World, container, pod, status_of

PRINT = f"export; echo done; {FOREVER}"


@pytest.fixture
async def plugin(node: World) -> AsyncIterator[StandInPlugin]:
    async with StandInPlugin(node.root).running() as plugin:
        await plugin.registered()
        yield plugin


def devices(log: str) -> list[str]:
    return [line for line in log.splitlines() if "DEVICE_" in line]


async def start(world: World, name: str, *claims: str, script: str = PRINT) -> None:
    """A pod with claims of its own, which are reserved for it in time."""
    created = await world.create(pod(name, container(script), claims=claims))
    for claim in claims:
        await world.allocate(claim, created)


async def test_claims_are_prepared_in_one_call_and_containers_get_their_devices(
    node: World, plugin: StandInPlugin
) -> None:
    await start(node, "pod0", "a", "b")
    await node.until_ready("pod0")
    assert plugin.calls == [
        ("NodePrepareResources", [("a", "handle of a", "default"), ("b", "handle of b", "default")])
    ]
    assert devices(await node.log_until("pod0", "done\n")) == [
        f"export DEVICE_A='{DRIVER}'",
        f"export DEVICE_B='{DRIVER}'",
    ]


async def test_a_container_gets_the_devices_of_its_own_claims_alone(node: World, plugin: StandInPlugin) -> None:
    containers = [
        container(PRINT, "one", resources={"claims": [{"name": "a"}]}),
        container(PRINT, "two", resources={"claims": [{"name": "b"}, {"name": "a"}]}),
        container(PRINT, "none", resources={}),
    ]
    created = await node.create(pod("pod0", *containers, claims=["a", "b"]))
    for claim in ("a", "b"):
        await node.allocate(claim, created)
    await node.until_ready("pod0")
    found = {name: len(devices(await node.log_until("pod0", "done\n", name))) for name in ("one", "two", "none")}
    assert found == {"one": 1, "two": 2, "none": 0}


async def test_claims_are_unprepared_after_the_containers_and_before_the_api_is_told(
    node: World, plugin: StandInPlugin
) -> None:
    await start(node, "pod0", "a")
    await node.until_ready("pod0")
    plugin.gate.clear()
    plugin.arrived.clear()
    await node.delete("pod0")
    await plugin.arrived.wait()
    assert plugin.verbs[-1] == ("NodeUnprepareResources", ["a"])
    waiting = await node.until("pod0", lambda pod: status_of(pod).state.terminated is not None)
    assert waiting.status.phase == "Running"
    plugin.gate.set()
    await node.until_gone("pod0")
    assert len(plugin.calls) == 2


async def test_a_pod_that_finishes_has_its_claims_unprepared_before_it_is_said_to_be_finished(
    node: World, plugin: StandInPlugin
) -> None:
    created = await node.create(pod("pod0", container("true"), claims=["a"], restartPolicy="Never"))
    await node.allocate("a", created)
    await node.until_phase("pod0", "Succeeded")
    assert plugin.verbs == [("NodePrepareResources", ["a"]), ("NodeUnprepareResources", ["a"])]


async def test_a_shared_claim_is_prepared_once_and_unprepared_after_its_last_pod(
    node: World, plugin: StandInPlugin
) -> None:
    pods = [await node.create(pod(name, container(PRINT), claims=["shared"])) for name in ("pod0", "pod1")]
    await node.allocate("shared", *pods)
    for name in ("pod0", "pod1"):
        await node.until_ready(name)
        assert devices(await node.log_until(name, "done\n")) == [f"export DEVICE_SHARED='{DRIVER}'"]
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert plugin.verbs == [("NodePrepareResources", ["shared"])]
    await node.delete("pod1")
    await node.until_gone("pod1")
    assert plugin.verbs == [("NodePrepareResources", ["shared"]), ("NodeUnprepareResources", ["shared"])]


async def test_a_claim_of_a_template_is_found_by_the_pods_status_and_has_to_be_the_pods_own(
    node: World, plugin: StandInPlugin
) -> None:
    manifest = pod("pod0", container(PRINT, resources={"claims": [{"name": "mine"}]}))
    manifest["spec"]["resourceClaims"] = [{"name": "mine", "source": {"resourceClaimTemplateName": "template"}}]
    created = await node.create(manifest)
    claim = await node.allocate("pod0-mine-x7k2p", created)
    status = {"resourceClaimStatuses": [{"name": "mine", "resourceClaimName": "pod0-mine-x7k2p"}]}
    await node.client.merge_patch(type(created), created.key, {"status": status}, subresource="status")
    await node.until_event(
        "pod0", "FailedPrepareDynamicResources", "was not created for Pod default/pod0 (Pod is not owner)"
    )
    assert plugin.calls == []
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "pod0", "uid": created.uid, "controller": True}
    await node.client.merge_patch(ResourceClaim, claim.key, {"metadata": {"ownerReferences": [owner]}})
    await node.until_ready("pod0")
    assert plugin.verbs == [("NodePrepareResources", ["pod0-mine-x7k2p"])]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"reservedFor": None}, "is not allowed to use resource claim a("),
        ({"allocation": None, "reservedFor": None, "driverName": None}, "is not allowed to use resource claim a("),
    ],
)
async def test_a_claim_that_is_not_the_pods_is_not_prepared(
    node: World, plugin: StandInPlugin, status: dict[str, None], message: str
) -> None:
    created = await node.create(pod("pod0", claims=["a"]))
    await node.allocate("a", created, status=status)
    said = await node.until_event("pod0", "FailedPrepareDynamicResources", message)
    assert said.startswith("Failed to prepare dynamic resources: ")
    assert plugin.calls == []
    waiting = await node.pod("pod0")
    assert (waiting.status.phase, status_of(waiting).state.waiting.reason) == ("Pending", "ContainerCreating")  # type: ignore[union-attr] # it waits
    await node.allocate("a", created)
    await node.until_ready("pod0")


async def test_a_claim_that_does_not_exist_is_waited_for(node: World, plugin: StandInPlugin) -> None:
    await node.create(pod("pod0", claims=["a"]))
    message = 'failed to fetch ResourceClaim a referenced by pod pod0: resourceclaims.resource.k8s.io "a" not found'
    await node.until_event("pod0", "FailedPrepareDynamicResources", message)
    await node.allocate("a", await node.pod("pod0"))
    await node.until_ready("pod0")


async def test_a_driver_without_a_plugin_is_waited_for(node: World) -> None:
    await start(node, "pod0", "a")
    await node.until_event("pod0", "FailedPrepareDynamicResources", "not found in the list of registered DRA plugins")
    async with StandInPlugin(node.root).running():
        await node.until_ready("pod0")
        await node.delete("pod0")
        await node.until_gone("pod0")


async def test_what_the_plugin_says_is_told_and_it_is_asked_again(node: World, plugin: StandInPlugin) -> None:
    plugin.errors["prepare", "a"] = "the device is on fire"
    await start(node, "pod0", "a")
    message = await node.until_event("pod0", "FailedPrepareDynamicResources", "on fire")
    said = "NodePrepareResources failed for claim default/a: the device is on fire"
    assert message == f"Failed to prepare dynamic resources: {said}"
    plugin.errors.clear()
    await node.until_ready("pod0")


async def test_a_call_that_fails_as_a_whole(node: World, plugin: StandInPlugin) -> None:
    plugin.failure = grpc.StatusCode.UNAVAILABLE
    await start(node, "pod0", "a")
    await node.until_event("pod0", "FailedPrepareDynamicResources", "rpc error: code = Unavailable desc = as the test")
    plugin.failure = None
    await node.until_ready("pod0")


async def test_an_answer_that_leaves_a_claim_out_and_one_for_a_claim_that_was_not_asked_for(
    node: World, plugin: StandInPlugin
) -> None:
    plugin.left_out = {"b"}
    await start(node, "pod0", "a", "b")
    await node.until_event("pod0", "FailedPrepareDynamicResources", "NodePrepareResources left out 1 claims")
    plugin.left_out = set()
    plugin.added = {"unasked": "x"}
    await node.until_event(
        "pod0", "FailedPrepareDynamicResources", "NodePrepareResources returned result for unknown claim UID unasked"
    )
    plugin.added = {}
    await node.until_ready("pod0")


async def test_an_unprepare_that_fails_is_repeated_and_the_pod_stays_until_then(
    node: World, plugin: StandInPlugin
) -> None:
    await start(node, "pod0", "a")
    await node.until_ready("pod0")
    plugin.errors["unprepare", "a"] = "still warm"
    await node.delete("pod0")
    await node.until_event(
        "pod0", "FailedUnprepareDynamicResources", "NodeUnprepareResources failed for claim default/a: still warm"
    )
    assert (await node.pod("pod0")).is_deleting
    plugin.errors.clear()
    await node.until_gone("pod0")


async def test_a_plugin_that_failed_to_prepare_is_asked_to_unprepare(node: World, plugin: StandInPlugin) -> None:
    plugin.errors["prepare", "a"] = "no"
    await start(node, "pod0", "a")
    await node.until_event("pod0", "FailedPrepareDynamicResources", "NodePrepareResources failed")
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert plugin.verbs[-1] == ("NodeUnprepareResources", ["a"])


async def test_unprepare_needs_no_claim(node: World, plugin: StandInPlugin) -> None:
    await start(node, "pod0", "a")
    await node.until_ready("pod0")
    await node.client.delete(ResourceClaim, NamespacedName("default", "a"))
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert plugin.calls[-1] == ("NodeUnprepareResources", [("a", "handle of a", "default")])


async def test_a_deletion_ends_the_wait_for_a_plugin(node: World, plugin: StandInPlugin) -> None:
    plugin.gate.clear()
    await start(node, "pod0", "a")
    await plugin.arrived.wait()
    await node.delete("pod0")
    await until(lambda: plugin.verbs[-1][0] == "NodeUnprepareResources")
    plugin.gate.set()
    await node.until_gone("pod0")


async def test_an_allocation_without_handles_is_prepared_by_the_claims_driver(
    node: World, plugin: StandInPlugin
) -> None:
    created = await node.create(pod("pod0", container(PRINT), claims=["a"]))
    await node.allocate("a", created, handles={})
    await node.until_ready("pod0")
    assert plugin.calls == [("NodePrepareResources", [("a", "", "default")])]


async def test_each_driver_of_an_allocation_gets_its_own_handle(node: World, plugin: StandInPlugin) -> None:
    other = StandInPlugin(node.root, name="other.example.com")
    other.writes_cdi = False
    async with other.running():
        await other.registered()
        created = await node.create(pod("pod0", claims=["a"]))
        await node.allocate("a", created, handles={DRIVER: "mine", "other.example.com": "theirs"})
        await node.until_event("pod0", "Failed", "unresolvable CDI devices other.example.com/dev=a")
        assert plugin.calls == [("NodePrepareResources", [("a", "mine", "default")])]
        assert other.calls == [("NodePrepareResources", [("a", "theirs", "default")])]
        await node.delete("pod0")
        await node.until_gone("pod0")
        assert other.verbs[-1] == ("NodeUnprepareResources", ["a"])


# --- Releases ---


@pytest.mark.parametrize("release", ["1.28", "1.30"])
async def test_a_claim_that_no_container_uses_is_left_alone_since_1_28(world: World, release: str) -> None:
    await world.start(kubernetes_version=release)
    async with StandInPlugin(world.root).running() as plugin:
        created = await world.create(pod("pod0", container(FOREVER, resources={}), claims=["a"]))
        await world.allocate("a", created)
        await world.until_ready("pod0")
        assert plugin.calls == []


async def test_kubelet_1_27_calls_v1alpha2_one_claim_at_a_time_and_prepares_all(world: World) -> None:
    await world.start(kubernetes_version="1.27.16")
    async with StandInPlugin(world.root, serves=("v1alpha2", "v1alpha3")).running() as plugin:
        await plugin.registered()
        spec = container(PRINT, resources={"claims": [{"name": "a"}]})
        created = await world.create(pod("pod0", spec, claims=["a", "b"]))
        for claim in ("a", "b"):
            await world.allocate(claim, created)
        await world.until_ready("pod0")
        assert plugin.verbs == [("NodePrepareResource", ["a"]), ("NodePrepareResource", ["b"])]
        assert devices(await world.log_until("pod0", "done\n")) == [f"export DEVICE_A='{DRIVER}'"]
        await world.delete("pod0")
        await world.until_gone("pod0")
        assert plugin.verbs[2:] == [("NodeUnprepareResource", ["a"]), ("NodeUnprepareResource", ["b"])]


async def test_kubelet_1_30_falls_back_to_v1alpha2(node: World) -> None:
    async with StandInPlugin(node.root, serves=("v1alpha2",)).running() as plugin:
        await plugin.registered()
        await start(node, "pod0", "a")
        await node.until_ready("pod0")
        assert plugin.calls == [("NodePrepareResource", [("a", "handle of a", "default")])]
        await node.delete("pod0")
        await node.until_gone("pod0")
        assert plugin.verbs[-1] == ("NodeUnprepareResource", ["a"])


@pytest.mark.parametrize("release", ["1.27", "1.30"])
async def test_an_error_of_a_v1alpha2_call_is_told(world: World, release: str) -> None:
    await world.start(kubernetes_version=release)
    async with StandInPlugin(world.root, serves=("v1alpha2",)).running() as plugin:
        await plugin.registered()
        plugin.errors["prepare", "a"] = "not today"
        await start(world, "pod0", "a")
        await world.until_event(
            "pod0", "FailedPrepareDynamicResources", "rpc error: code = FailedPrecondition desc = not today"
        )
        plugin.errors = {("unprepare", "a"): "never"}
        await world.until_ready("pod0")
        await world.delete("pod0")
        await world.until_event("pod0", "FailedUnprepareDynamicResources", "never")
        plugin.errors.clear()
        await world.until_gone("pod0")


# --- CDI ---


async def test_a_device_that_no_file_defines_keeps_the_container_from_starting_until_one_does(
    node: World, plugin: StandInPlugin
) -> None:
    plugin.writes_cdi = False
    await start(node, "pod0", "a")
    message = await node.until_event("pod0", "Failed")
    cdi = f"{node.root}/etc/cdi or {node.root}/var/run/cdi"
    reason = f"unresolvable CDI devices {DRIVER}/dev=a: no valid file in {cdi} defines it"
    assert message == f"Error: {reason}"
    waiting = await node.until("pod0", lambda pod: status_of(pod).state.waiting)
    state = status_of(waiting).state.waiting
    assert state is not None
    assert (state.reason, state.message) == ("CreateContainerError", reason)
    edits = {"env": ["DEVICE_LATE=yes"]}
    spec = {"cdiVersion": "0.3.0", "kind": f"{DRIVER}/dev", "devices": [{"name": "a", "containerEdits": edits}]}
    folder = node.root / "etc/cdi"
    await asyncio.to_thread(folder.mkdir, parents=True)
    (folder / "late.yaml").write_text(yaml.safe_dump(spec))
    await node.until_ready("pod0")
    assert devices(await node.log_until("pod0", "done\n")) == ["export DEVICE_LATE='yes'"]


# --- The state file ---


async def test_a_kubelet_that_was_restarted_prepares_again_and_unprepares_from_what_it_has_written_down(
    node: World, plugin: StandInPlugin
) -> None:
    await start(node, "pod0", "a")
    running = await node.until_ready("pod0")
    await node.stop()
    await node.start()
    await plugin.registered(2)
    await until(lambda: len(plugin.calls) == 2)
    assert plugin.calls[0] == plugin.calls[1]
    assert status_of(await node.pod("pod0")).container_id == status_of(running).container_id
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert plugin.verbs[2:] == [("NodeUnprepareResources", ["a"])]


async def test_claims_of_a_pod_that_vanished_while_the_kubelet_was_away_are_unprepared(
    node: World, plugin: StandInPlugin
) -> None:
    await start(node, "pod0", "a")
    running = await node.until_ready("pod0")
    await node.stop()
    await node.delete("pod0", grace_period_seconds=0)
    await node.client.delete(ResourceClaim, NamespacedName("default", "a"))
    await node.start()
    await until(lambda: plugin.verbs[-1] == ("NodeUnprepareResources", ["a"]))
    await until(lambda: node.runtime.pods() == [])
    state = json.loads((node.root / "var/lib/kubelet/dra_manager_state").read_text())
    assert json.loads(state["Data"])["ClaimInfoStateList"] == []
    await until(lambda: not (node.root / "var/lib/kubelet/pods" / running.uid).exists())


async def test_a_state_file_that_is_a_link_is_named_and_not_read(root: Path) -> None:
    file = root / "dra_manager_state"
    file.symlink_to("/dev/zero")
    plugins = PluginRegistry(root, DEFAULT, SocketFolders())
    manager = ClaimManager(None, plugins, root, DEFAULT)  # type: ignore[arg-type] # nothing is read
    with pytest.raises(DraError, match=f"{file} cannot be read: It is a symbolic link"):
        await manager.load()


@pytest.mark.parametrize("text", ['{"claims": [{"uid": 1}]}', '{"Data": "{}", "Checksum": 1}', '{"Data"'])
async def test_a_damaged_state_file_is_named(root: Path, text: str) -> None:
    file = root / "dra_manager_state"
    file.write_text(text)
    plugins = PluginRegistry(root, DEFAULT, SocketFolders())
    manager = ClaimManager(None, plugins, root, DEFAULT)  # type: ignore[arg-type] # nothing is read
    with pytest.raises(DraError, match=f"{file} is damaged"):
        await manager.load()
