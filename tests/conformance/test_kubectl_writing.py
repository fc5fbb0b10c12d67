"""The real kubectl, writing: create, apply in both ways, diff, patch, edit, replace, label, delete.

The same words have to come back from both servers.
"""

import json
import re
from typing import Any

import pytest
import yaml

from tests.conformance.api import Api, Json
from tests.conformance.objects import config_map, core, crd, deployment, ours, pod, widget
from tests.conformance.target import Kubectl

pytestmark = pytest.mark.apiserver


def manifest(*objects: Json) -> str:
    """Documents for ``-f -``."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def data(kubectl: Kubectl, name: str) -> dict[str, str]:
    """The data of a ConfigMap."""
    found: dict[str, str] = json.loads(kubectl.run("get", "configmap", name, "-o", "json")).get("data", {})
    return found


# --- create ---


def test_create(kubectl: Kubectl) -> None:
    """From a manifest with several documents; a name that is taken is said so, the others are made."""
    two = manifest(config_map("a"), pod("p"))
    assert kubectl.run("create", "-f", "-", stdin=two) == "configmap/a created\npod/p created\n"
    found = kubectl.run("create", "-f", "-", stdin=manifest(config_map("a"), config_map("b")), code=1)
    assert found.splitlines() == [
        "configmap/b created",
        'Error from server (AlreadyExists): error when creating "STDIN": configmaps "a" already exists',
    ]
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
    assert re.fullmatch(r"configmap/made-[a-z0-9]{5} created\n", kubectl.run("create", "-f", "-", stdin=manifest(body)))


def test_a_list(kubectl: Kubectl) -> None:
    """kubectl finds no List in OpenAPI v3, so it asks v2, in protobuf, whether the server validates fields itself."""
    items = manifest({"apiVersion": "v1", "kind": "List", "items": [config_map("a"), config_map("b")]})
    assert kubectl.run("apply", "-f", "-", stdin=items) == "configmap/a created\nconfigmap/b created\n"
    assert kubectl.run("apply", "-f", "-", stdin=items) == "configmap/a configured\nconfigmap/b configured\n"
    assert kubectl.run("delete", "-f", "-", stdin=items) == 'configmap "a" deleted\nconfigmap "b" deleted\n'


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (("configmap", "x", "--from-literal=a=b"), "configmap/x"),
        (("secret", "generic", "x", "--from-literal=a=b"), "secret/x"),
        (("serviceaccount", "x"), "serviceaccount/x"),
        (("deployment", "x", "--image=busybox", "--replicas=2"), "deployment.apps/x"),
        (("job", "x", "--image=busybox"), "job.batch/x"),
        (("service", "clusterip", "x", "--tcp=80"), "service/x"),
        (("role", "x", "--verb=get", "--resource=pods"), "role.rbac.authorization.k8s.io/x"),
        (("rolebinding", "x", "--role=r", "--group=g"), "rolebinding.rbac.authorization.k8s.io/x"),
    ],
)
def test_create_by_flags(kubectl: Kubectl, arguments: tuple[str, ...], made: str) -> None:
    """Some of these are sent as protobuf."""
    assert kubectl.run("create", *arguments, "--dry-run=server") == f"{made} created (server dry run)\n"
    assert kubectl.run("create", *arguments) == f"{made} created\n"
    assert kubectl.run("get", made, "-o", "name") == f"{made}\n"


def test_create_a_namespace_and_run_a_pod(kubectl: Kubectl) -> None:
    """Cluster-wide, and the shortest way to a pod."""
    assert kubectl.run("create", "namespace", f"{kubectl.namespace}-x") == f"namespace/{kubectl.namespace}-x created\n"
    assert kubectl.run("run", "p", "--image=busybox", "--restart=Never") == "pod/p created\n"
    assert kubectl.run("get", "pod", "p", "-o", "jsonpath={.spec.restartPolicy}") == "Never"


def test_create_a_token(kubectl: Kubectl) -> None:
    """For a service account."""
    kubectl.run("create", "serviceaccount", "s")
    assert len(kubectl.run("create", "token", "s", "--duration=1h").split(".")) == 3


# --- apply ---


def test_apply(api: Api, kubectl: Kubectl) -> None:
    """Created, unchanged, configured; what the manifest no longer names goes, what others have set stays."""
    assert kubectl.run("apply", "-f", "-", stdin=manifest(config_map("a", {"k": "v", "l": "m"}))) == (
        "configmap/a created\n"
    )
    api.patch(core(kubectl.namespace, "configmaps", "a"), {"data": {"other": "x"}})
    again = manifest(config_map("a", {"k": "w"}))
    assert kubectl.run("apply", "-f", "-", stdin=again) == "configmap/a configured\n"
    assert data(kubectl, "a") == {"k": "w", "other": "x"}
    assert kubectl.run("apply", "-f", "-", stdin=again) == "configmap/a unchanged\n"
    found = kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=manifest(config_map("a", {"k": "z"})))
    assert found == "configmap/a configured (server dry run)\n"
    assert data(kubectl, "a")["k"] == "w"


def test_apply_merges_lists_by_key(kubectl: Kubectl, widgets: str) -> None:
    """A strategic merge patch for built-in kinds, a merge patch for custom ones."""
    body = deployment("d")
    assert kubectl.run("apply", "-f", "-", stdin=manifest(body)) == "deployment.apps/d created\n"
    kubectl.run("set", "env", "deployment/d", "ADDED=1")
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:1.36"
    assert kubectl.run("apply", "-f", "-", stdin=manifest(body)) == "deployment.apps/d configured\n"
    [container] = json.loads(kubectl.run("get", "deployment", "d", "-o", "json"))["spec"]["template"]["spec"][
        "containers"
    ]
    assert (container["image"], container["env"]) == ("busybox:1.36", [{"name": "ADDED", "value": "1"}])
    kubectl.run("apply", "-f", "-", stdin=manifest(widget("w", numbers=[1, 2])))
    configured = kubectl.run("apply", "-f", "-", stdin=manifest(widget("w", numbers=[3])))
    assert configured == "widget.conformance.example.com/w configured\n"
    assert kubectl.run("get", "widget", "w", "-o", "jsonpath={.spec.numbers}") == "[3]"


def test_apply_and_prune(kubectl: Kubectl) -> None:
    """What is selected and no longer applied goes."""
    labels = {"app": "x"}
    both = manifest(config_map("a", labels=labels), config_map("b", labels=labels))
    kubectl.run("apply", "-f", "-", stdin=both)
    prune = ("--prune", "-l", "app=x", "--prune-allowlist=core/v1/ConfigMap")
    found = kubectl.run("apply", "-f", "-", *prune, stdin=manifest(config_map("a", labels=labels)))
    assert found.splitlines() == ["configmap/a configured", "configmap/b pruned"]


def test_apply_server_side(kubectl: Kubectl) -> None:
    """Managers, a conflict in words, and force."""
    body = manifest(config_map("a", {"k": "v"}))
    assert kubectl.run("apply", "--server-side", "-f", "-", stdin=body) == "configmap/a serverside-applied\n"
    other = manifest(config_map("a", {"k": "w"}))
    arguments = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    found = kubectl.run(*arguments, stdin=other, code=1)
    assert found.startswith('error: Apply failed with 1 conflict: conflict with "kubectl": .data.k\n')
    assert data(kubectl, "a") == {"k": "v"}
    assert kubectl.run(*arguments, "--force-conflicts", stdin=other) == "configmap/a serverside-applied\n"
    assert data(kubectl, "a") == {"k": "w"}
    found = kubectl.run(*arguments, "--dry-run=server", stdin=body)
    assert found == "configmap/a serverside-applied (server dry run)\n"


def test_from_client_side_to_server_side(kubectl: Kubectl) -> None:
    """kubectl takes its own fields over without a conflict; its annotation follows, for the way back."""
    kubectl.run("apply", "-f", "-", stdin=manifest(deployment("d", 2)))
    changed = manifest(deployment("d", 3))
    assert kubectl.run("apply", "--server-side", "-f", "-", stdin=changed) == "deployment.apps/d serverside-applied\n"
    found = json.loads(kubectl.run("get", "deployment", "d", "-o", "json", "--show-managed-fields"))
    managers = {(each["manager"], each["operation"]) for each in found["metadata"]["managedFields"]}
    assert managers == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}
    annotation = found["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(annotation)["spec"]["replicas"] == 3
    assert annotation.endswith("}\n")
    assert kubectl.run("apply", "-f", "-", stdin=manifest(deployment("d", 4))) == "deployment.apps/d configured\n"
    assert kubectl.run("get", "deployment", "d", "-o", "jsonpath={.spec.replicas}") == "4"


def test_apply_our_kinds(kubectl: Kubectl, our_kinds: None) -> None:
    """The driver's own, which the API server checks."""
    head: Json = {"apiVersion": "fake.resource.3-shake.com/v1alpha1", "kind": "FakeClaimParameters"}
    body = {**head, "metadata": {"name": "f"}, "spec": {"count": 2}}
    made = "fakeclaimparameters.fake.resource.3-shake.com/f"
    assert kubectl.run("apply", "-f", "-", stdin=manifest(body)) == f"{made} created\n"
    assert kubectl.run("apply", "-f", "-", stdin=manifest(body)) == f"{made} unchanged\n"
    body["spec"] = {"count": 200}
    found = kubectl.run("apply", "-f", "-", stdin=manifest(body), code=1)
    assert "spec.count: Invalid value: 200: spec.count in body should be less than or equal to 128" in found


def test_apply_a_definition_and_its_object(kubectl: Kubectl) -> None:
    """In two steps: the kind has to be there before its objects."""
    group = f"{kubectl.namespace}.example.com"
    definition = crd(group, scope="Cluster")
    found = kubectl.run("apply", "-f", "-", stdin=manifest(widget("w", group)), code=1)
    assert f'no matches for kind "Widget" in version "{group}/v1"' in found
    assert "ensure CRDs are installed first" in found
    kubectl.run("apply", "-f", "-", stdin=manifest(definition))
    kubectl.run("wait", f"crd/widgets.{group}", "--for=condition=Established", "--timeout=20s")
    deleted = kubectl.run("delete", "crd", f"widgets.{group}")
    assert deleted.startswith(f'customresourcedefinition.apiextensions.k8s.io "widgets.{group}" deleted\n')


# --- what is wrong with a manifest ---


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [b", "error: error parsing STDIN: error converting YAML to JSON: yaml:"),
        ("a: b", 'error: error validating "STDIN": error validating data: [apiVersion not set, kind not set]'),
        ("{", "error: error parsing STDIN: unexpected EOF"),
        (
            "apiVersion: example.net/v1\nkind: Thing\nmetadata: {name: a}\n",
            'no matches for kind "Thing" in version "example.net/v1"',
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n",
            'strict decoding error: unknown field "dta"',
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 1}\n",
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n",
            "spec.containers: Required value",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n",
            'The ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name"',
        ),
        ("apiVersion: v1\nkind: ConfigMap\n", "error: error when retrieving current configuration of:"),
    ],
)
def test_bad_manifests(kubectl: Kubectl, text: str, says: str) -> None:
    """Each is refused, in words that say why."""
    assert says in kubectl.run("apply", "-f", "-", stdin=text, code=1)


# --- diff ---


def test_diff(kubectl: Kubectl) -> None:
    """Nothing and 0 where nothing would change, else the change and 1; nothing is written."""
    kubectl.run("apply", "-f", "-", stdin=manifest(config_map("a", {"k": "v"})))
    assert kubectl.run("diff", "-f", "-", stdin=manifest(config_map("a", {"k": "v"}))) == ""
    changed = manifest(config_map("a", {"k": "w"}))
    found = kubectl.run("diff", "-f", "-", stdin=changed, code=1).splitlines()
    assert "-  k: v" in found
    assert "+  k: w" in found
    kubectl.run("apply", "--server-side", "-f", "-", stdin=manifest(config_map("b", {"k": "v"})))
    changed = manifest(config_map("b", {"k": "w"}))
    found = kubectl.run("diff", "--server-side", "-f", "-", stdin=changed, code=1).splitlines()
    assert {"-  k: v", "+  k: w"} <= set(found)
    new = kubectl.run("diff", "-f", "-", stdin=manifest(config_map("c", {"k": "v"})), code=1).splitlines()
    assert "+kind: ConfigMap" in new
    assert data(kubectl, "a") == data(kubectl, "b") == {"k": "v"}
    assert kubectl.run("get", "configmap", "c", "--ignore-not-found") == ""


# --- patch, edit, replace, label ---


@pytest.mark.parametrize(
    ("kind", "patch", "expected"),
    [
        ("strategic", {"data": {"l": "m"}}, {"k": "v", "l": "m"}),
        ("merge", {"data": {"k": None, "l": "m"}}, {"l": "m"}),
        ("json", [{"op": "replace", "path": "/data/k", "value": "w"}], {"k": "w"}),
    ],
)
def test_patch(api: Api, kubectl: Kubectl, kind: str, patch: Any, expected: dict[str, str]) -> None:
    """All three types; a patch that changes nothing is said so."""
    api.post(core(kubectl.namespace, "configmaps"), config_map("a", {"k": "v"}))
    arguments = ("patch", "configmap", "a", f"--type={kind}", "-p", json.dumps(patch))
    assert kubectl.run(*arguments) == "configmap/a patched\n"
    assert data(kubectl, "a") == expected
    if kind != "json":
        assert kubectl.run(*arguments) == "configmap/a patched (no change)\n"


def test_patch_that_cannot_be(api: Api, kubectl: Kubectl, widgets: str, our_kinds: None) -> None:
    """What the server says comes through."""
    api.post(core(kubectl.namespace, "configmaps"), config_map("a", {"k": "v"}))
    remove = json.dumps([{"op": "remove", "path": "/data/none"}])
    found = kubectl.run("patch", "configmap", "a", "--type=json", "-p", remove, code=1)
    assert "The request is invalid" in found
    api.post(widgets, widget("w"))
    found = kubectl.run("patch", "widget", "w", "-p", '{"spec":{"size":4}}', code=1)
    assert "application/strategic-merge-patch+json is not supported" in found
    found = kubectl.run("patch", "widget", "w", "--type=merge", "-p", '{"spec":{"size":40}}', code=1)
    assert 'The Widget "w" is invalid: spec.size: Invalid value: 40' in found
    assert kubectl.run("patch", "widget", "w", "--type=merge", "-p", '{"spec":{"size":4}}').endswith("w patched\n")
    status = ("--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Ready"}}')
    assert kubectl.run("patch", "widget", "w", *status).endswith("w patched\n")
    body = {
        "apiVersion": "fake.resource.3-shake.com/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": {"name": "f"},
    }
    api.post(ours(kubectl.namespace), body)
    too_much = '{"spec":{"count":100,"split":11}}'
    found = kubectl.run("patch", "fakeclaimparameters", "f", "--type=merge", "-p", too_much, code=1)
    assert "count times split must be at most 1024" in found


def test_edit(api: Api, kubectl: Kubectl) -> None:
    """What the editor leaves is sent as a patch; without a change there is none."""
    api.post(core(kubectl.namespace, "configmaps"), config_map("a", {"k": "v"}))
    assert kubectl.run("edit", "configmap", "a", editor="sed -i s/v$/w/") == "configmap/a edited\n"
    assert data(kubectl, "a") == {"k": "w"}
    assert kubectl.run("edit", "configmap", "a", editor="true") == "Edit cancelled, no changes made.\n"


def test_replace(api: Api, kubectl: Kubectl) -> None:
    """By a PUT, or by deleting and creating."""
    api.post(core(kubectl.namespace, "configmaps"), config_map("a", {"k": "v"}))
    body = manifest(config_map("a", {"l": "m"}))
    assert kubectl.run("replace", "-f", "-", stdin=body) == "configmap/a replaced\n"
    assert data(kubectl, "a") == {"l": "m"}
    uid = kubectl.run("get", "configmap", "a", "-o", "jsonpath={.metadata.uid}")
    found = kubectl.run("replace", "--force", "-f", "-", stdin=body)
    assert found == 'configmap "a" deleted\nconfigmap/a replaced\n'
    assert kubectl.run("get", "configmap", "a", "-o", "jsonpath={.metadata.uid}") != uid
    says = 'Error from server (NotFound): error when replacing "STDIN": configmaps "b" not found\n'
    assert kubectl.run("replace", "-f", "-", stdin=manifest(config_map("b")), code=1) == says


def test_label_and_annotate(api: Api, kubectl: Kubectl) -> None:
    """Set, refused without --overwrite, taken off."""
    api.post(core(kubectl.namespace, "configmaps"), config_map("a"))
    assert kubectl.run("label", "configmap", "a", "x=1") == "configmap/a labeled\n"
    found = kubectl.run("label", "configmap", "a", "x=2", code=1)
    assert found == "error: 'x' already has a value (1), and --overwrite is false\n"
    assert kubectl.run("label", "configmap", "a", "x=2", "--overwrite") == "configmap/a labeled\n"
    assert kubectl.run("get", "configmap", "-l", "x=2", "-o", "name") == "configmap/a\n"
    assert kubectl.run("label", "configmap", "a", "x-") == "configmap/a unlabeled\n"
    assert kubectl.run("annotate", "configmap", "a", "y=z") == "configmap/a annotated\n"


# --- delete ---


def test_delete(api: Api, kubectl: Kubectl) -> None:
    """By name, by label, from a manifest, all; kubectl waits until each is gone."""
    path = core(kubectl.namespace, "configmaps")
    for name in "abcdef":
        api.post(path, config_map(name, labels={"app": "x" if name in "bc" else "y"}))
    assert kubectl.run("delete", "configmap", "a") == 'configmap "a" deleted\n'
    assert kubectl.run("delete", "configmap", "-l", "app=x") == 'configmap "b" deleted\nconfigmap "c" deleted\n'
    assert kubectl.run("delete", "-f", "-", stdin=manifest(config_map("d"))) == 'configmap "d" deleted\n'
    assert kubectl.run("delete", "configmap", "e", "--dry-run=server") == 'configmap "e" deleted (server dry run)\n'
    assert kubectl.run("delete", "configmap/e", "configmap/f") == 'configmap "e" deleted\nconfigmap "f" deleted\n'
    assert [each["metadata"]["name"] for each in api.get(path)["items"] if each["metadata"]["name"] in "abcdef"] == []
    says = 'Error from server (NotFound): configmaps "a" not found\n'
    assert kubectl.run("delete", "configmap", "a", code=1) == says
    assert kubectl.run("delete", "configmap", "a", "--ignore-not-found") == ""


def test_delete_without_waiting(api: Api, kubectl: Kubectl) -> None:
    """--wait=false comes back while a finalizer still holds the object; without it, kubectl waits in vain."""
    path = core(kubectl.namespace, "configmaps", "a")
    api.post(core(kubectl.namespace, "configmaps"), config_map("a", finalizers=["example.com/hold"]))
    assert kubectl.run("delete", "configmap", "a", "--wait=false") == 'configmap "a" deleted\n'
    assert "deletionTimestamp" in api.get(path)["metadata"]
    found = kubectl.run("delete", "configmap", "a", "--timeout=2s", code=1)
    # Later ones may say between these lines that their watch has ended.
    said = found.splitlines()
    assert (said[0], said[-1]) == (
        'configmap "a" deleted',
        "error: timed out waiting for the condition on configmaps/a",
    )
    with kubectl.follow("delete", "configmap", "a", "--timeout=50s") as output:
        assert output.readline().startswith('configmap "a" deleted')
        api.drop_finalizers(path)
        assert output.read() == ""
    api.gone(path)


def test_delete_pods(api: Api, kubectl: Kubectl) -> None:
    """With a grace period of one's own, and by force, which warns."""
    path = core(kubectl.namespace, "pods")
    for name in ("a", "b"):
        api.post(path, pod(name, {"nodeName": "n1"}))
    assert kubectl.run("delete", "pod", "a", "--grace-period=7", "--wait=false") == 'pod "a" deleted\n'
    assert api.get(f"{path}/a")["metadata"]["deletionGracePeriodSeconds"] == 7
    found = kubectl.run("delete", "pod", "a", "--now", "--wait=false")
    assert found == 'pod "a" deleted\n'
    assert api.get(f"{path}/a")["metadata"]["deletionGracePeriodSeconds"] == 1
    forced = kubectl.run("delete", "pod", "a", "b", "--force")
    assert forced.startswith('pod "a" force deleted\npod "b" force deleted\n')
    assert "Warning: Immediate deletion does not wait for confirmation" in forced


def test_delete_with_what_it_owns(api: Api, kubectl: Kubectl, controllers: None) -> None:
    """--cascade: foreground waits for the others, orphan leaves them."""
    path = core(kubectl.namespace, "configmaps")
    for how in ("foreground", "orphan"):
        owner = api.post(path, config_map(how))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": how, "uid": owner["metadata"]["uid"]}
        api.post(path, config_map(f"{how}-owned", ownerReferences=[{**reference, "blockOwnerDeletion": True}]))
        assert kubectl.run("delete", "configmap", how, f"--cascade={how}") == f'configmap "{how}" deleted\n'
    api.gone(f"{path}/foreground-owned")
    assert "ownerReferences" not in api.get(f"{path}/orphan-owned")["metadata"]


def test_delete_a_namespace(api: Api, kubectl: Kubectl, controllers: None) -> None:
    """kubectl waits until everything in it is gone."""
    name = f"{kubectl.namespace}-x"
    kubectl.run("create", "namespace", name)
    kubectl.run("create", "configmap", "a", "-n", name)
    assert kubectl.run("delete", "namespace", name).startswith(f'namespace "{name}" deleted\n')
    api.gone(f"/api/v1/namespaces/{name}")
