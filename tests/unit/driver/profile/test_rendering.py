"""The devices that a profile gives a node."""

import re
import uuid
from typing import Any

import pytest

from fake_dra_driver import __version__
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.driver.profile.containers import EnvironmentVariable, MountedFile
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.profile.mocknode import MockNode, ProfileName
from fake_dra_driver.driver.profile.rendering import MAX_DEVICES, ProfileError, ProfileRenderer, render_profile
from tests.unit.driver.profile.profiles import make_profile


def rendered(spec: str, node: str = "n1", **labels: str) -> MockNode:
    return render_profile(make_profile(spec), node, labels)


def published(spec: str, node: str = "n1", **labels: str) -> list[dict[str, Any]]:
    return [device.published.to_wire() for device in rendered(spec, node, **labels).devices]


def problems(spec: str) -> dict[str, str]:
    with pytest.raises(ProfileError) as raised:
        rendered(spec)
    assert str(raised.value)
    return {problem.path: problem.message for problem in raised.value.problems}


def test_a_group_alone_has_what_the_default_devices_have() -> None:
    first, second = published("groups: [{name: gpu, count: 2}]")
    assert first["name"] == "gpu-0"
    assert first["attributes"] == {
        "index": {"int": 0},
        "model": {"string": "gpu"},
        "type": {"string": "fake"},
        "uuid": first["attributes"]["uuid"],
    }
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first["attributes"]["uuid"]["string"])
    assert second["attributes"]["uuid"] != first["attributes"]["uuid"]
    namespace = uuid.UUID("5a0b2c6e-3f7d-4b61-9f0e-8d1c7a42e9b3")
    assert first["attributes"]["uuid"]["string"] == str(uuid.uuid5(namespace, "fake.resource.3-shake.com/n1/gpu/0")), (
        "as all releases have it"
    )


def test_an_empty_object_stands_for_no_attributes() -> None:
    assert published("groups: [{name: gpu, attributes: {}}]") == [{"name": "gpu-0", "attributes": {}}]


def test_every_type_of_attribute() -> None:
    (device,) = published("""
        groups:
        - name: gpu
          type: gpu
          model: A100
          uuid: "GPU-{{ node }}"
          values: {bus: [7, 8]}
          attributes:
            int: {int: 7}
            intTemplate: {int: "{{ index - 1 }}"}
            bool: {bool: false}
            boolTemplate: {boolTemplate: "{{ index == 0 }}"}
            string: {string: "{{ node }}/{{ labels.zone }}/{{ driver }}/{{ group }}/{{ type }}/{{ model }}"}
            uuid: {string: "{{ uuid }}/{{ name }}/{{ values.bus }}"}
            version: {version: 1.2.3}
            ints: {ints: [1, "{{ index }}"]}
            bools: {bools: [true, false]}
            strings: {strings: [a, "{{ name }}"]}
            versions: {versions: [1.0.0, 2.0.0]}
        """, zone="z1")  # fmt: skip
    assert device["attributes"] == {
        "int": {"int": 7},
        "intTemplate": {"int": -1},
        "bool": {"bool": False},
        "boolTemplate": {"bool": True},
        "string": {"string": "n1/z1/fake.resource.3-shake.com/gpu/gpu/A100"},
        "uuid": {"string": "GPU-n1/gpu-0/7"},
        "version": {"version": "1.2.3"},
        "ints": {"ints": [1, 0]},
        "bools": {"bools": [True, False]},
        "strings": {"strings": ["a", "gpu-0"]},
        "versions": {"versions": ["1.0.0", "2.0.0"]},
    }


SHARED = """
groups:
- name: gpu
  allowMultipleAllocations: true
  capacity:
    memory: {value: 40Gi, requestPolicy: {default: 1Gi, validRange: {min: 1Gi, max: 40Gi, step: 1Gi}}}
    vfs: {value: 4, requestPolicy: {default: 1, validValues: [1, 2]}}
    cpu: {value: "{{ index + 8 }}"}
  taints: [{key: example.com/broken, value: "yes", effect: NoSchedule}, {key: other, effect: None}]
  bindsToNode: true
  bindingConditions: [example.com/ready]
  bindingFailureConditions: [example.com/failed]
  nodeAllocatableResources:
    cpu: {mapping: {capacityKey: cpu}, overhead: {perPod: 10m}}
    memory: {mapping: {deviceMultiplier: 2Gi}}
"""


def test_everything_else_of_a_device() -> None:
    (device,) = published(SHARED)
    assert {name: value for name, value in device.items() if name not in ("name", "attributes")} == {
        "capacity": {
            "memory": {
                "value": "40Gi",
                "requestPolicy": {"default": "1Gi", "validRange": {"min": "1Gi", "max": "40Gi", "step": "1Gi"}},
            },
            "vfs": {"value": "4", "requestPolicy": {"default": "1", "validValues": ["1", "2"]}},
            "cpu": {"value": "8"},
        },
        "taints": [
            {"key": "example.com/broken", "value": "yes", "effect": "NoSchedule"},
            {"key": "other", "effect": "None"},
        ],
        "bindsToNode": True,
        "bindingConditions": ["example.com/ready"],
        "bindingFailureConditions": ["example.com/failed"],
        "allowMultipleAllocations": True,
        "nodeAllocatableResources": {
            "cpu": {"mapping": {"capacityKey": "cpu", "capacityMultiplier": "1"}, "overhead": {"perPod": "10m"}},
            "memory": {"mapping": {"deviceMultiplier": "2Gi"}},
        },
    }


PARTITIONED = """
sharedCounters: [{name: node, counters: {watts: 400}}]
groups:
- name: gpu
  count: 2
  model: A100
  uuid: "GPU-{{ uuid }}"
  commonAttributes: {productName: {string: A100}, gpu: {int: "{{ index }}"}}
  attributes: {type: {string: gpu}}
  sharedCounters:
  - name: "gpu-{{ index }}-counters"
    counters: {memory: 40Gi}
    consecutive: [{prefix: memory-slice-, first: 0, count: 4}]
  consumesCounters: [{all: true}]
  partitions:
  - name: 1g.20gb+me
    placements: [0, 2]
    uuid: "MIG-{{ uuid }}"
    type: mig
    values: {half: [lower, upper]}
    attributes:
      profile: {string: "{{ partition }}@{{ placement }}"}
      parentUUID: {string: "{{ parent.uuid }}"}
      half: {string: "{{ values.half }}"}
    capacity: {memory: {value: 20Gi}}
    consecutiveCapacity: [{prefix: memorySlice, count: 2}]
    consumesCounters:
    - {counters: {memory: 20Gi}, consecutive: [{prefix: memory-slice-, count: 2}]}
    - {counterSet: node, counters: {watts: 200}}
"""


def test_partitions_follow_the_device_that_they_are_parts_of() -> None:
    node = rendered(PARTITIONED)
    assert [(device.name, device.parent, device.index) for device in node.devices] == [
        ("gpu-0", "", 0),
        ("gpu-0-1g-20gb-me-0", "gpu-0", 0),
        ("gpu-0-1g-20gb-me-2", "gpu-0", 0),
        ("gpu-1", "", 1),
        ("gpu-1-1g-20gb-me-0", "gpu-1", 1),
        ("gpu-1-1g-20gb-me-2", "gpu-1", 1),
    ]
    whole, _, part, *_ = node.devices
    assert whole.published.to_wire() == {
        "name": "gpu-0",
        "attributes": {"productName": {"string": "A100"}, "gpu": {"int": 0}, "type": {"string": "gpu"}},
        "consumesCounters": [
            {
                "counterSet": "gpu-0-counters",
                "counters": {"memory": {"value": "40Gi"}, **{f"memory-slice-{n}": {"value": "1"} for n in range(4)}},
            }
        ],
    }
    assert part.published.to_wire() == {
        "name": "gpu-0-1g-20gb-me-2",
        "attributes": {
            "productName": {"string": "A100"},
            "gpu": {"int": 0},
            "profile": {"string": "1g.20gb+me@2"},
            "parentUUID": {"string": whole.device.uuid},
            "half": {"string": "upper"},
        },
        "capacity": {"memory": {"value": "20Gi"}, "memorySlice2": {"value": "1"}, "memorySlice3": {"value": "1"}},
        "consumesCounters": [
            {
                "counterSet": "gpu-0-counters",
                "counters": {
                    "memory": {"value": "20Gi"},
                    "memory-slice-2": {"value": "1"},
                    "memory-slice-3": {"value": "1"},
                },
            },
            {"counterSet": "node", "counters": {"watts": {"value": "200"}}},
        ],
    }
    assert (part.device.model, part.device.type, part.device.name) == ("A100", "mig", part.name)
    assert part.device.uuid.startswith("MIG-")
    assert [one.name for one in node.counter_sets] == ["node", "gpu-0-counters", "gpu-1-counters"]


def test_partitions_can_be_all_that_there_is() -> None:
    names = [device["name"] for device in published(f"{PARTITIONED}  withoutWhole: true")]
    assert names == ["gpu-0-1g-20gb-me-0", "gpu-0-1g-20gb-me-2", "gpu-1-1g-20gb-me-0", "gpu-1-1g-20gb-me-2"]


def test_a_device_can_consume_a_set_of_another_group() -> None:
    spec = """
    groups:
    - name: vfio
      consumesCounters: [{counterSet: "gpu-{{ index }}", counters: {memory: 1Gi}}]
    - name: gpu
      sharedCounters: [{name: "gpu-{{ index }}", counters: {memory: 40Gi}}]
    """
    assert published(spec)[0]["consumesCounters"] == [{"counterSet": "gpu-0", "counters": {"memory": {"value": "1Gi"}}}]


def test_what_templates_of_containers_can_use() -> None:
    part = rendered(PARTITIONED).devices[2]
    whole = rendered(PARTITIONED).devices[0]
    assert part.variables == {
        "node": "n1",
        "labels": {},
        "driver": "fake.resource.3-shake.com",
        "group": "gpu",
        "index": 0,
        "partition": "1g.20gb+me",
        "placement": 2,
        "parent": {"name": "gpu-0", "uuid": whole.device.uuid},
        "values": {"half": "upper"},
        "type": "mig",
        "model": "A100",
        "uuid": part.device.uuid,
        "name": "gpu-0-1g-20gb-me-2",
    }


def test_what_containers_get_is_kept_as_it_was_written() -> None:
    node = rendered("""
        environment: [{name: NODE, value: "{{ node }}"}]
        files: [{path: /usr/bin/smi, mode: 0755, content: "{{ devices }}"}]
        configs:
        - {apiVersion: e.com/v1, kind: C, types: [mig], default: {a: 1}, schema: {type: object, properties: {a: {
            type: integer}}}}
        groups:
        - name: gpu
          environment: [{name: A, value: b, when: config.x}]
          partitions: [{name: part}, {name: other, environment: []}]
        - name: fake
        """)  # fmt: skip
    assert node.environment == (EnvironmentVariable("NODE", "{{ node }}", source="spec.environment[0]"),)
    assert node.files == (MountedFile("/usr/bin/smi", "{{ devices }}", 0o755, source="spec.files[0]"),)
    (kind,) = node.configs
    assert (kind.api_version, kind.kind, kind.types) == ("e.com/v1", "C", ("mig",))
    assert (kind.schema, kind.default) == ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1})
    own = (EnvironmentVariable("A", "b", "config.x", source="spec.groups[0].environment[0]"),)
    assert [device.environment for device in node.devices] == [own, own, (), None]


def test_nodes_have_devices_of_their_own() -> None:
    renderer = ProfileRenderer(make_profile(PARTITIONED, generation=3))
    first, second, again = (renderer.render(node, reason="why") for node in ("n1", "n2", "n1"))
    assert first == again == render_profile(make_profile(PARTITIONED, generation=3), "n1", reason="why")
    assert first.profile == ProfileName("p", 3, "why")
    assert {device.device.uuid for device in first.devices}.isdisjoint({each.device.uuid for each in second.devices})
    plain = ProfileRenderer(
        make_profile("groups: [{name: a, attributes: {m: {string: x}, u: {string: '{{ uuid }}'}}}]")
    )
    one, other = (plain.render(node).devices[0].published.attributes for node in ("n1", "n2"))
    # What does not depend on the node is made once.
    assert one["m"] is other["m"]
    assert one["u"] != other["u"]
    taken, again_taken = (node.devices[0].published.consumes_counters[0] for node in (first, second))
    assert taken is again_taken


def test_uuids_depend_on_the_driver_and_not_on_other_groups() -> None:
    alone = rendered("groups: [{name: b}]").devices[0].device.uuid
    assert rendered("groups: [{name: a}, {name: b}]").devices[1].device.uuid == alone
    assert rendered("{driverName: other.example.com, groups: [{name: b}]}").devices[0].device.uuid != alone


def test_what_a_later_release_may_say_of_an_attribute_is_left_out() -> None:
    (device,) = published("groups: [{name: a, attributes: {x: {int: 1, later: {a: 1}}}}]")
    assert device["attributes"] == {"x": {"int": 1}}


def test_counts_of_nothing() -> None:
    assert rendered("{}").devices == ()
    assert rendered("groups: [{name: gpu, count: 0}]").devices == ()


@pytest.mark.parametrize(
    ("group", "path", "message"),
    [
        (
            "{name: a, count: 2, deviceName: gpu}",
            "deviceName",
            "must be different for each device of a node: gpu is that of device 0 of the group a and of device 1 of "
            "the group a",
        ),
        (
            "{name: a, count: 2, uuid: u}",
            "uuid",
            "must be different for each device of a node: u is that of device 0 of the group a and of device 1 of the "
            "group a",
        ),
        (
            '{name: a, deviceName: "GPU {{ index }}"}',
            "deviceName",
            "must be at most 63 letters of English in lower case, digits and -, as in gpu-0, is "
            '"GPU 0", made of "GPU {{ index }}" (device 0 of the group a)',
        ),
        ("{name: a, model: 'Max 1'}", "model", 'without blanks, is "Max 1" (device 0 of the group a)'),
        ("{name: a, uuid: -x-}", "uuid", 'with a letter or digit at both ends, is "-x-" (device 0 of the group a)'),
        (
            '{name: a, count: 3, attributes: {x: {int: "{{ 6 // (index - 1) }}"}}}',
            "attributes[x].int",
            '"{{ 6 // (index - 1) }}" cannot be rendered: integer division or modulo by zero (device a-1)',
        ),
        (
            '{name: a, attributes: {x: {int: "{{ name }}"}}}',
            "attributes[x].int",
            'must be a whole number, is "a-0", made of "{{ name }}" (device a-0)',
        ),
        (
            '{name: a, attributes: {x: {int: "9223372036854775808"}}}',
            "attributes[x].int",
            'must fit into 64 bits, is "9223372036854775808" (device a-0)',
        ),
        (
            '{name: a, attributes: {x: {boolTemplate: "yes"}}}',
            "attributes[x].boolTemplate",
            'must be true or false, is "yes" (device a-0)',
        ),
        (
            "{name: a, attributes: {x: {string: '{{ idx }}'}}}",
            "attributes[x].string",
            '"{{ idx }}" cannot be rendered: there is no idx, only driver, group, index, labels, model, name, node, '
            "parent, partition, placement, type, uuid, values (device a-0)",
        ),
        ("{name: a, attributes: {x: {string: '{{ '}}}", "attributes[x].string", "it is no template: unexpected 'end"),
        (
            "{name: a, attributes: {9x: {int: 1}}}",
            "attributes[9x]",
            "must be a C identifier, or domain/identifier, is 9x (device a-0)",
        ),
        (
            "{name: a, commonAttributes: {v: {version: 1.2.3-01}}}",
            "commonAttributes[v].version",
            'must be a semantic version such as 1.2.3, is "1.2.3-01" (device a-0)',
        ),
        ("{name: a, capacity: {m: {value: 1Qi}}}", "capacity[m].value", 'must be a quantity such as 80Gi, is "1Qi"'),
        (
            "{name: a, capacity: {m: {value: 1e99999999}}}",
            "capacity[m].value",
            'must be a quantity such as 80Gi, is "1e99999999" (device a-0)',
        ),
        (
            f"{{name: a, capacity: {{m: {{value: '{'9' * 65}'}}}}}}",
            "capacity[m].value",
            "must be a quantity of at most 64 characters",
        ),
        (
            "{name: a, capacity: {m: {value: 1, requestPolicy: {default: 1}}}}",
            "capacity[m].requestPolicy",
            "only with allowMultipleAllocations (device a-0)",
        ),
        (
            "{name: a, consumesCounters: [{all: true}]}",
            "consumesCounters[0].counterSet",
            "must be given, as the group has 0 counter sets of its own (device a-0)",
        ),
        (
            "{name: a, consumesCounters: [{counterSet: x, counters: {m: 1}}]}",
            "consumesCounters[0].counterSet",
            "there is no counter set x; there are none (device a-0)",
        ),
        (
            "{name: a, sharedCounters: [{name: s, counters: {m: 1}}], consumesCounters: [{counters: {n: 1}}]}",
            "consumesCounters[0].counters[n]",
            "the counter set s has no counter n, only m (device a-0)",
        ),
        (
            "{name: a, sharedCounters: [{name: s, counters: {m: 1Gi}}], consumesCounters: [{counters: {m: 2Gi}}]}",
            "consumesCounters[s].m",
            "must be at most 1Gi, which the counter set has, is 2Gi (device a-0)",
        ),
        (
            "{name: a, sharedCounters: [{name: S, counters: {m: 1}}]}",
            "sharedCounters[0].name",
            "must be a DNS label in lower case, is S (counter set S)",
        ),
        (
            "{name: a, count: 2, sharedCounters: [{name: s, counters: {m: 1}}]}",
            "sharedCounters[0].name",
            "must be different for each counter set of a node: s is there twice",
        ),
        (
            "{name: a, sharedCounters: [{name: s, consecutive: [{prefix: m-, first: 0, count: 32}], counters: {m: 1}}]"
            "}",
            "sharedCounters[0].counters",
            "from 1 to 32 counters, are 33 (counter set s)",
        ),
        (
            "{name: a, taints: [{key: -, effect: NoExecute}]}",
            "taints[0].key",
            "must be the name of a label, or domain/name, is - (device a-0)",
        ),
        (
            "{name: a, consecutiveCapacity: [{prefix: m, first: 0, count: 32}]}",
            "attributes and capacity",
            "at most 32 together, are 36 (device a-0)",
        ),
        (
            "{name: a, partitions: [{name: p, attributes: {x: {int: '{{ placement // placement }}'}}}]}",
            "partitions[0].attributes[x].int",
            "integer division or modulo by zero (device a-0-p-0)",
        ),
    ],
)
def test_a_mistake_in_a_group_is_told(group: str, path: str, message: str) -> None:
    found = problems(f"groups: [{group}]")
    assert list(found) == [f"spec.groups[0].{path}"]
    assert message in found[f"spec.groups[0].{path}"]


def test_too_many_devices_are_refused_before_any_is_made() -> None:
    spec = f"groups: [{{name: a, count: 1024, partitions: [{{name: p, placements: {list(range(64))}}}]}}]"
    assert problems(spec) == {
        "spec.groups": f"must have at most {MAX_DEVICES} devices on a node, partitions included, has 66560"
    }


def test_all_mistakes_are_told_at_once() -> None:
    found = problems("""
        sharedCounters: [{name: s, counters: {m: 1Qi}}]
        groups:
        - {name: a, count: 100, attributes: {x: {int: "{{ a }}"}, y: {int: "{{ b }}"}}, capacity: {c: {value: x}}}
        - {name: b, partitions: [{name: p, uuid: "{{ c }}"}]}
        """)  # fmt: skip
    assert list(found) == [
        "spec.sharedCounters[0].counters[m]",
        "spec.groups[0].capacity[c].value",
        "spec.groups[0].attributes[x].int",
        "spec.groups[0].attributes[y].int",
        "spec.groups[1].partitions[0].uuid",
    ]


def test_what_fails_for_one_node_fails_there_alone() -> None:
    renderer = ProfileRenderer(make_profile("groups: [{name: a, attributes: {zone: {string: '{{ labels.zone }}'}}}]"))
    assert renderer.render("n1", {"zone": "z"}).devices[0].published.attributes["zone"].string == "z"
    with pytest.raises(ProfileError, match=r"there is no labels\.zone"):
        renderer.render("n2")
    with pytest.raises(ProfileError, match="at most 64 bytes"):
        renderer.render("n3", {"zone": "z" * 65})


def test_a_profile_can_say_what_the_settings_say_by_default() -> None:
    models = ("A100", "H100")
    fakes = fake_node("n1", make_inventory("n1", 3, models))
    node = rendered(f"""
        groups:
        - name: fake
          count: 3
          values: {{model: [{", ".join(models)}]}}
          model: "{{{{ values.model }}}}"
          uuid: "{{{{ fakeUUID }}}}"
          attributes:
            driverVersion: {{version: {__version__}}}
            index: {{int: "{{{{ index }}}}"}}
            model: {{string: "{{{{ model }}}}"}}
            type: {{string: "{{{{ type }}}}"}}
            uuid: {{string: "{{{{ uuid }}}}"}}
        """)  # fmt: skip
    assert [device.published for device in node.devices] == [device.published for device in fakes.devices]
    assert [device.device.uuid for device in node.devices] == [device.device.uuid for device in fakes.devices]


def test_limits_are_kept_on_each_node_where_labels_decide() -> None:
    renderer = ProfileRenderer(
        make_profile("""
            groups:
            - name: a
              sharedCounters: [{name: s, counters: {m: "{{ labels.m }}"}}]
              consumesCounters: [{counters: {m: 10}}]
            """)
    )
    assert renderer.render("n1", {"m": "20"}).devices
    with pytest.raises(ProfileError, match="must be at most 5, which the counter set has, is 10"):
        renderer.render("n2", {"m": "5"})


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{groups: [{name: a, environment: [{name: A, value: '{{ nope }}'}]}]}", "spec.groups[0].environment[0].value"),
        ("{files: [{path: /a, content: '{{ nope }}'}]}", "spec.files[0].content"),
        ("{configs: [{apiVersion: v1, kind: C, schema: {type: [object]}}]}", "spec.configs[0].schema.type"),
    ],
)
def test_what_no_claim_could_be_prepared_with_is_refused(spec: str, path: str) -> None:
    assert list(problems(spec)) == [path]


def test_a_profile_whose_templates_take_long_together_is_refused() -> None:
    slow = "{% for x in range(500) %}{% endfor %}1"
    found = problems(f"groups: [{{name: a, count: 1024, attributes: {{x: {{int: '{slow}'}}}}}}]")
    assert list(found) == ["spec.groups[0].attributes[x].int"]
    assert "take more than 1000000 steps together" in found["spec.groups[0].attributes[x].int"]
