"""What the kubelet makes and writes for a pod stays in the node's folder, whatever paths and links it is given.

The API server refuses most of these paths; here they reach the kubelet all the same, as from a faulty one.
"""

import asyncio
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.kinds import ConfigMap, ServiceAccount
from fake_dra_driver.cluster.kubelet.containersetup.containment import inside
from fake_dra_driver.cluster.kubelet.containersetup.volumes import VolumeError, Volumes
from fake_dra_driver.cluster.kubelet.pod import Pod, Secret
from tests.crash.bounds import examples
from tests.unit.cluster.kubelet.world import FOREVER, World, container, pod, status_of

K = TypeVar("K", bound=KubeObject)

UID = "0a1b2c3d"
PARTS = ("..", ".", "a", "file", "out", "", "\0", "x" * 300)
"""``out`` is a link out of the node's folder, ``file`` no folder."""


class OneOfEach:
    """Stands for the API server: has a config map and a secret, both with the key ``key``, and a token."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """The only object of that kind."""
        assert kind in (ConfigMap, Secret)
        return kind.model_validate(
            {"metadata": {"name": key.name, "namespace": key.namespace}, "data": {"key": "eA=="}}
        )

    async def create_subresource(
        self, kind: type[KubeObject], key: NamespacedName, subresource: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The token of any account."""
        assert (kind, subresource) == (ServiceAccount, "token")
        return {"status": {"token": "eA=="}}


def a_pod(*volumes: Mapping[str, Any]) -> Pod:
    listed = [{"name": f"v{number}", **volume} for number, volume in enumerate(volumes)]
    return Pod.from_wire({"metadata": {"name": "p", "namespace": "default", "uid": UID}, "spec": {"volumes": listed}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A node's folder, with links in it that lead out."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("precious")
    node = tmp_path / "node"
    for place in (node, *(node / f"var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~{kind}" for kind in KINDS)):
        for each in (place, place / "v0"):
            each.mkdir(parents=True, exist_ok=True)
            (each / "out").symlink_to(tmp_path / "outside")
            (each / "file").touch()
    return node


KINDS = ("configmap", "secret", "empty-dir", "projected")


def outside(folder: Path) -> Mapping[str, tuple[int, bytes]]:
    """All that is beside the node's folder, with permissions and contents."""
    return {
        str(path): (stat.S_IMODE(path.lstat().st_mode), path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.parent.rglob("*"))
        if not path.is_relative_to(folder)
    }


def items(path: str) -> Mapping[str, Any]:
    return {"items": [{"key": "key", "path": path}]}


def projected(source: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"projected": {"sources": [source]}}


SOURCES: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "configMap": lambda path: {"configMap": {"name": "x", **items(path)}},
    "secret": lambda path: {"secret": {"secretName": "x", **items(path)}},
    "a projected configMap": lambda path: projected({"configMap": {"name": "x", **items(path)}}),
    "a token": lambda path: projected({"serviceAccountToken": {"path": path, "expirationSeconds": 3607}}),
    "a field": lambda path: projected(
        {"downwardAPI": {"items": [{"path": path, "fieldRef": {"fieldPath": "metadata.name"}}]}}
    ),
    "a folder": lambda path: {"hostPath": {"path": path, "type": "DirectoryOrCreate"}},
    "a file": lambda path: {"hostPath": {"path": path, "type": "FileOrCreate"}},
    "any": lambda path: {"hostPath": {"path": path}},
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", ["../../../../../../../../../outside/new", "out/new", "a/../out/new", "out/../../new"])
async def test_a_volume_that_leads_out_of_the_node_is_not_mounted(folder: Path, source: str, path: str) -> None:
    before = outside(folder)
    with pytest.raises(VolumeError, match=r'MountVolume\.SetUp failed for volume "v0"'):
        await Volumes(folder, OneOfEach()).set_up(a_pod(SOURCES[source](path)))
    assert outside(folder) == before


async def test_an_absolute_path_of_a_file_is_one_in_no_volume(folder: Path) -> None:
    before = outside(folder)
    target = folder.parent / "outside" / "new"
    with pytest.raises(VolumeError, match=r"It leads to .*outside, out of .*configmap/v0"):
        await Volumes(folder, OneOfEach()).set_up(a_pod(SOURCES["configMap"](str(target))))
    assert outside(folder) == before


async def test_a_file_in_the_place_of_a_link_replaces_it(folder: Path) -> None:
    place = folder / f"var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~configmap/v0/config"
    place.symlink_to(folder.parent / "outside" / "file")
    before = outside(folder)
    await Volumes(folder, OneOfEach()).set_up(a_pod(SOURCES["configMap"]("config")))
    assert (place.is_symlink(), place.read_text(), outside(folder)) == (False, "eA==", before)


@given(
    source=st.sampled_from(sorted(SOURCES)),
    parts=st.lists(st.sampled_from(PARTS), max_size=5),
    slash=st.sampled_from(["", "/"]),
)
@examples(60, 3_000)
async def test_no_path_makes_the_kubelet_write_outside(folder: Path, source: str, parts: list[str], slash: str) -> None:
    before = outside(folder)
    path = slash + "/".join(parts)
    try:
        folders = await Volumes(folder, OneOfEach()).set_up(a_pod(SOURCES[source](path)))
    except VolumeError:
        folders = {}
    assert all(each.resolve().is_relative_to(folder) for each in folders.values())
    assert outside(folder) == before


def test_a_path_is_judged_by_where_its_links_lead(folder: Path) -> None:
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "back").symlink_to(folder / "a")
    for good in ("", "a/b/c", "back/../b", "a/../file"):
        assert inside(folder, folder / good) == folder / good
    for bad in ("..", "out", "out/../node/../x", "\0"):
        with pytest.raises(OSError, match=r"out of|cannot be a path"):
            inside(folder, folder / bad)


# --- In a cluster -----------------------------------------------------------------------------------------------------


def reason_of(pod: Pod) -> str | None:
    """Why its container waits."""
    state = status_of(pod).state.waiting if pod.status.container_statuses else None
    return state.reason if state is not None else None


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ({"subPath": "out"}, r'failed to prepare subPath for volumeMount "v" of container "ctr0": .*out of .*srv'),
        ({"subPath": "a/b"}, None),
        ({"subPathExpr": "$(HERE)"}, None),
        ({"subPathExpr": "$(THERE)"}, r"unable to provision SubPath `\.\./\.\./x`: must not contain '\.\.'"),
        ({"subPathExpr": "$(ABSOLUTE)"}, "error SubPath `/x` must not be an absolute path"),
        ({"subPathExpr": "$(LINK)/x"}, r'failed to prepare subPath for volumeMount "v" of container "ctr0": .*out of'),
    ],
)
async def test_a_mount_that_leads_out_of_its_volume_keeps_the_container_waiting(
    node: World, tmp_path: Path, mount: dict[str, Any], message: str | None
) -> None:
    volume = node.root / "srv"
    for folder in (volume, volume / "a/b"):
        folder.mkdir(parents=True)
    (volume / "out").symlink_to(tmp_path)
    values = {"HERE": "a/b", "THERE": "../../x", "ABSOLUTE": "/x", "LINK": "out", "FILE": "/m/written"}
    spec = container(
        'echo x > "$FILE"',
        env=[{"name": name, "value": value} for name, value in values.items()],
        volumeMounts=[{"name": "v", "mountPath": "/m", **mount}],
    )
    host = {"name": "v", "hostPath": {"path": "/srv"}}
    await node.create(pod("pod0", spec, volumes=[host], restartPolicy="Never"))
    if message is None:
        await node.until_phase("pod0", "Succeeded")
        assert (volume / "a/b/written").read_text() == "x\n"
        return
    waiting = await node.until("pod0", lambda pod: reason_of(pod) == "CreateContainerConfigError")
    state = status_of(waiting).state.waiting
    assert state is not None
    assert re.match(message, state.message)


async def test_a_container_does_not_work_outside_of_the_node(node: World, tmp_path: Path) -> None:
    (node.root / "srv").mkdir()
    (node.root / "srv" / "out").symlink_to(tmp_path)
    mounts = [{"name": "v", "mountPath": "/m"}]
    specs = [
        container(FOREVER, "linked", volumeMounts=mounts, workingDir="/m/out/new"),
        container("pwd", "above", volumeMounts=mounts, workingDir="/m/../../new"),
    ]
    host = {"name": "v", "hostPath": {"path": "/srv"}}
    created = await node.create(pod("pod0", *specs, volumes=[host], restartPolicy="Never"))
    message = "Error: workingDir /m/out/new cannot be used: "
    await node.until_event("pod0", "Failed", message)
    await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod, "above").state.terminated)
    above = node.root / f"var/lib/kubelet/pods/{created.uid}/containers/above"
    assert (await node.log("pod0", "above")).splitlines() == [str(above)]
    assert not await asyncio.to_thread(os.listdir, tmp_path)
