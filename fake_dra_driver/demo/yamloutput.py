"""What ``kubectl get --output=yaml`` prints for an object. Pure.

Follows sigs.k8s.io/yaml: keys are sorted, and a string that would read as something else is in double quotes.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from fake_dra_driver.yamldumper import reads_as_text

__all__ = ["as_yaml"]


class _Dumper(yaml.SafeDumper):
    """Writes as kubectl does."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_text = yaml.safe_load(text) == text and reads_as_text(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text else '"')


_Dumper.add_representer(str, _represent_text)


def as_yaml(raw: Mapping[str, Any]) -> str:
    """The object, without its managed fields, which kubectl does not show either.

    Args:
        raw: the object as the API server sends it.
    """
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    return yaml.dump({**raw, "metadata": metadata}, Dumper=_Dumper, default_flow_style=False, allow_unicode=True)
