"""A real API server of structured DRA takes what ``convert`` makes, to the last field."""

from pathlib import Path
from subprocess import CalledProcessError

import pytest

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.convert.conversion import Source, convert
from tests.support.apiserver import ApiServer

pytestmark = pytest.mark.apiserver(structured=True)

DEMOS = sorted((Path(__file__).parents[3] / "demo").glob("*.yaml"))
OURS = "fake.resource.3-shake.com"
EVERYTHING = f"""\
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClass
metadata: {{name: some}}
driverName: {OURS}
parametersRef: {{apiGroup: {OURS}, kind: DeviceClassParameters, name: some}}
suitableNodes: {{nodeSelectorTerms: []}}
---
apiVersion: {OURS}/v1alpha1
kind: DeviceClassParameters
metadata: {{name: some}}
spec: {{deviceSelector: [{{type: fake, name: "LATEST-*"}}, {{type: "*", name: 'A*"B'}}]}}
---
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClaim
metadata: {{name: many, namespace: NAMESPACE, finalizers: [{OURS}/deletion-protection]}}
spec:
  resourceClassName: some
  allocationMode: Immediate
  parametersRef: {{apiGroup: {OURS}, kind: FakeClaimParameters, name: many}}
status: {{driverName: {OURS}, deallocationRequested: true}}
---
apiVersion: {OURS}/v1alpha1
kind: FakeClaimParameters
metadata: {{name: many, namespace: NAMESPACE}}
spec: {{count: 32, split: 3, selector: {{model: A.B}}}}
"""


def create(apiserver: ApiServer, text: str) -> list[str]:
    """Creates the objects as far as that is possible without doing it. Returns what kubectl says of each."""
    version = "v1" if apiserver.minor >= 34 else "v1beta1"
    conversion = convert([Source("manifest", text)], RESOURCE_APIS[version])
    assert not conversion.failed
    arguments = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
    return apiserver.kubectl(*arguments, stdin=conversion.text).splitlines()


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_the_demo(demo: Path, apiserver: ApiServer, namespace: str) -> None:
    text = demo.read_text().replace(demo.stem.removeprefix("fake-"), namespace)
    # The namespace is there already.
    _, *rest = text.split("\n---\n", 2)[1:]
    said = create(apiserver, "".join(rest))
    assert [line for line in said if not line.endswith(" created (server dry run)")] == []
    assert any(line.startswith("resourceclaim") for line in said)


def test_everything_that_parameters_can_say(apiserver: ApiServer, namespace: str) -> None:
    assert create(apiserver, EVERYTHING.replace("NAMESPACE", namespace)) == [
        "deviceclass.resource.k8s.io/some created (server dry run)",
        "resourceclaim.resource.k8s.io/many created (server dry run)",
    ]


@pytest.mark.parametrize(
    ("glob", "is_costly"),
    [("A", False), ("A*", False), ("*A", False), ("A*B", False), ("*A*", True), ("A?[!b-d]*", True)],
    ids=["whole", "start", "end", "both", "inside", "expression"],
)
def test_globs(glob: str, is_costly: bool, apiserver: ApiServer) -> None:
    only_class, parameters, *_ = EVERYTHING.split("---\n")
    text = f"{only_class}---\n{parameters.replace('LATEST-*', glob)}"
    if is_costly and apiserver.minor == 32:
        with pytest.raises(CalledProcessError) as refused:
            create(apiserver, text)
        assert "too complex" in refused.value.stderr, "as convert says"
    else:
        assert create(apiserver, text) == ["deviceclass.resource.k8s.io/some created (server dry run)"]
