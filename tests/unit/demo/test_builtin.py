"""The built-in kubectl on an embedded cluster: what it prints is what kubectl 1.32 prints for the same commands."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.demo.kubectl import Kubectl, open_kubectl
from fake_dra_driver.runtime.errors import InvalidError, NotFoundError

MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {name: test1}
---
apiVersion: resource.k8s.io/v1alpha2
kind: ResourceClaim
metadata: {name: c, namespace: test1}
spec: {resourceClassName: fake.3-shake.com}
"""


@pytest.fixture
async def kubectl() -> AsyncIterator[Kubectl]:
    async with Cluster() as cluster, open_kubectl(cluster.kubeconfig, None) as kubectl:
        yield kubectl


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "claim.yaml"
    file.write_text(MANIFEST)
    return file


async def test_tables(kubectl: Kubectl, manifest: Path) -> None:
    assert await kubectl("get", "pods", "-A") == "No resources found\n"
    assert await kubectl("get", "pod", "-n", "test1") == "No resources found in test1 namespace.\n"
    await kubectl("apply", "-f", str(manifest))
    everywhere = await kubectl("get", "resourceclaims", "--all-namespaces")
    assert re.sub(r"\d+s\n", "0s\n", everywhere) == (
        "NAMESPACE   NAME   RESOURCECLASSNAME   ALLOCATIONMODE         STATE     AGE\n"
        "test1       c      fake.3-shake.com    WaitForFirstConsumer   pending   0s\n"
    )
    one = await kubectl("get", "resourceclaim", "c", "--namespace=test1")
    assert one.startswith("NAME   RESOURCECLASSNAME   ")
    assert json.loads(await kubectl("get", "ns/test1", "-o", "json"))["kind"] == "Namespace"


async def test_apply_and_delete_say_what_became_of_each_object(kubectl: Kubectl, manifest: Path) -> None:
    apply, delete = ("apply", f"--filename={manifest}"), ("delete", "--wait=false", f"--filename={manifest}")
    assert await kubectl(*apply) == "namespace/test1 created\nresourceclaim.resource.k8s.io/c created\n"
    assert await kubectl(*apply) == "namespace/test1 configured\nresourceclaim.resource.k8s.io/c configured\n"
    assert await kubectl(*apply) == "namespace/test1 unchanged\nresourceclaim.resource.k8s.io/c unchanged\n"
    assert await kubectl(*delete) == 'namespace "test1" deleted\nresourceclaim.resource.k8s.io "c" deleted\n'


async def test_describe(kubectl: Kubectl, manifest: Path) -> None:
    await kubectl("apply", "-f", str(manifest))
    lines = (await kubectl("describe", "-n", "test1", "resourceclaims/c")).splitlines()
    assert lines[:2] == ["Name:         c", "Namespace:    test1"]
    assert lines[-5:] == [
        "Spec:",
        "  Allocation Mode:      WaitForFirstConsumer",
        "  Resource Class Name:  fake.3-shake.com",
        "Status:",
        "Events:  <none>",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "foo"), 'the server doesn\'t have a resource type "foo"'),
        (("get", "pods", "--watch"), "its flag --watch is not built in"),
        (("get", "pods", "-o", "wide"), "its output 'wide' is not built in"),
        (("edit", "pod/a"), "its command 'edit pod/a' is not built in"),
        (("delete", "-f", "a"), "is not built in"),
        (("describe", "pods"), "name the object to describe"),
    ],
)
async def test_what_it_cannot_do_is_refused(kubectl: Kubectl, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        await kubectl(*arguments)


async def test_what_the_server_refuses(kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: A_b}\n")
    with pytest.raises(InvalidError, match="RFC 1123"):
        await kubectl("apply", "-f", str(file))
    file.write_text("apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n")
    with pytest.raises(ClusterError, match=r'document 1 of .*a\.yaml: no matches for kind "Thing"'):
        await kubectl("apply", "-f", str(file))
    with pytest.raises(NotFoundError):
        await kubectl("logs", "-n", "default", "missing", "-c", "c")


async def test_the_kubectl_that_is_installed(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\necho "$@"; echo "a warning" >&2; [ "$2" != fail ] || exit 1\n')
    program.chmod(0o755)
    async with open_kubectl(Path("/k"), str(program)) as kubectl:
        assert await kubectl("get", "pods") == "a warning\n--kubeconfig=/k get pods\n"
        with pytest.raises(ClusterError, match="kubectl fail failed: a warning"):
            await kubectl("fail")
