"""The text of ``kubectl describe``. What is expected here was printed by kubectl 1.32 for the same objects."""

from datetime import UTC, datetime

from fake_dra_driver.demo.describe import columns, describe

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

STATE = {
    "apiVersion": "nas.fake.resource.3-shake.com/v1alpha1",
    "kind": "NodeAllocationState",
    "metadata": {
        "name": "n",
        "namespace": "fake-system",
        "labels": {"b": "1", "a": "x"},
        "creationTimestamp": "2026-01-01T10:00:00Z",
        "generation": 1,
        "managedFields": [{"manager": "m"}],
        "resourceVersion": "26",
        "uid": "32c08283-c2bc-4f44-8ef7-f4df32536314",
    },
    "spec": {
        "allocatableDevice": [
            {"fake": {"name": "LATEST", "uuid": "FAKE-1"}},
            {"fake": {"name": "L", "uuid": "FAKE-2"}},
        ],
        "preparedDevices": {
            "08a6552a-e762-4a28-89da-36a9df8baeab": {
                "fake": {"devices": [{"uuid": "FAKE-3", "parentUUID": "FAKE-1"}]},
            }
        },
    },
    "status": "Ready",
}
DESCRIBED = """\
Name:         n
Namespace:    fake-system
Labels:       a=x
              b=1
Annotations:  <none>
API Version:  nas.fake.resource.3-shake.com/v1alpha1
Kind:         NodeAllocationState
Metadata:
  Creation Timestamp:  2026-01-01T10:00:00Z
  Generation:          1
  Resource Version:    26
  UID:                 32c08283-c2bc-4f44-8ef7-f4df32536314
Spec:
  Allocatable Device:
    Fake:
      Name:  LATEST
      Uuid:  FAKE-1
    Fake:
      Name:  L
      Uuid:  FAKE-2
  Prepared Devices:
    08a6552a-e762-4a28-89da-36a9df8baeab:
      Fake:
        Devices:
          Parent UUID:  FAKE-1
          Uuid:         FAKE-3
Status:                 Ready
"""


def _event(**fields: object) -> dict[str, object]:
    return {
        "metadata": {},
        "type": "Normal",
        "reason": "Because",
        "message": "It is\n",
        "source": {"component": "me"},
        "firstTimestamp": "2026-01-01T10:33:00Z",
        "lastTimestamp": "2026-01-01T10:34:00Z",
        **fields,
    }


def test_the_whole_text_with_its_headings() -> None:
    assert describe(STATE, [], NOW) == DESCRIBED + "Events:                 <none>\n"


def test_events_are_a_table_of_their_own() -> None:
    events = [_event(count=2, lastTimestamp="2026-01-01T11:59:00Z"), _event(count=1)]
    assert describe(STATE, events, NOW) == (
        DESCRIBED
        + """\
Events:
  Type    Reason   Age                From  Message
  ----    ------   ----               ----  -------
  Normal  Because  86m                me    It is
  Normal  Because  60s (x2 over 87m)  me    It is
"""
    )


def test_values_of_every_kind() -> None:
    raw: dict[str, object] = {"apiVersion": "example.com/v1", "kind": "Thing"}
    raw |= {"metadata": {"name": "n", "namespace": "default"}}
    raw |= {"a": True, "b": None, "c": ["x", 1], "d-e": 1.5, "f1G": 2, "apiURLOfIt": "u", "l": [[1, 2], {"q": 1}]}
    raw |= {"e": [], "z": {}, "big": 12345678901}
    assert (
        describe(raw, [], NOW)
        == """\
Name:           n
Namespace:      default
Labels:         <none>
Annotations:    <none>
A:              true
API URL Of It:  u
API Version:    example.com/v1
B:              <nil>
Big:            12345678901
C:
  x
  1
D - E:  1.5
E:
f1G:   2
Kind:  Thing
L:
  [1 2]
  Q:  1
Metadata:
Z:
Events:  <none>
"""
    )


def test_a_column_ends_where_a_row_lacks_it() -> None:
    rows = [("a", "b", "c"), ("long", "b", "c"), ("alone",), ("x", "y")]
    assert columns(rows, 2) == "a     b  c\nlong  b  c\nalone\nx  y\n"
    assert columns([], 2) == ""
