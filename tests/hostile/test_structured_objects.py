"""Objects of any shape in the caches of the controller of structured DRA: none of them affects another.

As in ``test_objects`` they come in at the watch; the API server's own kinds as well, since a release to come may write
what this one does not know.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.errors import RuntimeLayerError
from tests.crash.bounds import examples
from tests.hostile.test_objects import METADATA
from tests.support.structuredworld import CLASS, NAMESPACE, StructuredBrain, StructuredWorld, opaque, parameters, result

KINDS: tuple[type[KubeObject], ...] = (
    NodeAllocationState,
    v1.ResourceClaim,
    v1.ResourceClaimTemplate,
    v1.DeviceClass,
    Pod,
)
FIELDS = [
    *("spec", "status", "devices", "requests", "config", "constraints", "opaque", "driver", "parameters", "exactly"),
    *("name", "firstAvailable", "deviceClassName", "count", "allocationMode", "selectors", "cel", "expression"),
    *("allocation", "results", "request", "pool", "device", "shareID", "adminAccess", "source", "nodeSelector"),
    *("apiVersion", "kind", "split", "selector", "model", "resourceClaims", "resourceClaimName", "allocatedClaims"),
    *("resourceClaimStatuses", "allocatableDevice", "fake", "uuid", "reservedFor"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2000),
    st.sampled_from(["", "good", "fake-0", CLASS, DRIVER_NAME, "FromClaim", "FromClass", "All", "fakes", "é"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=15,
)
SHAPED = st.one_of(
    VALUES,
    st.fixed_dictionaries({}, optional={"devices": VALUES, "requests": VALUES, "config": VALUES}),
)
ENTRIES = st.lists(st.one_of(VALUES, st.builds(opaque, VALUES), st.just(opaque(parameters(split=65)))), max_size=3)
RESULTS = st.lists(
    st.one_of(VALUES, st.builds(result, st.sampled_from(["good", "x"]), st.integers(-1, 9), shareID=VALUES)), max_size=3
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(["spec", "status"]), SHAPED, max_size=2),
    st.fixed_dictionaries(
        {
            "spec": st.fixed_dictionaries({"devices": st.fixed_dictionaries({"requests": VALUES, "config": ENTRIES})}),
            "status": st.fixed_dictionaries(
                {
                    "allocation": st.fixed_dictionaries(
                        {"devices": st.fixed_dictionaries({"results": RESULTS, "config": ENTRIES})}
                    )
                }
            ),
        }
    ),
)


@examples(60, 3_000)
@example(objects=[(v1.ResourceClaim, {}, {"status": {"allocation": {"devices": None}}})])
@given(objects=st.lists(st.tuples(st.sampled_from(KINDS), METADATA, BODIES), min_size=1, max_size=6))
async def test_objects_of_any_shape_affect_no_other(
    objects: list[tuple[type[KubeObject], Mapping[str, Any], Mapping[str, Any]]],
) -> None:
    world = StructuredWorld()
    world.node("good", devices=8)
    world.claim("wanted", result("good", 7), config=[opaque(parameters(split=2))])
    for number, (kind, metadata, body) in enumerate(objects):
        identity = {"name": f"bad-{number}", "uid": f"bad-{number}", "resourceVersion": str(1000 + number)}
        if kind.resource.namespaced:
            identity["namespace"] = NAMESPACE if kind is NodeAllocationState else "default"
        world.api.events.append(("ADDED", kind.resource.kind, {**body, "metadata": {**metadata, **identity}}))
    brain = StructuredBrain(world)
    brain.deliver()
    assert [informer.handler_errors for informer in brain._informers.values()] == [0] * len(brain._informers)
    # Each of them is looked at; what cannot be read, or is not there, is an error in words.
    passes = 0
    for kind in KINDS[:-1]:
        for _, seen, wire in list(world.api.events):
            if seen == kind.resource.kind and wire["metadata"]["uid"].startswith("bad-"):
                passes += 1
                with suppress(RuntimeLayerError):
                    namespace = wire["metadata"].get("namespace", "")
                    await brain.pass_over(kind.resource.kind.lower(), wire["metadata"]["name"], namespace)
    assert passes == sum(kind is not Pod for kind, *_ in objects)
    await brain.pass_over("nodeallocationstate", "good", NAMESPACE)
    assert world.entries("good")["wanted"] == [{"uuid": "good-7", "split": 2}]
    assert await brain.metrics.render()
