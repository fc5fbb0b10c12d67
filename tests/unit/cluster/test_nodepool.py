"""Pool files, and what is said about those that are none."""

from pathlib import Path

import pytest

from fake_dra_driver.cluster import ClusterError, NodePool, NodeTaint
from fake_dra_driver.cluster.nodepool import check_counts, node_name, read_pools

WHOLE = """
pools:
  - name: gpu
    count: 100
    labels: {tier: gpu}
    annotations: {example.com/note: any text}
    taints: [{key: gpu, value: "true", effect: NoSchedule}]
    cpu: 0.5
    memory: 1.5Gi
    pods: 20
    profile: nvidia-h100
  - name: cpu
    simulated: true
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "pools.yaml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    gpu, cpu = read_pools(_file(tmp_path, WHOLE))
    assert gpu == NodePool(
        name="gpu",
        count=100,
        labels={"tier": "gpu"},
        annotations={"example.com/note": "any text"},
        taints=(NodeTaint(key="gpu", value="true", effect="NoSchedule"),),
        cpu="500m",
        memory="1536Mi",
        pods=20,
        profile="nvidia-h100",
    )
    assert (cpu.count, cpu.cpu, cpu.memory, cpu.pods, cpu.profile, cpu.simulated) == (1, None, None, 110, "", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "FILE has no node pools: it must be an object with a list of pools, is empty"),
        ("- name: a", "FILE has no node pools: it must be an object with a list of pools, is a list"),
        ("pools: [", "The node pools in FILE are not YAML: yaml: line 2: did not find expected node content"),
        ("pools: []", "The node pools in FILE cannot be used: pools: must not be empty"),
        ("pools: [{name: a, name: b}]", 'The node pools in FILE are not clear: line 1: key "name" already set in map'),
        (
            "pools: [{name: a, cuont: 2}]",
            "The node pools in FILE cannot be used: pools[0].cuont: there is no such field, only annotations, count, "
            "cpu, labels, memory, name, pods, profile, simulated and taints",
        ),
        (
            "pools: [{name: a}]\n---\npools: [{name: b}]",
            "The node pools in FILE are not clear: there are 2 YAML documents, not one",
        ),
        (
            "pools: [{name: a, labels: {kubernetes.io/hostname: z}}]",
            "The node pools in FILE cannot be used: pools[0].labels: cannot have kubernetes.io/hostname, which says of "
            "each node which one it is",
        ),
        (
            "pools: [{name: a, labels: {fake-dra-driver-cluster/pool: z}}]",
            "The node pools in FILE cannot be used: pools[0].labels: cannot have fake-dra-driver-cluster/pool, which "
            "says of each node which one it is",
        ),
        (
            "pools: [{name: a, simulated: true, annotations: {kwok.x-k8s.io/node: real}}]",
            "The node pools in FILE cannot be used: pools[0].annotations: cannot have kwok.x-k8s.io/node, which is "
            "fake on the nodes of a simulated pool",
        ),
        (
            "pools: [{name: a, memory: 64GB, cpu: x}]",
            'The node pools in FILE cannot be used: pools[0].cpu: must be a quantity such as 4, 500m or 16Gi, is "x"; '
            'pools[0].memory: must be a quantity such as 4, 500m or 16Gi (without a B), is "64GB"',
        ),
        ("nodes: 3\npools: []", "The node pools in FILE cannot be used: nodes: there is no such field, only pools"),
        ("pools: [{count: 2}]", "The node pools in FILE cannot be used: pools[0].name: must be set"),
        (
            "pools: [{name: GPU}]",
            "The node pools in FILE cannot be used: pools[0].name: must be at most 58 lower-case letters, digits and "
            "'-', the first and last of which is no '-', is \"GPU\"",
        ),
        (
            "pools: [{name: a}, {name: b}, {name: a}]",
            "The node pools in FILE cannot be used: pools[2].name: a is the name of pools[0] as well",
        ),
        (
            "pools: [{name: a, count: 400}, {name: b, count: 101}, {name: c, count: 9, simulated: true}]",
            "The node pools in FILE cannot be used: 501 nodes with a kubelet do not fit: a cluster has at most 500, "
            "since all kubelets share one process. Simulated nodes ('simulated: true') have none: 5,000 of them fit",
        ),
        (
            "pools: [{name: a, count: 5001, simulated: true}]",
            "The node pools in FILE cannot be used: 5001 simulated nodes do not fit: a cluster has at most 5,000, as "
            "Kubernetes itself",
        ),
        ("pools: [{name: a, count: -1}]", "FILE cannot be used: pools[0].count: must be at least 0, is -1"),
        ("pools: [{name: a, count: two}]", 'FILE cannot be used: pools[0].count: must be a whole number, is "two"'),
        (
            "pools: [{name: a, cpu: four}]",
            'pools[0].cpu: must be a quantity such as 4, 500m or 16Gi, is "four"',
        ),
        ("pools: [{name: a, memory: true}]", "pools[0].memory: must be a quantity such as 4, 500m or 16Gi, is true"),
        ("pools: [{name: a, memory: 0}]", "pools[0].memory: must be more than 0, is 0"),
        ("pools: [{name: a, labels: {gen: 2}}]", "pools[0].labels.gen: must be a string, is 2"),
        (
            "pools: [{name: a, labels: {a b: x}}]",
            'pools[0].labels: must be a key such as tier or example.com/tier, is "a b"',
        ),
        (
            "pools: [{name: a, labels: {a: x y}}]",
            "pools[0].labels.a: must be at most 63 letters, digits, '-', '_' and '.', is \"x y\"",
        ),
        (
            "pools: [{name: a, taints: [{key: b, effect: Never}]}]",
            "pools[0].taints[0].effect: must be 'NoSchedule', 'PreferNoSchedule' or 'NoExecute', is \"Never\"",
        ),
        (
            "pools: [{name: a, taints: [{key: b, effect: NoExecute}, {key: b, effect: NoExecute}]}]",
            "pools[0].taints: has b with effect NoExecute twice",
        ),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ClusterError) as raised:
        read_pools(path)
    assert str(raised.value).endswith(said.replace("FILE", str(path)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"Cannot read the node pools in .*/pools.yaml: No such file or directory"):
        read_pools(tmp_path / "pools.yaml")


def test_as_many_nodes_as_fit() -> None:
    check_counts(500, 5000)


def test_names() -> None:
    pool = NodePool(name="gpu")
    assert [node_name(pool, 1), node_name(pool, 12)] == ["gpu-1", "gpu-12"]
    assert [node_name(None, 1), node_name(None, 2)] == [
        "fake-dra-driver-cluster-worker",
        "fake-dra-driver-cluster-worker2",
    ]
