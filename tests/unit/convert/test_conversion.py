"""What becomes of the objects of classic DRA, and what is said of them."""

import json
from typing import Any

import pytest

from tests.unit.convert.support import CLASSIC, OURS, converted, values

PARAMETERS = f"""\
apiVersion: {OURS}/v1alpha1
kind: FakeClaimParameters
metadata: {{name: p, namespace: n}}
spec: """
CLAIM = f"""\
apiVersion: {CLASSIC}
kind: ResourceClaim
metadata: {{name: c, namespace: n}}
spec:
  resourceClassName: fake.3-shake.com
"""
WITH_PARAMETERS = f"{CLAIM}  parametersRef: {{apiGroup: {OURS}, kind: FakeClaimParameters, name: p}}\n"
CLASS = f"""\
apiVersion: {CLASSIC}
kind: ResourceClass
metadata: {{name: fast}}
driverName: {OURS}
"""


def said(text: str, *more: str) -> list[str]:
    return [str(message) for message in converted(text, *more).messages]


def devices(parameters: str) -> Any:
    """``spec.devices`` of a claim with these parameters."""
    claim, *rest = values(converted(WITH_PARAMETERS, PARAMETERS + parameters).text)
    assert rest == []
    assert claim["apiVersion"] == "resource.k8s.io/v1"
    return claim["spec"]["devices"]


def exactly(**fields: Any) -> Any:
    return [{"name": "fake", "exactly": {"deviceClassName": "fake.3-shake.com", **fields}}]


@pytest.mark.parametrize("parameters", ["{}", "{count: 1, split: 0}", "{selector: null}"])
def test_what_is_the_default_is_left_out(parameters: str) -> None:
    assert devices(parameters) == {"requests": exactly()}


def test_parameters_become_a_part_of_the_claim() -> None:
    assert devices("{count: 4, split: 2, selector: {model: A.B}}") == {
        "requests": exactly(
            selectors=[{"cel": {"expression": f'device.attributes["{OURS}"].model == "A.B"'}}],
            count=4,
        ),
        "config": [
            {
                "opaque": {
                    "driver": OURS,
                    "parameters": {
                        "apiVersion": f"{OURS}/v1alpha1",
                        "kind": "FakeClaimParameters",
                        "spec": {"split": 2},
                    },
                }
            }
        ],
    }


def test_a_claim_changes_where_it_has_to() -> None:
    before = f"""\
# Mine.
---
kind: "ResourceClaim"
apiVersion: '{CLASSIC}'   # classic
metadata:
    name: c
    annotations: {{a:   b}}
spec:
    # Any will do.
    resourceClassName: fake.3-shake.com
"""
    after = """\
# Mine.
---
kind: "ResourceClaim"
apiVersion: 'resource.k8s.io/v1'   # classic
metadata:
    name: c
    annotations: {a:   b}
spec:
    # Any will do.
    devices:
        requests:
          - name: fake
            exactly:
                deviceClassName: fake.3-shake.com
"""
    assert converted(before).text == after


@pytest.mark.parametrize(
    ("version", "request_"),
    [
        ("v1", {"name": "fake", "exactly": {"deviceClassName": "fake.3-shake.com"}}),
        ("v1beta2", {"name": "fake", "exactly": {"deviceClassName": "fake.3-shake.com"}}),
        ("v1beta1", {"name": "fake", "deviceClassName": "fake.3-shake.com"}),
    ],
)
def test_other_versions(version: str, request_: Any) -> None:
    template = CLAIM.replace("ResourceClaim", "ResourceClaimTemplate").replace("spec:\n", "spec:\n spec:\n")
    claim, made, resource_class = values(converted(CLAIM, template, CLASS, version=version).text)
    assert {each["apiVersion"] for each in (claim, made, resource_class)} == {f"resource.k8s.io/{version}"}
    assert claim["spec"]["devices"]["requests"] == made["spec"]["spec"]["devices"]["requests"] == [request_]


def test_a_template_keeps_the_metadata_of_its_claims() -> None:
    before = f"""\
apiVersion: {CLASSIC}
kind: ResourceClaimTemplate
metadata: {{name: t}}
spec:
  metadata:
    labels: {{a: b}}   # for all
  spec:
    resourceClassName: fake.3-shake.com
"""
    found = converted(before).text
    assert "spec:\n  metadata:\n    labels: {a: b}   # for all\n  spec:\n    devices:\n      requests:\n" in found


def test_a_class_becomes_a_device_class() -> None:
    parameters = f"""\
apiVersion: {OURS}/v1alpha1
kind: DeviceClassParameters
metadata: {{name: latest}}
spec:
  deviceSelector:
  - {{type: "*", name: "LATEST-*"}}
"""
    reference = f"parametersRef: {{apiGroup: {OURS}, kind: DeviceClassParameters, name: latest}}\n"
    found = converted(CLASS + reference + "structuredParameters: true\n", parameters)
    assert values(found.text) == [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": "fast"},
            "spec": {
                "selectors": [
                    {"cel": {"expression": f'device.driver == "{OURS}"'}},
                    {"cel": {"expression": f'device.attributes["{OURS}"].model.startsWith("LATEST-")'}},
                ]
            },
        }
    ]
    assert [str(message) for message in found.messages] == [
        "b.yaml:1: note: document 1: DeviceClassParameters latest: is left out: what named it has its values now"
    ]


TEMPLATE = {"template": {"spec": {"resourceClaims": [{"name": "a", "source": {"resourceClaimTemplateName": "t"}}]}}}


@pytest.mark.parametrize(
    ("api_version", "kind", "fields"),
    [
        ("v1", "Pod", TEMPLATE["template"]),
        ("v1", "PodTemplate", TEMPLATE),
        ("v1", "ReplicationController", {"spec": TEMPLATE}),
        ("apps/v1", "Deployment", {"spec": TEMPLATE}),
        ("apps/v1", "DaemonSet", {"spec": TEMPLATE}),
        ("apps/v1", "ReplicaSet", {"spec": TEMPLATE}),
        ("apps/v1", "StatefulSet", {"spec": TEMPLATE}),
        ("batch/v1", "Job", {"spec": TEMPLATE}),
        ("batch/v1", "CronJob", {"spec": {"jobTemplate": {"spec": TEMPLATE}}}),
    ],
)
def test_everything_with_pods(api_version: str, kind: str, fields: Any) -> None:
    text = json.dumps({"apiVersion": api_version, "kind": kind, **fields})
    assert converted(text).text == text.replace(
        '"source": {"resourceClaimTemplateName": "t"}', '"resourceClaimTemplateName": "t"'
    )


def test_a_pod_keeps_its_text() -> None:
    before = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: "c"      # one
    command: [a,   b]
  resourceClaims:
  # first
  - name: x
    # from a template
    source:
      resourceClaimTemplateName: 't'   # of mine
  - {name: y, source: {resourceClaimName: c}}
  - source: {resourceClaimName: d} # last
    name: z
"""
    after = before.replace(
        "    source:\n      resourceClaimTemplateName: 't'   # of mine", "    resourceClaimTemplateName: t   # of mine"
    )
    after = after.replace("source: {resourceClaimName: c}", "resourceClaimName: c")
    after = after.replace("source: {resourceClaimName: d}", "resourceClaimName: d")
    assert converted(before).text == after


@pytest.mark.parametrize(
    "source", [{}, None, "c", {"other": "c"}, {"resourceClaimName": "c", "resourceClaimTemplateName": "t"}]
)
def test_a_pod_with_a_bad_source_stays_as_it_is(source: Any) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}
    text = json.dumps({**pod, "spec": {"resourceClaims": [{"name": "x"}, {"name": "y", "source": source}]}})
    found = converted(text)
    assert found.text == text
    assert found.failed
    assert [str(message) for message in found.messages] == [
        "a.yaml:1: error: document 1: Pod n/p: stays as it is: spec.resourceClaims[1].source: must have exactly one of "
        "resourceClaimName and resourceClaimTemplateName"
    ]


# --- Where parameters are, and what becomes of them ----------------------------------------------------------------


def test_parameters_may_come_later_and_in_another_file() -> None:
    found = converted(f"{WITH_PARAMETERS}---\n{CLAIM}", f"{PARAMETERS}{{count: 2}}\n")
    assert not found.failed
    assert found.text.count("count: 2") == 1
    assert [str(message) for message in found.messages] == [
        "b.yaml:1: note: document 1: FakeClaimParameters n/p: is left out: what named it has its values now"
    ]


def test_a_claim_without_its_parameters_stays_as_it_is_and_all_else_is_converted() -> None:
    other = f"---\n{CLAIM}---\n{PARAMETERS}{{count: 2}}\n".replace("namespace: n", "namespace: other")
    found = converted(WITH_PARAMETERS + other)
    assert found.failed
    assert values(found.text)[0] == values(WITH_PARAMETERS)[0]
    assert values(found.text)[1]["apiVersion"] == "resource.k8s.io/v1"
    assert [str(message) for message in found.messages] == [
        "a.yaml:1: error: document 1: ResourceClaim n/c: stays as it is: FakeClaimParameters n/p are in none of the "
        "files: add the file that has them with -f",
        "a.yaml:14: note: document 3: FakeClaimParameters other/p: stays as it is: "
        "no claim or class in the files names it",
    ]


def test_parameters_that_one_of_two_users_still_needs_stay() -> None:
    bad = WITH_PARAMETERS.replace("fake.3-shake.com", "''", 1)
    found = converted(f"{WITH_PARAMETERS}---\n{bad}---\n{PARAMETERS}{{}}\n")
    assert [each["kind"] for each in values(found.text)] == ["ResourceClaim", "ResourceClaim", "FakeClaimParameters"]
    assert [message.text for message in found.messages] == [
        "ResourceClaim n/c: stays as it is: spec.resourceClassName: must be set",
        "FakeClaimParameters n/p: stays as it is, like a claim or class that names it",
    ]


def test_parameters_that_are_there_twice() -> None:
    assert not converted(WITH_PARAMETERS, PARAMETERS + "{count: 2}", PARAMETERS + "{count: 2}").failed
    assert (
        "a.yaml:1: error: document 1: ResourceClaim n/c: stays as it is: "
        "FakeClaimParameters n/p are in the files 2 times, and differ: leave one"
    ) in said(WITH_PARAMETERS, PARAMETERS + "{count: 2}", PARAMETERS + "{count: 3}")


def test_a_namespace_that_is_left_out_is_default() -> None:
    claim = WITH_PARAMETERS.replace(", namespace: n", "")
    assert not converted(claim, PARAMETERS.replace(", namespace: n", "") + "{}").failed
    assert not converted(claim, PARAMETERS.replace("namespace: n", "namespace: default") + "{}").failed
    assert converted(claim, PARAMETERS + "{}").failed


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("{count: 0}", "spec.count: input should be greater than or equal to 1"),
        ("{count: '2'}", "spec.count: input should be a valid integer"),
        (
            "{split: 65, selector: {}}",
            "spec.split: input should be less than or equal to 64; spec.selector.model: field required",
        ),
        ("{count: 128, split: 64}", "count times split is 8192, and at most 1024"),
        ("[]", "spec: input should be an object"),
    ],
)
def test_bad_parameters(parameters: str, problem: str) -> None:
    (first, *_) = said(WITH_PARAMETERS, PARAMETERS + parameters)
    expected = "ResourceClaim n/c: stays as it is: its FakeClaimParameters n/p cannot be used: "
    assert first == f"a.yaml:1: error: document 1: {expected}{problem}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (CLAIM.replace("fake.3-shake.com", "[]"), "spec.resourceClassName: input should be a valid string"),
        (CLAIM + "  allocationMode: Sometime\n",
         "spec.allocationMode: input should be 'WaitForFirstConsumer' or 'Immediate'"),
        (CLAIM + "  parametersRef: {kind: ConfigMap, name: a}\n",
         "its parameters are of kind ConfigMap in API group core; "
         "fake.resource.3-shake.com takes only kind FakeClaimParameters in fake.resource.3-shake.com"),
        (CLAIM.partition("spec:")[0], "spec: input should be an object"),
        (CLAIM.partition("spec:")[0].replace("Claim", "ClaimTemplate"), "spec: must be set"),
        (CLASS.partition("driverName:")[0], "driverName: must be set"),
        (CLASS + "parametersRef: {kind: A, name: b}\n",
         "its parameters are of kind A in API group core; "
         "fake.resource.3-shake.com takes only kind DeviceClassParameters in fake.resource.3-shake.com"),
        (CLASS + f"parametersRef: {{apiGroup: {OURS}, kind: DeviceClassParameters, name: b}}\n",
         "DeviceClassParameters b are in none of the files: add the file that has them with -f"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_stays_as_it_is(text: str, problem: str) -> None:
    found = converted(text)
    assert found.text == text
    (message,) = found.messages
    assert message.is_error
    assert message.text.partition(": stays as it is: ")[2] == problem


# --- What has no counterpart ---------------------------------------------------------------------------------------


def test_what_has_no_counterpart_is_said_above_the_object_and_in_messages() -> None:
    claim = CLAIM.replace(
        "metadata: {name: c, namespace: n}", f"metadata:\n  name: c\n  finalizers: [{OURS}/deletion-protection]"
    )
    claim += "  allocationMode: Immediate\n  shared: true\nstatus: {allocation: {shareable: true}}\n"
    found = converted(claim)
    remarks = [
        f"finalizer {OURS}/deletion-protection is left out: nothing would take it off",
        "spec.shared is no field, and is left out",
        "allocationMode Immediate has no counterpart: the claim is allocated with the first pod that uses it",
    ]
    assert sorted(found.text.splitlines()[:3]) == sorted(f"# {remark}" for remark in remarks)
    assert sorted(message.text for message in found.messages) == sorted(f"ResourceClaim c: {each}" for each in remarks)
    assert not found.failed
    (claim_value,) = values(found.text)
    assert claim_value["metadata"] == {"name": "c"}
    assert set(claim_value) == {"apiVersion", "kind", "metadata", "spec"}


def test_more_devices_than_a_claim_can_get() -> None:
    found = converted(WITH_PARAMETERS, PARAMETERS + "{count: 33}")
    assert found.text.startswith(
        "# count 33 has no counterpart: a claim gets at most 32 devices, so this one will never be allocated\n"
    )


@pytest.mark.parametrize(
    ("glob", "version", "is_said"), [("*A*", "v1beta1", True), ("*A*", "v1beta2", False), ("A*", "v1beta1", False)]
)
def test_a_selector_that_kubernetes_1_32_refuses(glob: str, version: str, is_said: bool) -> None:
    parameters = f"apiVersion: {OURS}/v1alpha1\nkind: DeviceClassParameters\nmetadata: {{name: d}}\n"
    parameters += f"spec: {{deviceSelector: [{{type: '*', name: '{glob}'}}]}}\n"
    reference = f"parametersRef: {{apiGroup: {OURS}, kind: DeviceClassParameters, name: d}}\n"
    found = converted(CLASS + reference, parameters, version=version)
    remark = "# a glob needs a selector that Kubernetes 1.32 refuses as too complex, and later ones take\n"
    assert found.text.startswith(remark) is is_said


def test_suitable_nodes() -> None:
    found = converted(CLASS + "suitableNodes: {nodeSelectorTerms: []}\n")
    assert "suitableNodes" not in values(found.text)[0]
    assert found.text.startswith("# suitableNodes has no counterpart: ")


def test_a_scheduling_context_is_left_out() -> None:
    text = f"---\napiVersion: {CLASSIC}\nkind: PodSchedulingContext\nmetadata: {{name: p}}\n"
    found = converted(f"a: 1\n{text}---\nb: 2\n")
    assert found.text == "a: 1\n---\nb: 2\n"
    assert [message.text for message in found.messages] == [
        "PodSchedulingContext p: is left out: it has no counterpart"
    ]


def test_what_later_releases_have_in_the_version_of_kubernetes_1_31_stays_as_it_is() -> None:
    text = "apiVersion: resource.k8s.io/v1alpha3\nkind: DeviceTaintRule\nmetadata: {name: r}\n"
    found = converted(text)
    assert (found.text, found.messages) == (text, [])


def test_what_kubernetes_1_31_has_in_between_is_an_error() -> None:
    text = CLAIM.replace(CLASSIC, "resource.k8s.io/v1alpha3")
    found = converted(text)
    assert found.text == text
    assert found.failed
    assert [message.text.partition(": ")[2] for message in found.messages] == [
        "stays as it is: resource.k8s.io/v1alpha3 is that of Kubernetes 1.31, and only resource.k8s.io/v1alpha2 is "
        "converted"
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CLASS.replace(OURS, "other"), "it is of driver other"),
        (CLAIM.replace("fake.3-shake.com", "theirs"), "its class theirs is of driver other"),
        (CLAIM.replace("fake.3-shake.com", "unknown") + "  parametersRef: {apiGroup: g, kind: K, name: a}\n",
         "its parameters are of kind K in API group g"),
        (CLASS.replace("ResourceClass", "ResourceClassParameters"),
         "it has no counterpart, and Kubernetes has no resource.k8s.io/v1alpha2 since 1.31"),
    ],
)  # fmt: skip
def test_what_is_of_another_driver_stays_as_it_is(text: str, reason: str) -> None:
    theirs = CLASS.replace("fast", "theirs").replace(OURS, "other")
    found = converted(text, theirs)
    assert found.text.startswith(text)
    assert not found.failed
    assert found.messages[0].text.endswith(f": stays as it is: {reason}")


def test_a_claim_of_a_class_that_is_in_no_file_is_taken_for_ours() -> None:
    assert "deviceClassName: mine" in converted(CLAIM.replace("fake.3-shake.com", "mine")).text


# --- Documents and files -------------------------------------------------------------------------------------------


def test_a_list() -> None:
    before = f"""\
apiVersion: v1
kind: List
items:
# Gone.
- apiVersion: {OURS}/v1alpha1
  kind: FakeClaimParameters # too
  metadata: {{name: p}}
- apiVersion: {CLASSIC}
  kind: ResourceClaim
  metadata: {{name: c}}
  spec:
    allocationMode: Immediate
    resourceClassName: fake.3-shake.com
    parametersRef: {{apiGroup: {OURS}, kind: FakeClaimParameters, name: p}}
- apiVersion: v1
  kind: ConfigMap
"""
    after = """\
apiVersion: v1
kind: List
items:
# Gone.
# too
# allocationMode Immediate has no counterpart: the claim is allocated with the first pod that uses it
- apiVersion: resource.k8s.io/v1
  kind: ResourceClaim
  metadata: {name: c}
  spec:
    devices:
      requests:
      - name: fake
        exactly:
          deviceClassName: fake.3-shake.com
- apiVersion: v1
  kind: ConfigMap
"""
    assert converted(before).text == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("# a\n---\n{p}---\nb: 1\n", "# a\n---\nb: 1\n", id="first"),
        pytest.param("b: 1\n---\n# a\n{p}", "b: 1\n---\n# a\n", id="last, with a comment"),
        pytest.param("b: 1\n---\n{p}", "b: 1\n", id="last"),
        pytest.param("b: 1\n---\n# a\n{p}---\n# c\nd: 1\n", "b: 1\n---\n# a\n# c\nd: 1\n", id="comment to the next"),
        pytest.param("{p}---\n{p}---\nb: 1\n", "---\nb: 1\n", id="two"),
        pytest.param("b: 1\n---\n{p}...\n%YAML 1.1\n---\nc: 1\n", "b: 1\n...\n%YAML 1.1\n---\nc: 1\n", id="directive"),
        pytest.param("b: 1\n...\n{p}...\nc: 1\n", "b: 1\n...\nc: 1\n", id="end lines"),
        pytest.param("{p}", "", id="only one"),
    ],
)
def test_where_a_document_was_that_is_left_out(before: str, after: str) -> None:
    gone = f"apiVersion: {CLASSIC}\nkind: PodSchedulingContext\n"
    assert converted(before.replace("{p}", gone)).text == after


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["a: 1", "b: 2\n"], "a: 1\n---\nb: 2\n"),
        (["a: 1\n", "# c\n---\nb: 2\n"], "a: 1\n# c\n---\nb: 2\n"),
        (["a: 1\n", "", "b: 2\n"], "a: 1\n---\nb: 2\n"),
        (["a: 1\n...\n", "b: 2\n"], "a: 1\n...\nb: 2\n"),
        (["a: 1\n", "%YAML 1.1\n---\nb: 2\n"], "a: 1\n...\n%YAML 1.1\n---\nb: 2\n"),
        (['{"a": 1}', '{"b": 2}'], '{"a": 1}\n---\n{"b": 2}'),
        (['{"a": 1}{"b": 2}'], '{"a": 1}{"b": 2}'),
    ],
)
def test_several_files_are_one_text(files: list[str], text: str) -> None:
    assert converted(*files).text == text
    assert [each for each in values(text) if each] == [each for file in files for each in values(file)]


def test_json_stays_json() -> None:
    before = json.dumps({"apiVersion": CLASSIC, "kind": "ResourceClaim", "spec": {"resourceClassName": "a"}}, indent=4)
    found = json.loads(converted(f"{before}\n").text)
    assert found["spec"]["devices"]["requests"] == [{"name": "fake", "exactly": {"deviceClassName": "a"}}]


def test_a_document_that_is_not_yaml_does_not_keep_the_others() -> None:
    found = converted(f"a: 1\n---\n# b\nb: [\n---\n{CLAIM}", "c: *d\n")
    assert found.failed
    assert found.text.startswith("a: 1\n---\n# b\nb: [\n---\napiVersion: resource.k8s.io/v1\n")
    first, second = map(str, found.messages)
    assert first.startswith("a.yaml:5: error: document 2: is not YAML: ")
    assert second.startswith("b.yaml:1: error: document 1: is not YAML: ")


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param("&m {a: *m}", id="itself"),
        pytest.param("{a: " * 200 + "}" * 200, id="depth"),
        pytest.param("[&a0 [x]" + "".join(f", &a{n + 1} [{f'*a{n}, ' * 9}]" for n in range(9)) + "]", id="repeated"),
    ],
)
def test_an_object_that_cannot_be_gone_through(labels: str) -> None:
    text = f"apiVersion: {CLASSIC}\nkind: ResourceClaim\nmetadata: {{labels: {labels}}}\n---\n{CLAIM}"
    found = converted(text)
    assert found.text.startswith(text.removesuffix(CLAIM))
    assert values(found.text.partition("---\n")[2])[0]["apiVersion"] == "resource.k8s.io/v1"
    assert [str(message) for message in found.messages] == [
        "a.yaml:1: error: document 1: is nested more than 200 levels deep, contains itself, or is too large"
    ]


def test_a_document_that_is_written_again_says_so() -> None:
    found = converted(f"# a\n---\n{CLAIM}status: {{a: &x 1}} # c\nb: *x\n")
    assert found.text.startswith("# a\n---\n# c\napiVersion: resource.k8s.io/v1\n")
    assert [message.text for message in found.messages] == [
        "it has anchors, or other forms in which no value can be changed alone: its comments are above it now"
    ]


def test_pods_in_a_kind_that_is_not_known_are_pointed_out() -> None:
    pods = {"template": {"spec": {"resourceClaims": [{"name": "a", "source": {"resourceClaimName": "c"}}]}}}
    job_set = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": "j"}}
    text = json.dumps({**job_set, "spec": {"replicatedJobs": [{"template": {"spec": pods}}]}})
    found = converted(text)
    assert found.text == text
    assert [message.text for message in found.messages] == [
        "JobSet j: stays as it is: it has pods whose resourceClaims have a source, which you have to change"
    ]
