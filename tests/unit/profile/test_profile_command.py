"""``profile check`` and ``profile render``: what people read of a file with DeviceProfiles."""

import io
import sys
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.cli import main

PROFILE = """
apiVersion: fake.resource.3-shake.com/v1alpha1
kind: DeviceProfile
metadata: {name: gpus}
spec:
  driverName: gpu.example.com
  nodeSelector: {matchLabels: {zone: z1}}
  environment: [{name: NODE, value: "{{ node }} {{ driver }}"}]
  files: [{path: /usr/bin/smi, mode: 0755, content: "{% for d in devices %}{{ d.uuid }}{% endfor %}"}]
  groups:
  - name: gpu
    count: 2
    model: A100
    uuid: "GPU-{{ index }}-{{ node }}"
    attributes: {zone: {string: "{{ labels.zone }}"}, ok: {bool: true}, numa: {ints: [0, 1]}}
    capacity: {memory: {value: 40Gi}}
    taints: [{key: example.com/a, value: b, effect: NoSchedule}]
    sharedCounters: [{name: "gpu-{{ index }}-counters", counters: {memory: 40Gi}}]
    consumesCounters: [{all: true}]
    environment: [{name: "GPU_{{ index }}", value: "{{ uuid }}"}]
    partitions:
    - name: half
      placements: [0, 1]
      uuid: "{{ parent.uuid }}-{{ placement }}"
      consumesCounters: [{counters: {memory: 20Gi}}]
"""


TABLE = """\
DeviceProfile gpus on node n1, Kubernetes 1.37: 6 devices, 2 ResourceSlices

gpu: 2 devices, gpu-0 to gpu-1
  type: fake
  model: A100
  uuid: GPU-0-n1
  attributes: zone z1, ok true, numa 0 1
  capacity: memory 40Gi
  taints: example.com/a=b:NoSchedule
  takes from gpu-0-counters: memory 40Gi
  a container with gpu-0:
    FAKE_NODE_NAME=n1
    DRA_RESOURCE_DRIVER_NAME=gpu.example.com
    NODE=n1 gpu.example.com
    GPU_0=GPU-0-n1
    /usr/bin/smi (0755, 8 bytes)

gpu, half: 4 devices, gpu-0-half-0 to gpu-1-half-1
  type: fake
  model: A100
  uuid: GPU-0-n1-0
  attributes: index 0, model A100, type fake, uuid GPU-0-n1-0
  taints: example.com/a=b:NoSchedule
  takes from gpu-0-counters: memory 20Gi
  a container with gpu-0-half-0:
    FAKE_NODE_NAME=n1
    DRA_RESOURCE_DRIVER_NAME=gpu.example.com
    NODE=n1 gpu.example.com
    GPU_0=GPU-0-n1-0
    /usr/bin/smi (0755, 10 bytes)

RESOURCESLICE                      DEVICES  COUNTER SETS
00000-gpu.example.com-n1-7nyiszrh  -        2
00001-gpu.example.com-n1-7nyiszrh  6

COUNTER SET     COUNTERS
gpu-0-counters  memory 40Gi
gpu-1-counters  memory 40Gi

NodeAllocationState n1: 6 A100
"""


HEAD = "apiVersion: fake.resource.3-shake.com/v1alpha1, kind: DeviceProfile"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file with a profile."""
    path = tmp_path / "profile.yaml"
    path.write_text(PROFILE)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["profile", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_check_of_a_valid_profile(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", str(written)) == (
        0,
        "DeviceProfile gpus: valid, 6 devices on a node: 2 gpu, 4 gpu half\n",
        "",
    )


def test_check_of_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PROFILE.encode())))
    status, out, _ = run(capsys, "check", "-")
    assert (status, out.split(",")[0]) == (0, "DeviceProfile gpus: valid")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{groups: [{name: a, cont: 1}]}", "spec.groups[0].cont: there is no such field, only"),
        ("{groups: [{name: a, count: 1025}]}", "spec.groups[0].count: must be at most 1024, is 1025"),
        (
            "{groups: [{name: A}]}",
            "spec.groups[0].name: must be letters of English in lower case, digits and -, with a letter or",
        ),
        (
            "{groups: [{name: a, attributes: {x: {int: 1, string: a}}}]}",
            "spec.groups[0].attributes.x: exactly one of int, bool, boolTemplate,",
        ),
        (
            "{groups: [{name: a, attributes: {x: {version: 1.2}}}]}",
            "spec.groups[0].attributes.x.version: must be a string, is 1.2",
        ),
        (
            "{groups: [{name: a, attributes: {x: {version: '1.2'}}}]}",
            "spec.groups[0].attributes.x.version: must be a semantic version such as 1.2.3, or a template of one, is "
            '"1.2"',
        ),
        ("{groups: [{name: a, count: 2, uuid: u}]}", "spec.groups[0].uuid: must be different for each device"),
        (
            "{groups: [{name: a, environment: [{name: A, value: '{{ config.x }}'}]}]}",
            "spec.groups[0].environment[0].value: there is no config.x (a claim with a-0)",
        ),
        ("[]", "spec: must be an object, is a list"),
    ],
)
def test_check_tells_what_is_wrong(spec: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(f"{{{HEAD}, metadata: {{name: p}}, spec: {spec}}}")
    status, out, err = run(capsys, "check", str(path))
    assert (status, err) == (1, "")
    assert out.startswith(f"DeviceProfile p: {told}")


def test_check_goes_on_to_the_next_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text("{kind: DeviceProfile}\n---\n{\n---\n[1]\n---\n{kind: Pod}\n---" + PROFILE)
    status, out, _ = run(capsys, "check", str(path))
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "DeviceProfile without a name",
        "DeviceProfile without a name",
        "document 2, line 4",
        "document 3",
        "DeviceProfile gpus",
    ]


def test_profiles_that_get_into_the_way_of_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(
        "deviceProfiles: [{name: a}, {name: b}, {name: a, spec: {priority: 1}}, {name: c, spec: {priority: 2}}]"
    )
    _, out, _ = run(capsys, "check", str(path))
    assert out.splitlines() == [
        "DeviceProfile a: valid, 0 devices on a node",
        "DeviceProfile b: spec.priority: must differ from that of a, for the same nodes, is 0",
        "DeviceProfile a: metadata.name: a is the name of another profile of the file",
        "DeviceProfile c: valid, 0 devices on a node",
    ]


def test_a_file_without_profiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text("kind: Pod")
    told = f"{path} has Pod and no DeviceProfile, nor deviceProfiles as values of the chart have\n"
    assert run(capsys, "check", str(path)) == (1, "", told)
    assert run(capsys, "render", str(path)) == (1, "", told)


def test_a_file_that_is_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(b"\xff")
    assert run(capsys, "check", str(path)) == (1, "", f"{path} is not UTF-8: invalid start byte at byte 0\n")


def test_values_of_the_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("""
        driverName: gpu.example.com
        deviceProfiles:
        - name: one
          spec: {groups: [{name: a, environment: [{name: DRIVER, value: "{{ driver }}"}]}]}
        - name: two
          spec: {}
        """)
    status, out, _ = run(capsys, "render", str(path), "--name=one", "--output=yaml")
    *_, seen = yaml.safe_load_all(out)
    assert status == 0
    assert seen["containers"][0]["environment"]["DRIVER"] == "gpu.example.com"
    told = f"{path} has no profile three, only one, two\n"
    assert run(capsys, "render", str(path), "--name=three") == (1, "", told)


def test_the_sample_claim_has_a_share_of_what_is_shared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("""
        deviceProfiles:
        - name: nics
          spec:
            groups:
            - name: nic
              allowMultipleAllocations: true
              capacity:
                bandwidth: {value: 10G, requestPolicy: {default: 1G, validRange: {min: 1G}}}
                queues: {value: 4}
              environment:
              - {name: SHARE, value: "{{ share.capacity.bandwidth }} {{ share.capacity.queues }}", when: share.id}
        """)
    _, out, _ = run(capsys, "render", str(path), "--output=yaml")
    *_, seen = yaml.safe_load_all(out)
    assert seen["containers"][0]["environment"]["SHARE"] == "1G 4"


def test_render_for_people(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "render", str(written), "--node=n1")
    assert (status, err) == (0, "")
    assert out == TABLE


@pytest.mark.parametrize(
    ("version", "api_versions", "left_out"),
    [
        ("1.30", [], "partitions"),
        ("1.32", ["v1beta1"], "attribute numa, consumesCounters, partitions, taints"),
        ("v1.33.4", ["v1beta2", "v1beta2"], "attribute numa"),
        ("1.34", ["v1", "v1"], "attribute numa"),
        ("1.37", ["v1", "v1"], ""),
    ],
)
def test_render_for_a_release(
    version: str,
    api_versions: list[str],
    left_out: str,
    written: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, "render", str(written), f"--kubernetes-version={version}", "-o", "yaml")
    *slices, state, _ = yaml.safe_load_all(out)
    assert [one["apiVersion"].removeprefix("resource.k8s.io/") for one in slices] == api_versions
    assert len(state["spec"]["allocatableDevice"]) == (2 if version in ("1.30", "1.32") else 6)
    _, table, _ = run(capsys, "render", str(written), f"--kubernetes-version={version}")
    told = [line.partition("cannot have: ")[2] for line in table.splitlines() if "cannot have" in line]
    assert told == ([left_out] if left_out else [])


@pytest.mark.parametrize("version", ["1.26", "1.31", "2.0", "x"])
def test_a_release_without_dra_is_refused(version: str, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "render", str(written), f"--kubernetes-version={version}")
    assert status == 2
    assert "--kubernetes-version" in err
    assert "1.27 to 1.30, or 1.32 and later" in err
