"""Objects of any shape in the caches: each is read, or refused and told of, and the others are served as before.

An API server without our CRDs' checks (an older one, a hole in a schema) would let them through, so they come in at the
watch, where nothing but an identity is certain.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.runtime.errors import RuntimeLayerError
from tests.crash.bounds import examples
from tests.support.world import NAMESPACE, Brain, World

KINDS: tuple[type[KubeObject], ...] = (
    NodeAllocationState,
    FakeClaimParameters,
    DeviceClassParameters,
    ResourceClaim,
    ResourceClass,
    PodSchedulingContext,
    Pod,
)
FIELDS = [
    *("spec", "status", "allocatableDevice", "allocatedClaims", "preparedDevices", "fake", "devices", "uuid", "split"),
    *("name", "count", "selector", "model", "deviceSelector", "type", "resourceClassName", "parametersRef", "kind"),
    *("apiGroup", "allocationMode", "allocation", "resourceHandles", "driverName", "data", "reservedFor", "uid"),
    *("availableOnNodes", "nodeSelectorTerms", "matchFields", "key", "operator", "values", "deallocationRequested"),
    *("selectedNode", "potentialNodes", "resourceClaims", "unsuitableNodes", "source", "resourceClaimName", "phase"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2000),
    st.sampled_from(["", "n", "c", "fake", "fake.resource.3-shake.com", "Immediate", "metadata.name", "In", "é"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=15,
)
BODIES = st.dictionaries(st.sampled_from(["spec", "status", "driverName", "parametersRef"]), VALUES, max_size=4)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "annotations": VALUES,
        "finalizers": VALUES,
        "ownerReferences": VALUES,
        "deletionTimestamp": st.sampled_from(["2026-01-01T00:00:00Z", "tomorrow", 5]),
        "labels": VALUES,
    },
)


@examples(30, 3_000)
@example(objects=[(Pod, {}, {"spec": None}, "x"), (Pod, {}, {"status": []}, "n")])
@given(
    objects=st.lists(
        st.tuples(st.sampled_from(KINDS), METADATA, BODIES, st.sampled_from(["x", "n", "c"])), min_size=1, max_size=6
    )
)
async def test_objects_of_any_shape_affect_no_other(
    objects: list[tuple[type[KubeObject], Mapping[str, Any], Mapping[str, Any], str]],
) -> None:
    world, passes = World(), 0
    world.node("good", devices=1)
    world.claim("wanted")
    world.pod("p", ["wanted"], selected="good")
    for number, (kind, metadata, body, name) in enumerate(objects):
        namespace = NAMESPACE if kind is NodeAllocationState else "default"
        identity = {"name": f"bad-{name}-{number}", "uid": f"bad-{number}", "resourceVersion": str(1000 + number)}
        if kind.resource.namespaced:
            identity["namespace"] = namespace
        world.api.events.append(("ADDED", kind.resource.kind, {**body, "metadata": {**metadata, **identity}}))
    brain = Brain(world)
    brain.deliver()
    assert [informer.handler_errors for informer in brain._informers.values()] == [0] * len(brain._informers)
    # Each of them is looked at; what cannot be read, or is not there, is an error in words.
    for controller, kind in (
        ("nodeallocationstate", NodeAllocationState),
        ("resourceclaim", ResourceClaim),
        ("podschedulingcontext", PodSchedulingContext),
        ("fakeclaimparameters", FakeClaimParameters),
        ("deviceclassparameters", DeviceClassParameters),
        ("resourceclass", ResourceClass),
    ):
        for _, seen, wire in list(world.api.events):
            if seen == kind.resource.kind and wire["metadata"]["uid"].startswith("bad-"):
                passes += 1
                with suppress(RuntimeLayerError):
                    await brain.pass_over(controller, wire["metadata"]["name"], wire["metadata"].get("namespace", ""))
    assert passes >= sum(kind is not Pod for kind, *_ in objects)
    await brain.pass_over("podschedulingcontext", "p")
    assert world.read_claim("wanted").status.allocation is not None
    assert await brain.metrics.render()
