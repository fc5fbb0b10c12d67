"""Objects in YAML, as kubectl prints them."""

from fake_dra_driver.demo.yamloutput import as_yaml

PRINTED = """\
metadata:
  finalizers:
  - a.example.com/finalizer
  name: claim
  resourceVersion: "1046"
spec:
  selector: device.driver == "a"
  started: "2026-11-30T00:44:11Z"
  value: ""
  wanted: true
"""


def test_what_kubectl_prints() -> None:
    raw = {
        "metadata": {
            "name": "claim",
            "resourceVersion": "1046",
            "managedFields": [{"manager": "m"}],
            "finalizers": ["a.example.com/finalizer"],
        },
        "spec": {
            "wanted": True,
            "value": "",
            "started": "2026-11-30T00:44:11Z",
            "selector": 'device.driver == "a"',
        },
    }
    assert as_yaml(raw) == PRINTED
