"""Pods from their first container to the last trace of them."""

import asyncio
import json
import os

import pytest

from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
from tests.unit.cluster.kubelet.waiting import gone, until
from tests.unit.cluster.kubelet.world import FOREVER, NODE, World, container, pod, status_of


def conditions(pod: Pod) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in pod.status.conditions}


def is_clean_of(world: World, pod: Pod) -> bool:
    """Whether of a pod that is gone there is no process, no folder and no log on the node."""
    logs = world.root / "var/log/pods" / f"default_{pod.metadata.name}_{pod.uid}"
    folders = (world.root / "var/lib/kubelet/pods" / pod.uid, logs)
    return not any(folder.exists() for folder in folders) and not world.runtime.containers(pod.uid)


async def test_a_pod_runs_and_says_so(node: World) -> None:
    running = await node.run(pod("pod0", container("export; echo done; " + FOREVER)))
    status = status_of(running)
    assert running.status.phase == "Running"
    assert conditions(running) == {
        "PodReadyToStartContainers": ("True", ""),
        "Initialized": ("True", ""),
        "Ready": ("True", ""),
        "ContainersReady": ("True", ""),
        "PodScheduled": ("True", ""),
    }
    assert (running.status.host_ip, running.status.pod_ip) == ("127.0.0.1", "127.0.0.1")
    assert (running.status.model_extra or {})["podIPs"] == [{"ip": "127.0.0.1"}]
    assert running.status.start_time is not None
    assert status.state.running is not None
    assert (status.ready, status.started, status.restart_count, status.image) == (True, True, 0, "busybox")
    assert status.container_id.startswith("process://")
    assert await node.log_until("pod0", "done\n") == (
        "export HOSTNAME='pod0'\n"
        "export PATH='/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'\n"
        f"export PWD='{node.root}/var/lib/kubelet/pods/{running.uid}/containers/ctr0'\n"
        "done\n"
    )
    await node.until_event("pod0", "Started")
    assert await node.events("pod0") == [
        ("Pulled", 'Container image "busybox" is not needed: the command runs as a process of this machine'),
        ("Created", "Created container ctr0"),
        ("Started", "Started container ctr0"),
    ]


async def test_events_name_the_container_and_the_component(node: World) -> None:
    await node.run(pod("pod0"))
    await node.until_event("pod0", "Started")
    event = next(each for each in await node.raw_events() if each.reason == "Started")
    assert (event.involved_object.model_extra or {})["fieldPath"] == "spec.containers{ctr0}"
    assert (event.source.component, event.source.host, event.type) == ("kubelet", NODE, "Normal")


async def test_a_deleted_pod_ends_in_order_and_leaves_nothing(node: World) -> None:
    running = await node.run(pod("pod0", container(f"echo $$$$; {FOREVER}")))
    pid = await node.number("pod0")
    await node.delete("pod0")
    await node.until_gone("pod0")
    await gone(pid)
    await until(lambda: node.runtime.pods() == [])
    await until(lambda: is_clean_of(node, running))
    await node.until_event("pod0", "Killing", "Stopping container ctr0")


async def test_a_deleted_pod_gets_its_last_status_before_it_goes(node: World) -> None:
    seen: list[tuple[str, str]] = []
    await node.run(pod("pod0", container("trap 'exit 3' TERM; echo ready; sleep 1000 & wait")))
    await node.log_until("pod0", "ready\n")
    node.kubelet_client.add_write_observer(
        lambda kind, raw: (
            seen.append((raw["status"].get("phase"), json.dumps(raw["status"].get("containerStatuses"))))
            if kind is Pod
            else None
        )
    )
    await node.delete("pod0")
    await node.until_gone("pod0")
    phases = [phase for phase, _ in seen]
    assert phases[-1] == "Failed"
    assert set(phases[:-1]) <= {"Running", "Failed"}
    assert json.loads(seen[-1][1])[0]["state"]["terminated"]["exitCode"] == 3


async def test_a_pod_that_does_not_want_to_end_is_killed_after_its_grace_period(node: World) -> None:
    script = "trap '' TERM; (trap '' TERM; sleep 1000) & echo $!; wait; wait"
    await node.run(pod("pod0", container(script)))
    child = await node.number("pod0")
    await node.delete("pod0", grace_period_seconds=1)
    await node.until_gone("pod0")
    await gone(child)


async def test_a_grace_period_can_be_shortened_and_the_hook_does_not_run_again(node: World) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> $FILE; sleep 1000"]}}}
    env = [{"name": "FILE", "value": str(node.root / "hooks")}]
    await node.run(
        pod(
            "pod0",
            container("trap '' TERM; while :; do sleep 1000; done", lifecycle=hook, env=env),
            terminationGracePeriodSeconds=1000,
        )
    )
    await node.delete("pod0")
    await until((node.root / "hooks").exists)
    await node.delete("pod0", grace_period_seconds=1)
    await node.until_gone("pod0")
    assert (node.root / "hooks").read_text() == "hook\n"


async def test_a_pod_deleted_by_force_is_stopped_and_one_of_its_name_starts(node: World) -> None:
    first = await node.run(pod("pod0", container(f"echo $$$$; {FOREVER}")))
    pid = await node.number("pod0")
    await node.delete("pod0", grace_period_seconds=0)
    second = await node.run(pod("pod0"))
    assert second.uid != first.uid
    await until(lambda: is_clean_of(node, first))
    await gone(pid)
    assert status_of(await node.pod("pod0")).ready


async def test_two_containers_of_a_pod(node: World) -> None:
    running = await node.run(
        pod("pod0", container(f"echo one; {FOREVER}", "one"), container(f"echo two; {FOREVER}", "two"))
    )
    assert [status.name for status in running.status.container_statuses] == ["one", "two"]
    assert await node.log_until("pod0", "\n", "one") == "one\n"
    assert await node.log_until("pod0", "\n", "two") == "two\n"


async def test_many_pods_at_once(node: World) -> None:
    names = [f"pod{number}" for number in range(20)]
    await asyncio.gather(*(node.create(pod(name)) for name in names))
    await asyncio.gather(*(node.until_ready(name) for name in names))
    await asyncio.gather(*(node.delete(name) for name in names))
    await asyncio.gather(*(node.until_gone(name) for name in names))
    await until(lambda: node.runtime.pods() == [])


# --- Ends and restarts ---


@pytest.mark.parametrize(
    ("policy", "script", "phase", "reason"),
    [
        ("Never", "exit 0", "Succeeded", "PodCompleted"),
        ("Never", "exit 4", "Failed", "PodFailed"),
        ("OnFailure", "exit 0", "Succeeded", "PodCompleted"),
    ],
)
async def test_a_pod_that_has_finished(node: World, policy: str, script: str, phase: str, reason: str) -> None:
    await node.create(pod("pod0", container(script), restartPolicy=policy))
    done = await node.until_phase("pod0", phase)
    status = status_of(done)
    assert status.state.terminated is not None
    assert status.state.terminated.exit_code == int(script.split()[1])
    assert conditions(done)["Ready"] == ("False", reason)
    assert conditions(done)["ContainersReady"] == ("False", reason)
    assert conditions(done)["PodReadyToStartContainers"][0] == "False"
    assert (status.ready, status.started) == (False, False)
    await node.delete("pod0")
    await node.until_gone("pod0")
    await until(lambda: is_clean_of(node, done))


async def test_a_pod_is_finished_when_all_its_containers_are(node: World) -> None:
    script = f"until [ -e {node.root}/end ]; do sleep 0.01; done; exit 2"
    await node.create(pod("pod0", container("exit 0", "one"), container(script, "two"), restartPolicy="Never"))
    half = await node.until(
        "pod0", lambda pod: pod.status.container_statuses and status_of(pod, "one").state.terminated
    )
    assert half.status.phase == "Running"
    assert conditions(half)["Ready"] == ("False", "ContainersNotReady")
    (node.root / "end").touch()
    await node.until_phase("pod0", "Failed")


async def test_a_container_that_fails_is_started_again_at_once_then_after_pauses(node: World) -> None:
    await node.create(pod("pod0", container("echo $$$$; exit 1")))
    waiting = await node.until(
        "pod0",
        lambda pod: (
            pod.status.container_statuses and status_of(pod).state.waiting and status_of(pod).restart_count == 1
        ),
    )
    status = status_of(waiting)
    assert status.state.waiting is not None
    assert status.state.waiting.reason == "CrashLoopBackOff"
    name = f"pod0_default({waiting.uid})"
    assert status.state.waiting.message == f"back-off 10s restarting failed container=ctr0 pod={name}"
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.exit_code, status.last_state.terminated.reason) == (1, "Error")
    assert waiting.status.phase == "Running"
    await node.until_event("pod0", "BackOff", f"Back-off restarting failed container ctr0 in pod {name}")
    await node.delete("pod0")
    await node.until_gone("pod0")


async def test_the_pauses_may_begin_with_less(world: World) -> None:
    await world.start(timing=Timing(resync_seconds=0.05, retry_seconds=0.05, restart_seconds=0.01))
    await world.create(pod("pod0", container("exit 1")))
    await world.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).restart_count == 3)
    await world.delete("pod0")
    await world.until_gone("pod0")


async def test_a_container_that_was_killed_from_outside_is_started_again(node: World) -> None:
    await node.run(pod("pod0", container(f"echo $$$$; {FOREVER}")))
    os.kill(await node.number("pod0"), 9)
    again = await node.until("pod0", lambda pod: status_of(pod).restart_count == 1 and status_of(pod).ready)
    last = status_of(again).last_state.terminated
    assert last is not None
    assert (last.exit_code, last.signal, last.reason) == (137, 9, "Error")
    assert await node.log_until("pod0", "\n") != await node.log("pod0", previous="true")


async def test_on_failure_restarts_only_what_has_failed(node: World) -> None:
    flag = node.root / "flag"
    script = f"[ -e {flag} ] && exit 0; touch {flag}; exit 1"
    await node.create(pod("pod0", container(script, "one"), container("exit 0", "two"), restartPolicy="OnFailure"))
    done = await node.until_phase("pod0", "Succeeded")
    assert (status_of(done, "one").restart_count, status_of(done, "two").restart_count) == (1, 0)


async def test_a_program_that_is_not_there(node: World) -> None:
    await node.create(pod("pod0", {"name": "ctr0", "image": "busybox", "command": ["no-such-program"]}))
    message = await node.until_event("pod0", "Failed")
    assert message.startswith('Error: "no-such-program" is not a program of this machine: it is in none of the folders')
    waiting = await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).restart_count == 1)
    last = status_of(waiting).last_state.terminated
    assert last is not None
    assert (last.exit_code, last.reason) == (128, "StartError")


async def test_an_overdue_pod_is_ended(node: World) -> None:
    await node.create(pod("pod0", activeDeadlineSeconds=1))
    failed = await node.until_phase("pod0", "Failed")
    assert (failed.status.reason, failed.status.message) == (
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
    )
    assert status_of(failed).state.terminated is not None


async def test_a_container_whose_image_was_changed_is_replaced(node: World) -> None:
    before = await node.run(pod("pod0"))
    patch = [{"op": "replace", "path": "/spec/containers/0/image", "value": "busybox:2"}]
    await node.client.json_patch(Pod, before.key, patch)
    after = await node.until("pod0", lambda pod: status_of(pod).restart_count == 1 and status_of(pod).ready)
    assert status_of(after).image == "busybox:2"
    await node.until_event("pod0", "Killing", "Container ctr0 definition changed, will be restarted")


# --- Init containers ---


async def test_init_containers_run_one_after_the_other_and_before_the_others(node: World) -> None:
    trace = node.root / "trace"
    init = [container(f"echo {name} >> {trace}", name) for name in ("init0", "init1")]
    running = await node.run(pod("pod0", container(f"echo main >> {trace}; {FOREVER}"), initContainers=init))
    # A container runs from the moment its process is there, which then has to come to its first line.
    await until(lambda: trace.read_text().split() == ["init0", "init1", "main"])
    assert [status.ready for status in running.status.init_container_statuses] == [True, True]
    assert [
        status.state.terminated and status.state.terminated.reason for status in running.status.init_container_statuses
    ] == ["Completed"] * 2


async def test_while_init_containers_run_the_pod_is_pending(node: World) -> None:
    init = [container(f"until [ -e {node.root}/go ]; do sleep 0.01; done", "init0")]
    await node.create(pod("pod0", initContainers=init))
    waiting = await node.until(
        "pod0", lambda pod: pod.status.init_container_statuses and status_of(pod, "init0").state.running
    )
    assert waiting.status.phase == "Pending"
    assert conditions(waiting)["Initialized"] == ("False", "ContainersNotInitialized")
    condition = waiting.condition("Initialized")
    assert condition is not None
    assert condition.message == "containers with incomplete status: [init0]"
    state = status_of(waiting).state.waiting
    assert state is not None
    assert state.reason == "PodInitializing"
    (node.root / "go").touch()
    await node.until_ready("pod0")


async def test_a_failed_init_container_fails_a_pod_that_never_restarts(node: World) -> None:
    await node.create(pod("pod0", initContainers=[container("exit 3", "init0")], restartPolicy="Never"))
    failed = await node.until_phase("pod0", "Failed")
    assert failed.status.container_statuses[0].container_id == ""
    assert status_of(failed, "init0").state.terminated is not None


async def test_a_failed_init_container_is_started_again(node: World) -> None:
    flag = node.root / "flag"
    init = [container(f"[ -e {flag} ] && exit 0; touch {flag}; exit 1", "init0")]
    running = await node.run(pod("pod0", initContainers=init))
    assert status_of(running, "init0").restart_count == 1


async def test_a_sidecar_stays_beside_the_containers_and_ends_after_them(node: World) -> None:
    trace = node.root / "trace"
    sidecar = container(
        f"trap 'echo side-end >> {trace}; exit 0' TERM; echo side >> {trace}; sleep 1000 & wait",
        "side",
        restartPolicy="Always",
    )
    main = container(f"trap 'echo main-end >> {trace}; exit 0' TERM; echo main >> {trace}; sleep 1000 & wait")
    init = container(f"echo init >> {trace}", "init0")
    await node.run(pod("pod0", main, initContainers=[sidecar, init]))
    await until(lambda: trace.read_text().split() == ["side", "init", "main"])
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert trace.read_text().split()[3:] == ["main-end", "side-end"]


async def test_a_pod_is_finished_although_its_sidecar_runs(node: World) -> None:
    sidecar = container(FOREVER, "side", restartPolicy="Always")
    await node.create(pod("pod0", container("exit 0"), initContainers=[sidecar], restartPolicy="Never"))
    done = await node.until_phase("pod0", "Succeeded")
    assert status_of(done, "side").state.terminated is not None


# --- Hooks ---


async def test_hooks_run_in_the_container(node: World) -> None:
    trace = node.root / "trace"
    hook = {
        "postStart": {"exec": {"command": ["sh", "-c", f"echo post $NAME >> {trace}"]}},
        "preStop": {"exec": {"command": ["sh", "-c", f"echo pre $NAME >> {trace}"]}},
    }
    env = [{"name": "NAME", "value": "value"}]
    await node.run(
        pod(
            "pod0",
            container(
                f"trap 'echo end >> {trace}; exit 0' TERM; echo ready; sleep 1000 & wait", lifecycle=hook, env=env
            ),
        )
    )
    await until(trace.exists)
    await node.log_until("pod0", "ready\n")
    await node.delete("pod0")
    await node.until_gone("pod0")
    assert trace.read_text().splitlines() == ["post value", "pre value", "end"]


async def test_a_pre_stop_hook_that_fails_is_told_and_one_that_hangs_leaves_two_seconds(node: World) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo no; exit 9"]}}}
    await node.run(pod("pod0", container(FOREVER, lifecycle=hook)))
    await node.delete("pod0")
    await node.until_gone("pod0")
    await node.until_event("pod0", "FailedPreStopHook", "PreStopHook failed: no")
    hanging = {"preStop": {"exec": {"command": ["sleep", "1000"]}}}
    trace = node.root / "trace"
    await node.run(
        pod(
            "pod1",
            container(f"trap 'echo end >> {trace}; exit 0' TERM; echo ready; sleep 1000 & wait", lifecycle=hanging),
            terminationGracePeriodSeconds=1,
        )
    )
    await node.log_until("pod1", "ready\n")
    await node.delete("pod1")
    await node.until_gone("pod1")
    assert trace.read_text() == "end\n"


async def test_a_post_start_hook_that_fails_ends_the_container(node: World) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 9"]}}}
    await node.create(pod("pod0", container(FOREVER, lifecycle=hook)))
    await node.until_event("pod0", "FailedPostStartHook", "PostStartHook failed: no")
    await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).last_state.terminated)
