"""What is to be done for a pod, from its spec and what there is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kubelet.containerruntime.container import Container, ContainerConfig, PodReference, Sandbox
from fake_dra_driver.cluster.kubelet.containerruntime.containerlog import ContainerLog
from fake_dra_driver.cluster.kubelet.pod import Container as Spec
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.plan import Observation, Outcome, Plan, make_plan

POD = PodReference("default", "pod0", UID("uid"))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OLD = BEGIN - timedelta(hours=1)
"""Before the node was rebooted."""


def pod(*names: str, init: tuple[str, ...] = (), sidecars: tuple[str, ...] = (), policy: str = "Always") -> Pod:
    inits = [{"name": name, **({"restartPolicy": "Always"} if name in sidecars else {})} for name in init]
    spec = {"containers": [{"name": name} for name in names], "initContainers": inits, "restartPolicy": policy}
    return Pod.from_wire({"metadata": {"name": "pod0"}, "spec": spec})


def there_is(states: dict[str, Any], *, old: tuple[str, ...] = (), digest: str | None = None) -> Observation:
    """By name: ``created``, ``running`` (and started), ``starting`` (not started yet), or an exit code."""
    containers: dict[str, list[Container]] = {}
    started = set()
    for name, state in states.items():
        sidecar = {"restartPolicy": "Always"} if name.startswith("side") else {}
        known = Spec.model_validate({"name": name, **sidecar}).digest() if digest is None else digest
        config = ContainerConfig(POD, name, 0, ("x",), {}, Path("/"), digest=known)
        made = Container(name, config, ContainerLog(Path("/x")), OLD if name in old else BEGIN)
        made.state = (
            "exited" if isinstance(state, int) else "running" if state in ("running", "starting") else "created"
        )
        made.exit_code = state if isinstance(state, int) else 0
        containers[name] = [made]
        if state == "running":
            started.add(name)
    return Observation(Sandbox(POD, BEGIN), containers, frozenset(started))


def summary(plan: Plan) -> tuple[list[str], bool, Outcome | None]:
    return [spec.name for spec in plan.start], plan.is_initialized, plan.outcome


RUNNING: tuple[list[str], bool, None] = ([], True, None)
SUCCEEDED: tuple[list[str], bool, Outcome] = ([], True, Outcome("Succeeded"))
FAILED: tuple[list[str], bool, Outcome] = ([], True, Outcome("Failed"))


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", {}, (["a", "b"], True, None)),
        ("Always", {"a": "running"}, (["b"], True, None)),
        ("Always", {"a": "created", "b": "running"}, RUNNING),
        ("Always", {"a": 0, "b": 1}, (["a", "b"], True, None)),
        ("OnFailure", {"a": 0, "b": 1}, (["b"], True, None)),
        ("OnFailure", {"a": 0, "b": "running"}, RUNNING),
        ("OnFailure", {"a": 0, "b": 0}, SUCCEEDED),
        ("Never", {"a": 0, "b": "running"}, RUNNING),
        ("Never", {"a": 0, "b": 0}, SUCCEEDED),
        ("Never", {"a": 0, "b": 1}, FAILED),
        ("Never", {"a": 0}, (["b"], True, None)),
    ],
)
def test_containers(policy: str, states: dict[str, Any], expected: Any) -> None:
    assert summary(make_plan(pod("a", "b", policy=policy), there_is(states))) == expected


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", {}, (["i"], False, None)),
        ("Always", {"i": "running"}, ([], False, None)),
        ("Always", {"i": 0}, (["j"], False, None)),
        ("Always", {"i": 1}, (["i"], False, None)),
        ("OnFailure", {"i": 1}, (["i"], False, None)),
        ("Never", {"i": 1}, ([], False, Outcome("Failed"))),
        ("Always", {"i": 0, "j": 0}, (["a"], True, None)),
        ("Always", {"i": 0, "j": 0, "a": "running"}, RUNNING),
        ("Always", {"i": 0, "j": 0, "a": 1}, (["a"], True, None)),
        ("Never", {"i": 0, "j": 0, "a": 0}, SUCCEEDED),
    ],
)
def test_init_containers(policy: str, states: dict[str, Any], expected: Any) -> None:
    assert summary(make_plan(pod("a", init=("i", "j"), policy=policy), there_is(states))) == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, (["side"], False, None)),
        ({"side": "starting"}, ([], False, None)),
        ({"side": "running"}, (["i"], False, None)),
        ({"side": 0}, (["side"], False, None)),
        ({"side": "running", "i": 0}, (["a"], True, None)),
        ({"side": 1, "i": 0, "a": "running"}, (["side"], True, None)),
        ({"side": "starting", "i": 0, "a": "running"}, RUNNING),
        ({"side": "running", "i": 0, "a": 0}, SUCCEEDED),
    ],
)
def test_sidecars(states: dict[str, Any], expected: Any) -> None:
    plan = make_plan(pod("a", init=("side", "i"), sidecars=("side",), policy="OnFailure"), there_is(states))
    assert summary(plan) == expected


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", {"i": 0, "a": 255, "b": 255}, (["i"], False, None)),
        ("OnFailure", {"i": 0, "a": 0, "b": 255}, (["i"], False, None)),
        ("OnFailure", {"i": 0, "a": 0, "b": 0}, SUCCEEDED),
        ("Never", {"i": 0, "a": 255, "b": 255}, FAILED),
    ],
)
def test_after_a_reboot_all_that_is_to_run_again_starts_over(
    policy: str, states: dict[str, Any], expected: Any
) -> None:
    plan = make_plan(pod("a", "b", init=("i",), policy=policy), there_is(states, old=("i", "a", "b")))
    assert summary(plan) == expected


def test_a_container_whose_spec_has_changed_is_to_be_stopped() -> None:
    plan = make_plan(pod("a"), there_is({"a": "running"}, digest="another"))
    assert [container.config.name for container in plan.stop] == ["a"]
    assert make_plan(pod("a"), there_is({"a": "running"})).stop == []
